//! What a power loss may leave of files, by a recording of what was done to
//! them.
//!
//! What was written and synced is there. What was written since the last sync of
//! its file is there or not, write by write, in whole sectors; a new name and a
//! removal are certain once a file's first sync has synced the folder too. That
//! is what SQLite assumes of a disk, and no more.

pub mod keeping;
mod survive;

pub use survive::{Losses, run};

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::random::Random;
use crate::vfs::Event;

/// The least that a disk writes as one.
const SECTOR: usize = 512;

/// The files as they are for the system, and what of them is certain.
#[derive(Clone, Debug, Default)]
pub struct Disk(BTreeMap<PathBuf, OneFile>);

#[derive(Clone, Debug, Default)]
struct OneFile {
    /// What is on the disk.
    certain: Vec<u8>,
    /// What may be.
    pending: Vec<Change>,
    /// The name is on the disk.
    named: bool,
    /// Removed, but the folder was not synced.
    removed: bool,
    /// The file of this name that was removed before, while that is not certain.
    ghost: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

/// What of the uncertain is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing.
    All,
    /// Everything: as after a kill.
    Nothing,
    /// Each write, or sectors of it, by chance.
    Some,
}

impl Loss {
    /// Whether one thing that is not certain is there.
    fn keeps(self, random: &mut Random) -> bool {
        match self {
            Loss::All => false,
            Loss::Nothing => true,
            Loss::Some => random.one_in(2),
        }
    }
}

impl Disk {
    /// With files that are on the disk.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn with(paths: &[PathBuf]) -> io::Result<Disk> {
        let mut disk = Disk::default();
        for path in paths {
            let file = disk.file(path);
            (file.certain, file.named) = (std::fs::read(path)?, true);
        }
        Ok(disk)
    }

    /// What no recording has: a file whose name begins so was renamed, and its folder
    /// synced.
    pub fn publish(&mut self, beginning: &Path, to: &Path) {
        let beginning = beginning.as_os_str().as_encoded_bytes();
        let is_it = |path: &&PathBuf| path.as_os_str().as_encoded_bytes().starts_with(beginning);
        let from = self.0.keys().find(is_it).cloned();
        if let Some(mut file) = from.and_then(|from| self.0.remove(&from)) {
            file.named = true;
            self.0.insert(to.to_owned(), file);
        }
    }

    /// One more thing was done.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Made(path) => {
                let before = self.0.remove(path).filter(|file| file.removed);
                let ghost = before.filter(|file| file.named).map(|file| file.certain);
                let file = OneFile {
                    ghost,
                    ..OneFile::default()
                };
                self.0.insert(path.clone(), file);
            }
            Event::Wrote(path, at, bytes) => {
                let change = Change::Write(position(*at), bytes.clone());
                self.file(path).pending.push(change);
            }
            Event::Cut(path, len) => self.file(path).pending.push(Change::Cut(position(*len))),
            Event::Synced(path) => {
                let file = self.file(path);
                file.sync();
                if !std::mem::replace(&mut file.named, true) {
                    self.sync_folder();
                }
            }
            Event::BytesSynced(path) => {
                // Files of others are synced too.
                if let Some(file) = self.0.get_mut(path) {
                    file.sync();
                }
            }
            Event::FolderSynced(folder) => {
                let is_in = |file: &PathBuf| file.parent() == Some(folder);
                if self.0.keys().any(is_in) {
                    self.sync_folder();
                }
            }
            Event::Removed(path, synced) => {
                self.file(path).removed = true;
                if *synced {
                    self.sync_folder();
                }
            }
            Event::Acknowledged(_) => {}
        }
    }

    fn file(&mut self, path: &Path) -> &mut OneFile {
        self.0.entry(path.to_owned()).or_default()
    }

    fn sync_folder(&mut self) {
        self.0.retain(|_, file| !file.removed);
        for file in self.0.values_mut() {
            file.named = true;
            file.ghost = None;
        }
    }

    /// Writes into `folder` what a power loss now may leave.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn lose(&self, loss: Loss, random: &mut Random, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (path, file) in &self.0 {
            let content = file.after(loss, random);
            if let (Some(content), Some(name)) = (content, path.file_name()) {
                std::fs::write(folder.join(name), content)?;
            }
        }
        Ok(())
    }
}

