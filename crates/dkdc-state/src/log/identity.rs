//! Whether the open file is still the file at its path.
//!
//! SQLite's locks are POSIX locks: any other code of this process that opens
//! and closes the database file drops them, and then another process may
//! unlink the `-wal` under us; a COMMIT into it would be lost. So the inodes of
//! the path and of `-wal` are compared after BEGIN and again before a commit is
//! acknowledged. Only `stat` is used: opening the file here would be the very
//! fault.
//!
//! Two paths walked twice would cost a commit a tenth of its time. Names change
//! only with the time of their folder, so the names are looked up again when
//! that has moved, or had moved so shortly before the last look that another
//! change may bear the same time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

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

/// When a folder's names last changed, by the file system's clock.
type Changed = (i64, i64);

/// Opened, a folder is asked without a walk along its path. Its own descriptor
/// has nothing to do with the locks of the files in it.
#[cfg(unix)]
fn changed(folder: &File) -> Option<Changed> {
    use std::os::unix::fs::MetadataExt;
    let meta = folder.metadata().ok()?;
    Some((meta.ctime(), meta.ctime_nsec()))
}

#[cfg(not(unix))]
fn changed(_folder: &File) -> Option<Changed> {
    None
}

/// Longer than the step in which the file system keeps this time: two seconds
/// at most, and a few milliseconds where it is no round number.
fn step((_, nanos): Changed) -> Duration {
    let round = nanos % 1_000_000 == 0;
    Duration::from_millis(if round { 4000 } else { 100 })
}

/// What is known of the folder.
#[derive(Debug)]
struct Looked {
    changed: Changed,
    /// When this time was first seen.
    since: Instant,
    /// True when the names were right at a moment at which another change would
    /// have borne a later time.
    settled: bool,
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
    /// `None` when it cannot be opened: then every check is a full one.
    folder: Option<File>,
    looked: Mutex<Option<Looked>>,
}

impl Identity {
    pub(crate) fn new(path: PathBuf, file: FileKey) -> Identity {
        Identity {
            wal_path: beside(&path, "-wal"),
            folder: path.parent().and_then(|folder| File::open(folder).ok()),
            path,
            file,
            wal: OnceLock::new(),
            looked: Mutex::default(),
        }
    }

    pub(crate) fn key(&self) -> FileKey {
        self.file
    }

    /// Refuses to go on when the path or `-wal` is no longer what it was.
    /// Inside or right after a write transaction, so that `-wal` exists.
    pub(crate) fn verify(&self) -> Result<()> {
        // Asked before the names are: what changes after it, changes it again.
        let Some(changed) = self.folder.as_ref().and_then(changed) else {
            return self.look();
        };
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *looked {
            Some(known) if known.changed == changed => {
                if !known.settled {
                    let settled = known.since.elapsed() >= step(changed);
                    self.look()?;
                    known.settled = settled;
                }
                Ok(())
            }
            other => {
                *other = Some(Looked {
                    changed,
                    since: Instant::now(),
                    settled: false,
                });
                self.look()
            }
        }
    }

    fn look(&self) -> Result<()> {
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
