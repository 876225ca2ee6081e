//! What can go wrong with a todo: the state's errors, with the two that every
//! caller meets worded for todos.

use dkdc_state::ErrorKind;

use crate::todo::TABLE;

/// A result whose error is [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong; [`Error::kind`] says what a caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No current todo has this id, or begins with it.
    #[error("todo {id} does not exist")]
    NotFound {
        /// The id, or its beginning, as it was asked for.
        id: String,
    },
    /// A current todo has this id.
    #[error("todo {id} already exists")]
    AlreadyExists {
        /// The id.
        id: String,
    },
    /// More than one id begins like this.
    #[error("todo {prefix} could be any of: {}{}", candidates.join(", "), if *more { ", ..." } else { "" })]
    Ambiguous {
        /// The beginning that was given.
        prefix: String,
        /// Ids that begin with it, in order.
        candidates: Vec<String>,
        /// True when there are more than those.
        more: bool,
    },
    /// The system has no random numbers to make an id of.
    #[error("no id could be made: {0}")]
    NoRandomness(std::io::Error),
    /// Anything else that the state reports.
    #[error(transparent)]
    State(dkdc_state::Error),
}

impl Error {
    /// What a caller can do about it: the shell's exit codes follow it.
    ///
    /// ```
    /// use dkdc_todo::{Error, ErrorKind};
    /// let error = Error::NotFound { id: "test".to_owned() };
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// assert_eq!(error.to_string(), "todo test does not exist");
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NotFound { .. } => ErrorKind::NotFound,
            Error::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            Error::Ambiguous { .. } => ErrorKind::Input,
            Error::NoRandomness(_) => ErrorKind::Failure,
            Error::State(error) => error.kind(),
        }
    }
}

/// A missing or present todo becomes [`Error::NotFound`] or
/// [`Error::AlreadyExists`]; the same of another table's records does not, so
/// a transaction over several tables can use `?` throughout.
impl From<dkdc_state::Error> for Error {
    fn from(error: dkdc_state::Error) -> Error {
        match error {
            dkdc_state::Error::NotFound { table, id } if table == TABLE => Error::NotFound { id },
            dkdc_state::Error::AlreadyExists { table, id, .. } if table == TABLE => {
                Error::AlreadyExists { id }
            }
            other => Error::State(other),
        }
    }
}
