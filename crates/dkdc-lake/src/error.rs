//! What can go wrong with a file: the state's errors, with those that every
//! caller meets worded for files.

use std::io;

use dkdc_state::{ErrorKind, Idx};

use crate::name::FileName;

/// A result whose error is [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong; [`Error::kind`] says what a caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No current file has this name.
    #[error("File {name} does not exist")]
    NotFound {
        /// The name.
        name: FileName,
    },
    /// A current file has this name.
    #[error("File {name} already exists")]
    AlreadyExists {
        /// The name.
        name: FileName,
    },
    /// No file of this name has or had this version.
    #[error("File {} has no version {}", name, idx.shown())]
    NoSuchVersion {
        /// The name.
        name: FileName,
        /// The version asked for.
        idx: Idx,
    },
    /// The file's current version is not the one expected.
    #[error("File {name} is at {}, not at version {}: somebody wrote since",
        actual.map_or("no version".to_owned(), |idx| format!("version {}", idx.shown())),
        expected.shown())]
    Conflict {
        /// The name.
        name: FileName,
        /// The version that the caller had read.
        expected: Idx,
        /// The current version; none when the file is deleted.
        actual: Option<Idx>,
    },
    /// A name without a filename, such as a path that ends in a slash.
    #[error("{given:?} names no file: the filename is empty")]
    NoFilename {
        /// What was given.
        given: String,
    },
    /// A name that no new file can have, such as one whose path leads through
    /// `..`.
    #[error("{given} cannot be the name of a file: {why}")]
    InvalidName {
        /// What was given.
        given: String,
        /// Why not.
        why: &'static str,
    },
    /// The content could not be read to its end, on its way in or out; nothing was
    /// written.
    #[error("the content of {name} could not be read: {source}")]
    Content {
        /// The file.
        name: FileName,
        /// Why not.
        source: io::Error,
    },
    /// A file or folder on disk could not be read or written.
    #[error("{}: {source}", path.display())]
    Disk {
        /// Which.
        path: std::path::PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The system has no random numbers to make an id of.
    #[error("no id could be made: {0}")]
    NoRandomness(io::Error),
    /// Anything else that the state reports.
    #[error(transparent)]
    State(#[from] dkdc_state::Error),
}

impl Error {
    /// What a caller can do about it: the shell's exit codes follow it.
    ///
    /// ```
    /// use dkdc_lake::{Error, ErrorKind, FileName};
    /// let error = Error::NotFound { name: FileName::new("test.txt") };
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// assert_eq!(error.to_string(), "File test.txt does not exist");
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NotFound { .. } | Error::NoSuchVersion { .. } => ErrorKind::NotFound,
            Error::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            Error::Conflict { .. } => ErrorKind::Conflict,
            Error::NoFilename { .. } | Error::InvalidName { .. } => ErrorKind::Input,
            Error::Disk { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                ErrorKind::NotFound
            }
            Error::Disk { .. } | Error::NoRandomness(_) => ErrorKind::Failure,
            Error::Content { .. } | Error::State(_) => self
                .of_state()
                .map_or(ErrorKind::Failure, dkdc_state::Error::kind),
        }
    }

    /// What the state reported, be it while content was read.
    ///
    /// ```
    /// use dkdc_lake::{Error, FileName};
    /// let source = std::io::Error::other("the reader's own");
    /// let error = Error::Content { name: FileName::new("test.txt"), source };
    /// assert!(error.of_state().is_none());
    /// ```
    #[must_use]
    pub fn of_state(&self) -> Option<&dkdc_state::Error> {
        match self {
            Error::State(error) => Some(error),
            // A reader of content can only give errors of the system.
            Error::Content { source, .. } => source.get_ref()?.downcast_ref(),
            _ => None,
        }
    }

    /// A conflict is this file's.
    pub(crate) fn of_file(self, name: &FileName) -> Error {
        match self {
            Error::State(dkdc_state::Error::Conflict {
                expected, actual, ..
            }) => Error::Conflict {
                name: name.clone(),
                expected,
                actual,
            },
            other => other,
        }
    }

    /// A name that another file took becomes [`Error::AlreadyExists`].
    pub(crate) fn or_taken(self, name: &FileName) -> Error {
        match self {
            Error::State(dkdc_state::Error::NotUnique { .. }) => {
                Error::AlreadyExists { name: name.clone() }
            }
            other => other,
        }
    }
}
