//! Everything that can go wrong, sorted by what a caller can do about it.
//!
//! The variants carry data; [`Error::kind`] is the sorting, and the shell's
//! exit codes and Python's exceptions follow it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::record::{Idx, ValueError};

/// A result whose error is [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an [`enum@Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Mend the input: a name, a value, a question.
    Input,
    /// The record, table or file is not there.
    NotFound,
    /// The record, or one with the same unique values, is there already.
    AlreadyExists,
    /// Read again and decide again: somebody else wrote first.
    Conflict,
    /// Try again later: somebody else holds the store.
    Busy,
    /// Stop and run `check`: the file does not say what was written to it.
    Damaged,
    /// Anything else: the disk, permissions, the system.
    Failure,
}

/// What went wrong.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ---- NotFound
    /// No current record has this id.
    #[error("{table} {id:?} does not exist")]
    NotFound {
        /// The table.
        table: String,
        /// The record's id.
        id: String,
    },
    /// The record never had this version, or its content was erased.
    #[error("{table} {id:?} has no version {} that can be restored", idx.shown())]
    NoSuchVersion {
        /// The table.
        table: String,
        /// The record's id.
        id: String,
        /// The version asked for.
        idx: Idx,
    },
    /// The store has no table of this name.
    #[error("there is no table {table:?}; {}", names("tables", known))]
    UnknownTable {
        /// The name asked for.
        table: String,
        /// The tables there are.
        known: Vec<String>,
    },
    /// There is no store at this path, and it was not to be created.
    #[error("there is no store at {}", path.display())]
    NoStore {
        /// The path.
        path: PathBuf,
    },
    /// The content that a blob names is not in the store.
    #[error("the content of blob {hash} is not in the store")]
    NoSuchBlob {
        /// BLAKE3 of the content, in hexadecimal.
        hash: String,
    },

    // ---- AlreadyExists
    /// A current record has this id.
    #[error("{table} {id:?} already exists (version {})", idx.shown())]
    AlreadyExists {
        /// The table.
        table: String,
        /// The record's id.
        id: String,
        /// Its current version.
        idx: Idx,
    },
    /// A file that is to be made is there already.
    #[error("{} is there already: name another file", path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// Another current record has the same values in unique columns.
    #[error("{table} {id:?}: {other:?} already has this {}", columns.join(", "))]
    NotUnique {
        /// The table.
        table: String,
        /// The columns that are unique together.
        columns: Vec<String>,
        /// The record that was written.
        id: String,
        /// The record that has the values already.
        other: String,
    },

    // ---- Conflict
    /// The record's newest version is not the one expected.
    #[error("{table} {id:?} is at {}, not at version {}: somebody wrote since",
        actual.map_or("no version".to_owned(), |idx| format!("version {}", idx.shown())),
        expected.shown())]
    Conflict {
        /// The table.
        table: String,
        /// The record's id.
        id: String,
        /// The version that the caller had read.
        expected: Idx,
        /// The newest version.
        actual: Option<Idx>,
    },

    // ---- Input
    /// An id that no record can have.
    #[error("{table}: an id must have 1 to 1024 bytes, this one has {len}")]
    InvalidId {
        /// The table.
        table: String,
        /// The id's length in bytes.
        len: usize,
    },
    /// A value that its column cannot hold.
    #[error("{table} {id:?}: {source}")]
    InvalidValue {
        /// The table.
        table: String,
        /// The record's id.
        id: String,
        /// What is wrong.
        source: ValueError,
    },
    /// A row that is not one: malformed JSON, no id, a key given twice.
    #[error("{table}: {why}")]
    InvalidRow {
        /// The table.
        table: String,
        /// What is wrong.
        why: String,
    },
    /// A request key that was used for another write.
    #[error("request key {key:?} was used for another write: a key is for one")]
    RequestDiffers {
        /// The key.
        key: String,
    },
    /// Content larger than one blob may be.
    #[error("content of more than {limit} bytes cannot be put")]
    BlobTooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// The table has no column of this name.
    #[error("table {table} has no column {column:?}; {}", names("columns", known))]
    UnknownColumn {
        /// The table.
        table: String,
        /// The name asked for.
        column: String,
        /// The columns there are.
        known: Vec<String>,
    },
    /// A declaration that no table can have.
    #[error("table {table:?}: {why}")]
    InvalidSchema {
        /// The table.
        table: String,
        /// What is wrong.
        why: String,
    },
    /// A declaration that does not go with the table in the store.
    #[error("table {table} in the store is not as declared:\n  {}", differences.join("\n  "))]
    SchemaMismatch {
        /// The table.
        table: String,
        /// One line for each difference.
        differences: Vec<String>,
    },
    /// A text that is not a moment.
    #[error("{text:?} is not a time: {why}")]
    InvalidTime {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A moment that history does not cover.
    #[error("{asked} is outside history: {why}")]
    OutsideHistory {
        /// The moment or version asked for.
        asked: String,
        /// Where history begins or ends.
        why: String,
    },
    /// A question that DuckDB refused.
    #[error("{0}")]
    Query(String),
    /// The state was used inside one of its own transactions.
    #[error("use the transaction's handle inside a transaction, not the state")]
    InsideTransaction,
    /// The file is no store and cannot become one.
    #[error("{} is no dkdc store: {why}", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The store was written by a newer dkdc.
    #[error("{} has format {found}; this dkdc reads formats up to {supported}: upgrade dkdc", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: i64,
        /// The newest format known.
        supported: i64,
    },
    /// A file of the original packages that cannot be taken over.
    #[error("{} was not adopted: table {table}, row {row}: {why}", path.display())]
    NotAdopted {
        /// The file.
        path: PathBuf,
        /// The table.
        table: String,
        /// The row, by its rowid; 0 for the table as a whole.
        row: i64,
        /// What is wrong.
        why: String,
    },

    // ---- Busy
    /// Another process or thread held the write lock until the deadline.
    #[error("{} is busy: its write lock was held for {waited:?} by another process or thread", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// How long this call waited.
        waited: std::time::Duration,
    },

    /// Somebody wrote the file while it was read, and the read could not keep
    /// them away: this process may not write beside the database, so it has no
    /// lock; or the file is one of the mirror's, which nobody else may write.
    #[error("{} was written while it was read: read it again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },

    // ---- Damaged
    /// The file does not say what was written to it.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },

    // ---- Failure
    /// The store or its folder cannot be written.
    #[error("{} cannot be written: {why}", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The file was replaced, or its locks were taken away, while it was open.
    #[error("{} is not the file that was opened: {why}; nothing was acknowledged, open it again", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
        /// What moved.
        why: String,
    },
    /// A write failed in a way that leaves its durability unknown; this handle
    /// writes no more.
    #[error("an earlier write of {} failed ({why}): open the store again", path.display())]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// The first failure.
        why: String,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its answer.
        source: Arc<std::io::Error>,
    },
    /// SQLite refused.
    #[error("{}: {message}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Its extended result code, such as 13 for a full disk.
        code: i32,
        /// Its message.
        message: String,
    },
}

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Error {
        Error::Io {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        use Error as E;
        match self {
            // A folder on the way to the file.
            E::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                ErrorKind::NotFound
            }
            E::NotFound { .. }
            | E::NoSuchVersion { .. }
            | E::UnknownTable { .. }
            | E::NoStore { .. }
            | E::NoSuchBlob { .. } => ErrorKind::NotFound,
            E::AlreadyExists { .. } | E::FileExists { .. } | E::NotUnique { .. } => {
                ErrorKind::AlreadyExists
            }
            E::Conflict { .. } => ErrorKind::Conflict,
            E::InvalidId { .. }
            | E::RequestDiffers { .. }
            | E::InvalidValue { .. }
            | E::InvalidRow { .. }
            | E::BlobTooLarge { .. }
            | E::UnknownColumn { .. }
            | E::InvalidSchema { .. }
            | E::SchemaMismatch { .. }
            | E::InvalidTime { .. }
            | E::OutsideHistory { .. }
            | E::Query(_)
            | E::InsideTransaction
            | E::NotAStore { .. }
            | E::NewerFormat { .. }
            | E::NotAdopted { .. } => ErrorKind::Input,
            E::Busy { .. } | E::Changed { .. } => ErrorKind::Busy,
            E::Damaged { .. } => ErrorKind::Damaged,
            E::ReadOnly { .. }
            | E::Replaced { .. }
            | E::Poisoned { .. }
            | E::Io { .. }
            | E::Sqlite { .. } => ErrorKind::Failure,
        }
    }
}

fn names(what: &str, known: &[String]) -> String {
    if known.is_empty() {
        format!("there are no {what} yet")
    } else {
        format!("{what}: {}", known.join(", "))
    }
}
