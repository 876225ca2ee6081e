//! What a question needs of the mirror: files that are held for it, and the
//! ranges of the log that they lack.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Instant;

use super::keeper::{Keeper, RETRY, Seen};
use super::{Held, Mirror};
use crate::error::Result;
use crate::log::Store;
use crate::log::manifest::Manifest;
use crate::record::Idx;

/// From where the versions of one table are read, up to any snapshot: files
/// for what can be trusted, the log for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// The rows that were current at a version.
    pub(crate) current: Option<Current>,
    /// Files of history, by absolute paths.
    pub(crate) files: Vec<Piece>,
    /// Where a file holds older rows than are wanted: what is wanted is newer.
    pub(crate) newer_than: Option<Idx>,
    /// Ranges of the log: after the one, up to the other.
    pub(crate) ranges: Vec<(Idx, Idx)>,
}

/// The file of a table's current rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) path: PathBuf,
    /// The version at which they were current.
    pub(crate) upto: Idx,
    pub(crate) bytes: u64,
}

/// One file of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) path: PathBuf,
    pub(crate) after: Idx,
    pub(crate) upto: Idx,
}

impl Pieces {
    /// What is newer than a version.
    pub(crate) fn newer(&self, than: Idx) -> Pieces {
        let files = self.files.iter().filter(|piece| piece.upto > than);
        let files: Vec<Piece> = files.cloned().collect();
        let ranges = self.ranges.iter().filter(|(_, upto)| *upto > than);
        Pieces {
            current: None,
            newer_than: files.iter().any(|piece| piece.after < than).then_some(than),
            files,
            ranges: ranges
                .map(|(after, upto)| ((*after).max(than), *upto))
                .collect(),
        }
    }
}

impl Mirror {
    /// The pieces of one table. Its files stay while `held` has them.
    pub(crate) fn pieces(&self, manifest: &Manifest, table: u32, held: &mut Vec<Held>) -> Pieces {
        let mut pieces = Pieces::default();
        let mut at = Idx::from_micros(i64::MIN);
        for sealed in manifest.history(table) {
            match self.hold(sealed) {
                Some(file) => {
                    pieces.files.push(Piece {
                        path: file.path.clone(),
                        after: sealed.after,
                        upto: sealed.upto,
                    });
                    held.push(file);
                }
                None => pieces.ranges.push((at, sealed.upto)),
            }
            at = sealed.upto;
        }
        pieces.ranges.push((at, Idx::from_micros(i64::MAX)));
        if let Some(sealed) = manifest.current(table)
            && let Some(file) = self.hold(sealed)
        {
            pieces.current = Some(Current {
                path: file.path.clone(),
                upto: sealed.upto,
                bytes: sealed.bytes,
            });
            held.push(file);
        }
        pieces
    }
}

impl Mirror {
    fn failed_lately(&self) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|at| at.elapsed() < RETRY)
    }

    /// Remembers how an attempt to write files ended.
    fn ended<T>(&self, result: &Result<T>) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = result.is_err().then(Instant::now);
    }
}

impl Store {
    /// Brings the mirror up to date: now, in a process that only reads, and by
    /// the thread that does it, in one that writes. True: now, and something
    /// may have changed.
    pub(crate) fn keep_mirror(&self) -> Result<bool> {
        let mirror = self.mirror();
        if self.read_only.is_some() {
            return Ok(false);
        }
        if self.writes() {
            if mirror.trust.has_bad() {
                self.keeper.wake();
            }
            return Ok(false);
        }
        // What failed would fail again, after much work perhaps.
        if mirror.failed_lately() {
            return Ok(false);
        }
        // Another thread is at it: this one reads what there is.
        let Ok(_at_work) = mirror.at_work.try_lock() else {
            return Ok(false);
        };
        let seen = self.read(|conn, catalog| Seen::read(mirror, conn, catalog))?;
        let numbers = 1..=u32::try_from(seen.tails.len()).unwrap_or(0);
        let due = mirror.trust.has_bad()
            || numbers
                .into_iter()
                .any(|n| seen.table(n, self.config.seal_rows).due().is_some());
        if due {
            let kept = Keeper::open(self.keeper.site.clone()).and_then(|mut keeper| keeper.keep());
            mirror.ended(&kept);
            kept?;
        }
        Ok(due)
    }
}
