//! The records that were current at a version, as their versions' numbers.

use rusqlite::Connection;

use crate::error::Result;
use crate::log::catalog::TableMeta;
use crate::log::{DbResult, moment};
use crate::record::{Idx, Op};

/// Fills `temp._dkdc_asof` with the rows that were current at a version: going back
/// from it, those that no row met before has replaced.
pub(super) fn collect_as_of(conn: &Connection, meta: &TableMeta, asof: Idx) -> Result<()> {
    conn.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS _dkdc_asof(idx INTEGER PRIMARY KEY); DELETE FROM temp._dkdc_asof",
    )
    .db()?;
    let sql = format!(
        "SELECT idx, _prev, _op FROM {} WHERE idx <= ?1 ORDER BY idx DESC",
        meta.sql.table
    );
    let mut statement = conn.prepare_cached(&sql).db()?;
    let mut insert = conn
        .prepare_cached("INSERT INTO temp._dkdc_asof(idx) VALUES (?1)")
        .db()?;
    let mut rows = statement.query([asof.as_micros()]).db()?;
    let mut replaced = std::collections::HashSet::new();
    while let Some(row) = rows.next().db()? {
        let (idx, prev, op): (i64, Option<i64>, i64) =
            (row.get(0).db()?, row.get(1).db()?, row.get(2).db()?);
        replaced.extend(prev);
        let live = Op::from_code(op).is_some_and(Op::is_live);
        if !replaced.remove(&idx) && live {
            insert.execute([idx]).db()?;
        }
    }
    Ok(())
}

/// How many records were current at a version.
pub(crate) fn count_as_of(conn: &Connection, meta: &TableMeta, asof: Idx) -> Result<u64> {
    moment::check_floor(meta, asof)?;
    collect_as_of(conn, meta, asof)?;
    let count: i64 = conn
        .query_row("SELECT count(*) FROM temp._dkdc_asof", [], |row| row.get(0))
        .db()?;
    Ok(u64::try_from(count).unwrap_or(0))
}
