//! Whether a file is the one that was written.
//!
//! A file is trusted when its BLAKE3 matched the manifest and its device,
//! inode, size and times have not moved since. So a file is read whole once,
//! and then costs one `stat` a snapshot.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::folder;
use crate::log::Store;
use crate::log::manifest::Sealed;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stat {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Stat> {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::symlink_metadata(path).ok()?;
        meta.is_file().then(|| Stat {
            file: (meta.dev(), meta.ino()),
            bytes: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Stat> {
        let meta = fs::symlink_metadata(path).ok()?;
        let since = meta
            .modified()
            .ok()?
            .duration_since(std::time::UNIX_EPOCH)
            .ok()?;
        let modified = (
            i64::try_from(since.as_secs()).ok()?,
            i64::from(since.subsec_nanos()),
        );
        meta.is_file().then(|| Stat {
            file: (0, 0),
            bytes: meta.len(),
            modified,
            changed: modified,
        })
    }
}

/// The files that this process has verified.
#[derive(Default)]
pub(crate) struct Trust {
    verified: Mutex<HashMap<String, Stat>>,
}

impl Store {
    /// True when the file is what the manifest says.
    pub(super) fn trusts(&self, sealed: &Sealed) -> bool {
        let path = folder(&self.path).join(&sealed.file);
        let Some(stat) = Stat::of(&path).filter(|stat| stat.bytes == sealed.bytes) else {
            return false;
        };
        let verified = &self.trust.verified;
        let known = verified.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&sealed.file) == Some(&stat) {
            return true;
        }
        drop(known);
        // The `stat` comes first: what moves while the file is read shows.
        if !is_what_was_written(&path, sealed) || Stat::of(&path) != Some(stat) {
            return false;
        }
        let mut known = verified.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(sealed.file.clone(), stat);
        true
    }

    /// Remembers a file that this process has just written.
    pub(super) fn trust_written(&self, sealed: &Sealed) {
        if let Some(stat) = Stat::of(&folder(&self.path).join(&sealed.file)) {
            let verified = &self.trust.verified;
            let mut known = verified.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(sealed.file.clone(), stat);
        }
    }
}

fn is_what_was_written(path: &Path, sealed: &Sealed) -> bool {
    let mut hasher = blake3::Hasher::new();
    let read = File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
    read.is_ok() && hasher.finalize().as_bytes() == &sealed.hash
}
