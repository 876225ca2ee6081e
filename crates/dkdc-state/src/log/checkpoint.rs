//! Checkpoints: what the `-wal` holds is moved into the file.

use std::time::Duration;

use rusqlite::Connection;

use super::DbResult;
use crate::error::Result;

/// How far a checkpoint came.
pub(crate) struct Checkpointed {
    /// True when the file alone is complete.
    pub(crate) complete: bool,
}

/// Moves what the `-wal` holds into the file, without waiting for readers.
pub(crate) fn passive(conn: &Connection) -> Result<Checkpointed> {
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let (busy, log, done): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Checkpointed {
            complete: busy == 0 && log == done,
        })
    })
    .db()
}

/// Pages that the `-wal` holds and the file does not have yet.
pub(crate) fn backlog(conn: &Connection) -> Result<i64> {
    conn.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| {
        Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
    })
    .db()
}

/// The same, and begins the `-wal` anew: writers wait meanwhile, and this call
/// waits for readers so long. The connection then has its `usual` patience again.
pub(crate) fn truncate(
    conn: &Connection,
    patience: Duration,
    usual: Duration,
) -> Result<Checkpointed> {
    conn.busy_timeout(patience).db()?;
    let done = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        let busy: i64 = row.get(0)?;
        Ok(Checkpointed {
            complete: busy == 0,
        })
    });
    // Also when it failed.
    conn.busy_timeout(usual).db()?;
    done.db()
}
