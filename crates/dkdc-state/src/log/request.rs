//! Requests: writes that carry a key, so that they can be tried again.
//!
//! `_dkdc_requests` keeps for each key what was answered: the versions, and a
//! hash of what was asked. The key itself is not kept, only its hash, which is
//! bound to the store. A row is written in the transaction of the versions.

use rusqlite::Connection;

use super::DbResult;
use crate::error::Result;
use crate::record::Idx;

/// Forgets what was asked in the request that made a version, since that was
/// erased; that it was answered stays known.
pub(crate) fn forget(conn: &Connection, idx: Idx) -> Result<()> {
    conn.prepare_cached("UPDATE _dkdc_requests SET print = NULL WHERE first <= ?1 AND last >= ?1")
        .and_then(|mut s| s.execute([idx.as_micros()]))
        .map(|_| ())
        .db()
}
