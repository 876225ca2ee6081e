//! Memory and disk that SQLite holds without need.

use super::{DbResult, Store};
use crate::error::Result;

/// Pages given back in one transaction: others write in between.
const PAGES: i64 = 4096;

impl Store {
    /// Lets go of the pages that the writer keeps in memory.
    pub(crate) fn shrink_writer(&self) -> Result<()> {
        self.group
            .on_writer(self, |conn| conn.execute_batch("PRAGMA shrink_memory").db())
    }

    /// Gives pages that hold nothing back to the file system. A file that was
    /// adopted keeps them for later writes: its `auto_vacuum` is off.
    pub(crate) fn release_pages(&self) -> Result<()> {
        loop {
            let left = self.write(|tx| {
                let free = |()| -> Result<i64> {
                    tx.conn
                        .query_row("PRAGMA freelist_count", [], |row| row.get(0))
                        .db()
                };
                let before = free(())?;
                let release = format!("PRAGMA incremental_vacuum({PAGES})");
                tx.conn.execute_batch(&release).db()?;
                let after = free(())?;
                Ok(if after < before { after } else { 0 })
            })?;
            if left == 0 {
                break;
            }
        }
        self.group.checkpoint();
        Ok(())
    }
}
