//! Removing files that nobody reads and the manifest does not name.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::keeper::Keeper;
use super::publish::DRAFT;
use super::{Mirror, folder};
use crate::error::Result;
use crate::log::Store;
use crate::log::manifest::{self, Sealed};

impl Store {
    /// Removes files that the manifest no longer names. One that somebody reads
    /// is removed later.
    pub(crate) fn remove_files(&self, files: &[Sealed]) {
        for sealed in files {
            remove(&folder(&self.path).join(&sealed.file));
        }
    }
}

impl Store {
    /// Removes every file that the manifest does not name. Returns those that
    /// somebody reads or writes.
    pub(crate) fn sweep_mirror(&self) -> Result<Vec<PathBuf>> {
        Keeper::open(self.keeper.site.clone())?.sweep()
    }
}

impl Mirror {
    /// Remembers a file that this process has just written.
    pub(super) fn written(&self, sealed: &Sealed) {
        self.trust.written(&self.folder, sealed);
    }
}

impl Keeper {
    pub(super) fn remove(&self, file: &str) {
        remove(&self.site.mirror.folder.join(file));
    }

    /// Removes what was left behind: by a process that was killed, or since it
    /// was being read. A file that is being written is locked until the
    /// manifest names it, so the manifest is asked after the lock was got.
    ///
    /// Returns those that are locked, and so stay.
    pub(super) fn sweep(&mut self) -> Result<Vec<PathBuf>> {
        let mut locked = Vec::new();
        let Ok(entries) = fs::read_dir(&self.site.mirror.folder) else {
            return Ok(locked);
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_ours(name)) else {
                continue;
            };
            let path = entry.path();
            if self.read(|conn, _| manifest::names(conn, name))? {
                continue;
            }
            let Some(_locked) = lock(&path) else {
                if path.exists() {
                    locked.push(path);
                }
                continue;
            };
            if !self.read(|conn, _| manifest::names(conn, name))? {
                unlink(&path);
            }
        }
        Ok(locked)
    }
}

/// True for names that are given by nobody else.
fn is_ours(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let random = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(rest) = name.strip_prefix(DRAFT) {
        return random(rest);
    }
    let Some(stem) = name.strip_suffix(".parquet") else {
        return false;
    };
    match stem.split('-').collect::<Vec<_>>()[..] {
        [table, upto, end] | [table, "current", upto, end] => {
            number(table) && number(upto) && random(end)
        }
        _ => false,
    }
}

/// A file that nobody reads or writes.
fn lock(path: &Path) -> Option<File> {
    // Only what is a regular file: anything else is none of ours.
    fs::symlink_metadata(path)
        .ok()
        .filter(fs::Metadata::is_file)?;
    let file = File::open(path).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

fn remove(path: &Path) {
    if let Some(_locked) = lock(path) {
        unlink(path);
    }
}

fn unlink(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a file of the mirror stays behind");
    }
}
