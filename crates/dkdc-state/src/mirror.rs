//! The mirror: immutable Parquet files beside the database, derived from the
//! log, and the only user of parquet.
//!
//! A file holds the rows of one table over a range of versions. It is a cache:
//! deleting the folder loses nothing. What must hold:
//!
//! - A file is complete, synced and under its final name before the manifest
//!   names it; the manifest is changed in one SQLite transaction.
//! - A file is used only while it is the very file whose BLAKE3 was verified
//!   ([`trust`]); whatever is missing, altered or foreign is read from the log
//!   instead, and written again.
//! - Writers never wait for sealing, but for the one insert into the manifest.

mod publish;
mod seal;
mod trust;

use std::path::{Path, PathBuf};

use crate::log::Store;
use crate::log::identity::beside;
use crate::log::manifest::Sealed;
use crate::record::Idx;

pub(crate) use trust::Trust;

/// The folder of a store's mirror, beside its resolved path.
pub(crate) fn folder(database: &Path) -> PathBuf {
    beside(database, "-mirror")
}

/// From where the versions of one table are read, up to any snapshot: files
/// for what can be trusted, the log for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// Absolute paths.
    pub(crate) files: Vec<PathBuf>,
    /// Ranges of the log: after the one, up to the other.
    pub(crate) ranges: Vec<(Idx, Idx)>,
}

impl Store {
    /// Removes files that the manifest no longer names. One that cannot be
    /// removed is never read again all the same.
    pub(crate) fn remove_files(&self, files: &[Sealed]) {
        for sealed in files {
            let path = folder(&self.path).join(&sealed.file);
            if let Err(error) = std::fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "a mirror file stays behind");
            }
        }
    }

    /// The pieces of one table, of the files in the manifest.
    pub(crate) fn pieces(&self, files: &[Sealed], table: u32) -> Pieces {
        let mut pieces = Pieces::default();
        let mut at = Idx::from_micros(i64::MIN);
        for sealed in files.iter().filter(|sealed| sealed.table == table) {
            if self.trusts(sealed) {
                pieces.files.push(folder(&self.path).join(&sealed.file));
            } else {
                pieces.ranges.push((at, sealed.upto));
            }
            at = sealed.upto;
        }
        pieces.ranges.push((at, Idx::from_micros(i64::MAX)));
        pieces
    }
}
