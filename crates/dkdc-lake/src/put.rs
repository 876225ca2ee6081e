//! What a put names and what it did.

use dkdc_state::{BlobRef, Idx, Versioned};
use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::file::{File, NewFile, whole_microseconds};
use crate::name::FileName;

/// What a [`put`](crate::Lake::put) says about a file besides its content. What
/// it does not name stays as it is, or is none in a new file.
///
/// Two columns know better: an unnamed `filetype` of a new file is
/// guessed from its [name](crate::filetype_of), else from its
/// [content](crate::kind_of), and an unnamed `mtime` ends with the content
/// that it was about.
///
/// ```
/// use dkdc_lake::Edit;
/// let edit = Edit::new().status("draft").description(None);
/// assert_ne!(edit, Edit::new());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    // The outer `None`: not named. The inner one: NULL.
    filetype: Option<Option<String>>,
    version: Option<Option<i64>>,
    status: Option<Option<String>>,
    description: Option<Option<String>>,
    labels: Option<Option<Vec<String>>>,
    mode: Option<Option<i64>>,
    mtime: Option<Option<Timestamp>>,
    /// Which version is to be replaced.
    pub(crate) expected: Option<Idx>,
}

impl Edit {
    /// An edit that names nothing.
    #[must_use]
    pub fn new() -> Edit {
        Edit::default()
    }

    /// Names the type.
    #[must_use]
    pub fn filetype<'a>(mut self, filetype: impl Into<Option<&'a str>>) -> Edit {
        self.filetype = Some(filetype.into().map(str::to_owned));
        self
    }

    /// Names the caller's own version number.
    #[must_use]
    pub fn version(mut self, version: impl Into<Option<i64>>) -> Edit {
        self.version = Some(version.into());
        self
    }

    /// Names the status.
    #[must_use]
    pub fn status<'a>(mut self, status: impl Into<Option<&'a str>>) -> Edit {
        self.status = Some(status.into().map(str::to_owned));
        self
    }

    /// Names the description.
    #[must_use]
    pub fn description<'a>(mut self, description: impl Into<Option<&'a str>>) -> Edit {
        self.description = Some(description.into().map(str::to_owned));
        self
    }

    /// Names the labels, all of them.
    #[must_use]
    pub fn labels(mut self, labels: impl Into<Option<Vec<String>>>) -> Edit {
        self.labels = Some(labels.into());
        self
    }

    /// Names the permissions.
    #[must_use]
    pub fn mode(mut self, mode: impl Into<Option<i64>>) -> Edit {
        self.mode = Some(mode.into());
        self
    }

    /// Names the time of the last change on disk; what is finer than a
    /// microsecond is cut off.
    #[must_use]
    pub fn mtime(mut self, mtime: impl Into<Option<Timestamp>>) -> Edit {
        self.mtime = Some(mtime.into().map(whole_microseconds));
        self
    }

    /// Only if this is still the file's current version: compare and set.
    ///
    /// ```
    /// use dkdc_lake::{Edit, ErrorKind, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// let read = lake.put(&name, &Edit::new(), &b"one"[..])?.file;
    /// lake.put(&name, &Edit::new(), &b"somebody else's"[..])?;
    /// let late = lake.put(&name, &Edit::new().expecting(read.idx()), &b"two"[..]);
    /// assert_eq!(late.unwrap_err().kind(), ErrorKind::Conflict);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn expecting(mut self, version: Idx) -> Edit {
        self.expected = Some(version);
        self
    }

    /// Refuses a current version that is not the one expected.
    pub(crate) fn check(&self, name: &FileName, current: Option<&Versioned<File>>) -> Result<()> {
        let actual = current.map(Versioned::idx);
        match self.expected {
            Some(expected) if actual != Some(expected) => Err(Error::Conflict {
                name: name.clone(),
                expected,
                actual,
            }),
            _ => Ok(()),
        }
    }

    /// The file that this makes of `current` with this content.
    pub(crate) fn over(&self, current: &File, content: BlobRef) -> File {
        let mut file = current.clone();
        if file.data != content {
            file.set_content(content);
            file.mtime = None;
        }
        set(&mut file.filetype, self.filetype.as_ref());
        set(&mut file.version, self.version.as_ref());
        set(&mut file.status, self.status.as_ref());
        set(&mut file.description, self.description.as_ref());
        set(&mut file.labels, self.labels.as_ref());
        set(&mut file.mode, self.mode.as_ref());
        set(&mut file.mtime, self.mtime.as_ref());
        file
    }

    /// The file that this makes of a name alone.
    pub(crate) fn first(&self, file: NewFile, id: String, content: BlobRef) -> File {
        self.over(&file.into_file(id, content), content)
    }
}

fn set<T: Clone>(column: &mut T, named: Option<&T>) {
    if let Some(value) = named {
        column.clone_from(value);
    }
}

/// What a [`put`](crate::Lake::put) left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Put {
    /// The file's current version.
    pub file: Versioned<File>,
    /// False when the file was like that already, and nothing was written.
    pub written: bool,
}
