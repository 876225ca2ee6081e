//! Wiping: the file without what was deleted, and its space given back.
//!
//! SQLite overwrites a deleted cell, but when it moves cells between pages,
//! copies stay behind in parts of pages that nothing uses; free pages keep what
//! they held, and the `-wal` keeps what was before. So the whole file is written
//! anew from what is there (VACUUM), and the `-wal` is emptied; both for good, also
//! when the power goes. A file of an
//! original, which had no way to give pages back, gets one by it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;

use super::identity::beside;
use super::{DbResult, Store, checkpoint, erase, spill};
use crate::error::Result;

/// What was cut off from a file, or removed from a folder, is not there again after a
/// power loss. Nothing of SQLite's is locked in either.
fn sync(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(path) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// What a vacuum achieved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vacuumed {
    /// Bytes of the file, its `-wal` and its mirror before.
    pub before: u64,
    /// The same after.
    pub after: u64,
    /// Where bytes of what was deleted may still be, and why.
    pub left: Vec<String>,
}

impl Store {
    /// Wipes the file, the `-wal`, the mirror's folder and what questions spilled.
    pub(crate) fn vacuum(&self) -> Result<Vacuumed> {
        self.refuse_inside()?;
        self.refuse_unwritable()?;
        let mut vacuumed = Vacuumed {
            before: self.bytes(),
            ..Vacuumed::default()
        };
        for file in self.sweep_mirror()? {
            let why = "is being read or written by a process; it goes when that ends";
            vacuumed.left.push(format!("{} {why}", file.display()));
        }
        let spill = spill::folder(&self.path);
        let mut changed = vec![crate::mirror::folder(&self.path)];
        if spill.exists() {
            changed.extend(spill.parent().map(Path::to_owned));
            changed.push(spill);
        }
        for file in spill::sweep(&self.path) {
            let why = "is what a question spilled; it goes when that process ends or asks again";
            vacuumed.left.push(format!("{} {why}", file.display()));
        }
        let emptied = self.group().on_writer(self, |conn| {
            self.verify_identity()?;
            erase::name_originals(conn)?;
            conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")
                .db()?;
            conn.execute_batch("VACUUM").db()?;
            self.empty_wal(conn)
        });
        let emptied = emptied.map_err(|error| self.locate(error))?;
        let wal = beside(&self.path, "-wal");
        if emptied {
            changed.push(wal);
        } else {
            let why = "keeps what was: somebody reads an older version of the file; \
                       vacuum again when they have ended";
            vacuumed.left.push(format!("{} {why}", wal.display()));
        }
        for path in changed {
            if let Err(error) = sync(&path) {
                let why = "may have again what was removed when the power goes";
                let left = format!("{} {why}: {error}", path.display());
                vacuumed.left.push(left);
            }
        }
        vacuumed.after = self.bytes();
        Ok(vacuumed)
    }

    /// Empties the `-wal`: readers of older versions are waited for as long as
    /// for a writer, in turns with other writers.
    fn empty_wal(&self, conn: &Connection) -> Result<bool> {
        let patience = self.config.busy_timeout;
        let since = Instant::now();
        let turn = patience.min(super::idle::PATIENCE);
        loop {
            match checkpoint::truncate(conn, turn, patience) {
                Ok(checkpoint) if checkpoint.complete => return Ok(true),
                Ok(_) if since.elapsed() >= patience => return Ok(false),
                Ok(_) => std::thread::sleep(turn / 8),
                Err(error) => return Err(error),
            }
        }
    }

    /// Bytes of the file and of what belongs to it.
    pub(super) fn bytes(&self) -> u64 {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
        let folder = crate::mirror::folder(&self.path);
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mirror: u64 = entries.map(|entry| size(&entry.path())).sum();
        size(&self.path) + size(&beside(&self.path, "-wal")) + mirror
    }
}
