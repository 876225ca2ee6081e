//! Memory and disk that SQLite holds without need.

use std::time::Duration;

use rusqlite::Connection;

use super::{DbResult, Store, checkpoint, open};
use crate::error::Result;

/// Pages given back in one transaction: others write in between.
const PAGES: i64 = 4096;

/// Room for the pages of one transaction that writes content.
const SMALL_CACHE_KIB: i64 = 24 << 10;

/// Lets go of the pages that a connection keeps in memory.
pub(crate) fn shrink(conn: &Connection) -> Result<()> {
    conn.execute_batch("PRAGMA shrink_memory").db()
}

/// Gives back some pages: a step of the statement is a page.
fn release(conn: &Connection) -> Result<()> {
    let mut statement = conn
        .prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))
        .db()?;
    let mut rows = statement.query([]).db()?;
    while rows.next().db()?.is_some() {}
    Ok(())
}

fn free_pages(conn: &Connection) -> Result<i64> {
    conn.query_row("PRAGMA freelist_count", [], |row| row.get(0))
        .db()
}

impl Store {
    /// Runs what writes many pages that nobody reads again soon: the writer keeps
    /// fewer of them in memory meanwhile.
    pub(crate) fn with_small_cache<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let keep = |kib: i64| {
            self.group.on_writer(self, |conn| {
                conn.pragma_update(None, "cache_size", -kib).db()
            })
        };
        keep(SMALL_CACHE_KIB)?;
        let result = run();
        let restored = keep(open::CACHE_KIB);
        result.and_then(|value| restored.map(|()| value))
    }

    /// Gives pages that hold nothing back to the file system. A file that was
    /// adopted keeps them for later writes: its `auto_vacuum` is off.
    pub(crate) fn release_pages(&self) -> Result<()> {
        loop {
            let left = self.write(|tx| {
                let before = free_pages(tx.conn)?;
                release(tx.conn)?;
                let after = free_pages(tx.conn)?;
                Ok(if after < before { after } else { 0 })
            })?;
            if left == 0 {
                break;
            }
        }
        // Readers are not waited for; the writer waits for others as before.
        self.group.on_writer(self, |conn| {
            checkpoint::truncate(conn, Duration::ZERO, self.config.busy_timeout).map(|_| ())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    /// The failure to prevent: pages were given back, and from then on every write
    /// that meets another process's is refused at once.
    #[test]
    fn the_writer_is_as_patient_as_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = State::open(folder.path().join("data.db")).expect("a store");
        let store = state.store();
        let patience = || {
            store.group.on_writer(store, |conn| {
                conn.query_row("PRAGMA busy_timeout", [], |row| row.get::<_, i64>(0))
                    .db()
            })
        };
        let before = patience().expect("a timeout");
        store.release_pages().expect("released");
        assert_eq!((before, patience().expect("a timeout")), (30_000, 30_000));
        state.vacuum().expect("room");
        assert_eq!(patience().expect("a timeout"), 30_000);
    }
}
