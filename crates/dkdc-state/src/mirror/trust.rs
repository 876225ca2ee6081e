//! Whether a file is the one that was written, and that it stays there.
//!
//! A file is trusted when its BLAKE3 matched the manifest and its device,
//! inode, size and times have not moved since. So a file is read whole once,
//! and then costs a few system calls a snapshot. What was verified is recorded
//! in the mirror's folder, so that the next process need not read it again; a
//! record that is lost or torn costs no more than that.
//!
//! Who reads a file holds a shared lock on it, and who removes one takes it
//! exclusively first.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, Metadata};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::publish::Draft;
use crate::log::hash::Hash;
use crate::log::manifest::{Manifest, Sealed};
use crate::record::hex;

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
    fn of(meta: &Metadata) -> Option<Stat> {
        use std::os::unix::fs::MetadataExt;
        meta.is_file().then(|| Stat {
            file: (meta.dev(), meta.ino()),
            bytes: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    #[cfg(not(unix))]
    fn of(meta: &Metadata) -> Option<Stat> {
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

    fn at(path: &Path) -> Option<Stat> {
        Stat::of(&fs::symlink_metadata(path).ok()?)
    }
}

/// The files that were verified, and those that were found to be others.
#[derive(Default)]
pub(super) struct Trust {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    verified: HashMap<String, (Stat, Hash)>,
    /// The record in the folder was read.
    loaded: bool,
    bad: HashSet<String>,
}

/// A file that is what was written, and stays at its path while this is there.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) path: PathBuf,
    file: File,
    stat: Stat,
}

impl Held {
    /// The file, to be read.
    pub(super) fn file(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// True when the file is still at its path as it was verified. Asked after it
    /// was read: somebody may have altered it meanwhile.
    pub(crate) fn is_there(&self) -> bool {
        Stat::at(&self.path) == Some(self.stat)
    }

    /// True when something else is at its path than what was verified. A file
    /// that was removed while it was read is no harm to who had it open.
    pub(crate) fn is_altered(&self) -> bool {
        Stat::at(&self.path).is_some_and(|stat| stat != self.stat)
    }
}

/// Where verified files are recorded.
const RECORD: &str = "verified";

impl Trust {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a file for reading; `None` when it is not what the manifest says.
    pub(super) fn hold(&self, folder: &Path, sealed: &Sealed) -> Option<Held> {
        let held = self.verify(folder, sealed);
        let mut known = self.lock();
        if held.is_none() {
            known.bad.insert(sealed.file.clone());
        } else if !known.bad.is_empty() {
            known.bad.remove(&sealed.file);
        }
        held
    }

    /// The same, whatever was verified before; nothing is recorded.
    pub(super) fn hold_anew(folder: &Path, sealed: &Sealed) -> Option<Held> {
        let (held, stat) = Trust::open(folder, sealed)?;
        Trust::matches(&held, sealed, stat).then_some(held)
    }

    fn verify(&self, folder: &Path, sealed: &Sealed) -> Option<Held> {
        let (held, stat) = Trust::open(folder, sealed)?;
        if !self.knows(folder, sealed, stat) {
            Trust::matches(&held, sealed, stat).then_some(())?;
            self.remember(folder, sealed, stat);
        }
        Some(held)
    }

    /// Opens a file of the size that was written, and locks it.
    fn open(folder: &Path, sealed: &Sealed) -> Option<(Held, Stat)> {
        let path = folder.join(&sealed.file);
        // Before it is opened: what is no file of this size may be anything.
        Stat::at(&path).filter(|stat| stat.bytes == sealed.bytes)?;
        let file = File::open(&path).ok()?;
        if let Err(fs::TryLockError::WouldBlock) = file.try_lock_shared() {
            return None;
        }
        let stat = Stat::of(&file.metadata().ok()?)?;
        // What lost its name while it was being locked is on its way out.
        (Stat::at(&path)? == stat && stat.bytes == sealed.bytes).then_some(())?;
        Some((Held { path, file, stat }, stat))
    }

    /// Hashes a file. The times came first: what moves while it is read shows.
    fn matches(held: &Held, sealed: &Sealed, stat: Stat) -> bool {
        let mut hasher = blake3::Hasher::new();
        let read = hasher.update_reader(&held.file).is_ok();
        read && hasher.finalize().as_bytes() == &sealed.hash && Stat::at(&held.path) == Some(stat)
    }

    fn knows(&self, folder: &Path, sealed: &Sealed, stat: Stat) -> bool {
        let mut known = self.lock();
        if !std::mem::replace(&mut known.loaded, true) {
            let recorded = fs::read_to_string(folder.join(RECORD)).unwrap_or_default();
            for (file, entry) in recorded.lines().filter_map(parse) {
                known.verified.entry(file).or_insert(entry);
            }
        }
        known.verified.get(&sealed.file) == Some(&(stat, sealed.hash))
    }

    fn remember(&self, folder: &Path, sealed: &Sealed, stat: Stat) {
        let mut known = self.lock();
        let entry = (stat, sealed.hash);
        known.verified.insert(sealed.file.clone(), entry);
        drop(known);
        self.record(folder);
    }

    /// Remembers a file that this process has just written.
    pub(super) fn written(&self, folder: &Path, sealed: &Sealed) {
        if let Some(stat) = Stat::at(&folder.join(&sealed.file)) {
            self.remember(folder, sealed, stat);
        }
    }

    /// Forgets what the manifest no longer names, and tells which of its files
    /// were found to be others.
    pub(super) fn bad(&self, manifest: &Manifest) -> HashSet<String> {
        let names: HashSet<&str> = manifest.files.iter().map(|s| s.file.as_str()).collect();
        let mut known = self.lock();
        known
            .verified
            .retain(|file, _| names.contains(file.as_str()));
        known.bad.retain(|file| names.contains(file.as_str()));
        known.bad.clone()
    }

    /// True when a file was found to be another since it was last rewritten.
    pub(super) fn has_bad(&self) -> bool {
        !self.lock().bad.is_empty()
    }

    /// Writes the record down; no matter when it cannot be.
    fn record(&self, folder: &Path) {
        let known = self.lock();
        let lines: Vec<String> = known.verified.iter().map(line).collect();
        drop(known);
        let written = Draft::create(folder).and_then(|mut draft| {
            let text = lines.concat();
            draft
                .write_all(text.as_bytes())
                .map_err(|error| crate::error::Error::io(folder, error))?;
            draft.replace(RECORD)
        });
        if let Err(error) = written {
            tracing::debug!(%error, "what was verified is not recorded");
        }
    }
}

/// One file of the record. A line that was torn has not all its words, or a
/// hash that is no file's.
fn line((file, (stat, hash)): (&String, &(Stat, Hash))) -> String {
    let Stat {
        file: (device, inode),
        bytes,
        modified: (ms, mn),
        changed: (cs, cn),
    } = stat;
    let hash = hex(hash);
    format!("{file} {device} {inode} {bytes} {ms} {mn} {cs} {cn} {hash}\n")
}

fn parse(line: &str) -> Option<(String, (Stat, Hash))> {
    let words: Vec<&str> = line.split(' ').collect();
    let [file, device, inode, bytes, ms, mn, cs, cn, hash] = words[..] else {
        return None;
    };
    let stat = Stat {
        file: (device.parse().ok()?, inode.parse().ok()?),
        bytes: bytes.parse().ok()?,
        modified: (ms.parse().ok()?, mn.parse().ok()?),
        changed: (cs.parse().ok()?, cn.parse().ok()?),
    };
    let hash = *blake3::Hash::from_hex(hash).ok()?.as_bytes();
    Some((file.to_owned(), (stat, hash)))
}
