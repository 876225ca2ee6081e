//! Whether the open file is still the file at its path.
//!
//! SQLite's locks are POSIX locks: any other code of this process that opens
//! and closes the database file drops them, and then another process may
//! unlink the `-wal` under us; a COMMIT into it would be lost. So the inodes of
//! the path and of `-wal` are compared after BEGIN and again before a commit is
//! acknowledged. Only `stat` is used: opening the file here would be the very
//! fault.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::error::{Error, Result};

/// Device and inode.
pub(crate) type FileKey = (u64, u64);

/// The file at `path`; `None` when there is none.
#[cfg(unix)]
pub(crate) fn file_key(path: &Path) -> Option<FileKey> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Where the system has no inodes, files are told apart by path.
#[cfg(not(unix))]
pub(crate) fn file_key(path: &Path) -> Option<FileKey> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    fs::metadata(path).ok()?;
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    Some((0, hasher.finish()))
}

/// A path with something appended to its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The files that were opened.
#[derive(Debug)]
pub(crate) struct Identity {
    path: PathBuf,
    wal_path: PathBuf,
    file: FileKey,
    wal: OnceLock<FileKey>,
}

impl Identity {
    pub(crate) fn new(path: PathBuf, file: FileKey) -> Identity {
        Identity {
            wal_path: beside(&path, "-wal"),
            path,
            file,
            wal: OnceLock::new(),
        }
    }

    pub(crate) fn key(&self) -> FileKey {
        self.file
    }

    /// Refuses to go on when the path or `-wal` is no longer what it was.
    /// Inside or right after a write transaction, so that `-wal` exists.
    pub(crate) fn verify(&self) -> Result<()> {
        let replaced = |why: &str| {
            Err(Error::Replaced {
                path: self.path.clone(),
                why: why.to_owned(),
            })
        };
        match file_key(&self.path) {
            None => return replaced("it was removed or renamed"),
            Some(key) if key != self.file => return replaced("another file took its place"),
            Some(_) => {}
        }
        let Some(wal) = file_key(&self.wal_path) else {
            return replaced("its -wal file was removed");
        };
        if *self.wal.get_or_init(|| wal) != wal {
            return replaced("another -wal file took the place of the one in use");
        }
        Ok(())
    }
}
