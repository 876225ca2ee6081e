//! The mirror in a process that only reads: whoever asks brings it up to date.

use std::sync::PoisonError;
use std::time::Instant;

use super::Mirror;
use super::keeper::{Keeper, RETRY, Seen};
use crate::error::Result;
use crate::log::Store;

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