impl OneFile {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            change.apply(&mut self.certain, 0, usize::MAX);
        }
    }

    fn after(&self, loss: Loss, random: &mut Random) -> Option<Vec<u8>> {
        if !self.named && !loss.keeps(random) {
            return self.ghost.clone();
        }
        if self.removed && loss.keeps(random) {
            return None;
        }
        let mut content = self.certain.clone();
        for change in &self.pending {
            if !loss.keeps(random) {
                continue;
            }
            let (mut from, mut to) = (0, usize::MAX);
            if let (Loss::Some, Change::Write(_, bytes)) = (loss, change)
                && random.one_in(3)
            {
                // The head landed on some sectors only.
                let sectors = bytes.len() / SECTOR + 1;
                from = random.index(sectors) * SECTOR;
                to = from + random.index(sectors) * SECTOR;
            }
            change.apply(&mut content, from, to);
        }
        Some(content)
    }
}

impl Change {
    /// Of a write, the bytes `from..to` of it.
    fn apply(&self, content: &mut Vec<u8>, from: usize, to: usize) {
        match self {
            Change::Cut(len) => content.resize(*len, 0),
            Change::Write(at, bytes) => {
                let to = to.min(bytes.len());
                if from >= to {
                    return;
                }
                if content.len() < at + to {
                    content.resize(at + to, 0);
                }
                content[at + from..at + to].copy_from_slice(&bytes[from..to]);
            }
        }
    }
}

fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(events: &[Event], loss: Loss) -> Vec<(String, Vec<u8>)> {
        let mut disk = Disk::default();
        events.iter().for_each(|event| disk.apply(event));
        let folder = tempfile::tempdir().expect("a folder");
        let mut random = Random::new(1);
        disk.lose(loss, &mut random, folder.path()).expect("files");
        let files = std::fs::read_dir(folder.path()).expect("a folder");
        let mut files: Vec<_> = files
            .map(|file| {
                let path = file.expect("a file").path();
                let name = path.file_name().expect("a name").to_string_lossy();
                (name.into_owned(), std::fs::read(&path).expect("a file"))
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn what_was_synced_is_there_and_the_rest_as_chance_will() {
        let path = || PathBuf::from("/a/f");
        let mut events = vec![
            Event::Made(path()),
            Event::Wrote(path(), 0, b"abcd".to_vec()),
        ];
        assert_eq!(left(&events, Loss::All), []);
        assert_eq!(
            left(&events, Loss::Nothing),
            [("f".into(), b"abcd".to_vec())]
        );
        events.push(Event::Synced(path()));
        events.push(Event::Wrote(path(), 2, b"XYZ".to_vec()));
        events.push(Event::Cut(path(), 4));
        assert_eq!(left(&events, Loss::All), [("f".into(), b"abcd".to_vec())]);
        assert_eq!(
            left(&events, Loss::Nothing),
            [("f".into(), b"abXY".to_vec())]
        );
    }

    #[test]
    fn what_others_sync_is_the_bytes_or_the_names() {
        let path = || PathBuf::from("/a/f");
        let mut events = vec![
            Event::Made(path()),
            Event::Wrote(path(), 0, b"abcd".to_vec()),
            Event::BytesSynced(path()),
            Event::FolderSynced("/b".into()),
        ];
        assert_eq!(left(&events, Loss::All), []);
        events.push(Event::FolderSynced("/a".into()));
        assert_eq!(left(&events, Loss::All), [("f".into(), b"abcd".to_vec())]);
    }

    #[test]
    fn a_removal_is_certain_when_the_folder_was_synced() {
        let path = || PathBuf::from("/a/f");
        let mut events = vec![
            Event::Made(path()),
            Event::Wrote(path(), 0, b"old".to_vec()),
            Event::Synced(path()),
            Event::Removed(path(), false),
        ];
        assert_eq!(left(&events, Loss::All), [("f".into(), b"old".to_vec())]);
        assert_eq!(left(&events, Loss::Nothing), []);
        events.push(Event::Made(path()));
        events.push(Event::Wrote(path(), 0, b"new".to_vec()));
        assert_eq!(left(&events, Loss::All), [("f".into(), b"old".to_vec())]);
        events.push(Event::Synced(path()));
        assert_eq!(left(&events, Loss::All), [("f".into(), b"new".to_vec())]);
    }
}
