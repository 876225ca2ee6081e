//! The order in which the rows of all tables happened.
//!
//! `idx` is text of more than one form in these files, so it is parsed first;
//! SQLite then sorts (idx, table, row) in a temporary table, which it keeps on
//! disk when it is large.

use std::path::Path;

use rusqlite::Connection;

use super::original::Original;
use super::{convert, not_adopted};
use crate::error::Result;
use crate::log::{DbResult, damaged};
use crate::record::Idx;
use crate::schema::sql::quote;

const CREATE: &str = "CREATE TEMP TABLE _dkdc_merge(
  idx INTEGER NOT NULL,
  place INTEGER NOT NULL,
  row INTEGER NOT NULL,
  PRIMARY KEY (idx, place, row)
) WITHOUT ROWID";

/// Sorts the rows of all tables, and returns the first one's time.
pub(super) fn sort(conn: &Connection, path: &Path, originals: &[Original]) -> Result<Option<Idx>> {
    conn.execute_batch(CREATE).db()?;
    let mut insert = conn
        .prepare("INSERT INTO temp._dkdc_merge(idx, place, row) VALUES (?1, ?2, ?3)")
        .db()?;
    for (place, original) in (0_u32..).zip(originals) {
        let sql = format!(
            "SELECT {}, idx FROM {}",
            original.rowid,
            quote(&original.name)
        );
        let mut statement = conn.prepare(&sql).db()?;
        let mut rows = statement.query([]).db()?;
        while let Some(row) = rows.next().db()? {
            let number: i64 = row.get(0).db()?;
            let idx = convert::idx(row.get_ref(1).db()?)
                .map_err(|why| not_adopted(path, original, number, why))?;
            insert.execute((idx.as_micros(), place, number)).db()?;
        }
    }
    let first: Option<i64> = conn
        .query_row("SELECT min(idx) FROM temp._dkdc_merge", [], |row| {
            row.get(0)
        })
        .db()?;
    Ok(first.map(Idx))
}

/// Calls `take` with each row's time, place of table and number, in order: by
/// time, then table, then row.
pub(super) fn each(
    conn: &Connection,
    mut take: impl FnMut(Idx, usize, i64) -> Result<()>,
) -> Result<()> {
    let mut statement = conn
        .prepare("SELECT idx, place, row FROM temp._dkdc_merge ORDER BY idx, place, row")
        .db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let place = usize::try_from(row.get::<_, i64>(1).db()?);
        let place = place.map_err(|_| damaged("BUG: a table before the first"))?;
        take(Idx(row.get(0).db()?), place, row.get(2).db()?)?;
    }
    Ok(())
}

/// Frees what sorting needed.
pub(super) fn forget(conn: &Connection) -> Result<()> {
    conn.execute_batch("DROP TABLE temp._dkdc_merge").db()
}
