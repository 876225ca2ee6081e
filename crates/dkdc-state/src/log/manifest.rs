//! The manifest of the mirror: which files hold which rows.
//!
//! A row of `_dkdc_mirror` says everything about one file: its table, what it
//! holds, the versions it covers, its size and its BLAKE3, and the newest event
//! when it was written. The files of a table's history cover ranges that meet
//! without a gap, so the newest `upto` is the table's watermark.

use rusqlite::Connection;

use super::DbResult;
use super::hash::Hash;
use super::writer::Tx;
use crate::error::Result;
use crate::record::Idx;

/// One file of the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Its name in the mirror's folder.
    pub(crate) file: String,
    pub(crate) table: u32,
    /// It covers versions after this one ...
    pub(crate) after: Idx,
    /// ... up to this one.
    pub(crate) upto: Idx,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) hash: Hash,
}

/// The kind of file that holds every version of a range.
const HISTORY: &str = "history";

/// Every file of history, by table and range.
pub(crate) fn read(conn: &Connection) -> Result<Vec<Sealed>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT file, \"table\", after, upto, rows, bytes, hash FROM _dkdc_mirror \
             WHERE kind = ?1 ORDER BY \"table\", upto",
        )
        .db()?;
    let rows = statement
        .query_map([HISTORY], |row| {
            let count = |n: i64| u64::try_from(n).unwrap_or(0);
            Ok(Sealed {
                file: row.get(0)?,
                table: row.get(1)?,
                after: Idx(row.get(2)?),
                upto: Idx(row.get(3)?),
                rows: count(row.get(4)?),
                bytes: count(row.get(5)?),
                hash: row.get(6)?,
            })
        })
        .db()?;
    rows.collect::<rusqlite::Result<_>>().db()
}

/// The newest version of a table that the mirror has.
pub(crate) fn watermark(files: &[Sealed], table: u32) -> Idx {
    let of_table = files.iter().filter(|sealed| sealed.table == table);
    of_table
        .map(|sealed| sealed.upto)
        .max()
        .unwrap_or(Idx(i64::MIN))
}

/// How many rows a table has beyond its watermark, counted up to `limit`.
pub(crate) fn tail(conn: &Connection, table: &str, watermark: Idx, limit: u64) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE idx > ?1 LIMIT {limit})");
    let count: i64 = conn
        .prepare_cached(&sql)
        .and_then(|mut s| s.query_row([watermark.as_micros()], |row| row.get(0)))
        .db()?;
    Ok(u64::try_from(count).unwrap_or(0))
}

impl Tx<'_> {
    /// Enters a file, in place of one that is no longer sound or after all
    /// others of its table. False: another process was first, or the table was
    /// cleared meanwhile.
    pub(crate) fn enter(&mut self, sealed: &Sealed, replaces: Option<&Sealed>) -> Result<bool> {
        let files = read(self.conn)?;
        let floor = self.catalog.by_number(sealed.table)?.schema.floor;
        let due = match replaces {
            Some(old) => files.contains(old),
            None => watermark(&files, sealed.table) == sealed.after,
        };
        if !due || floor >= sealed.upto {
            return Ok(false);
        }
        if let Some(old) = replaces {
            self.conn
                .execute("DELETE FROM _dkdc_mirror WHERE file = ?1", [&old.file])
                .db()?;
        }
        let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.conn
            .execute(
                "INSERT INTO _dkdc_mirror(file, \"table\", kind, after, upto, rows, bytes, hash, event) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                (
                    &sealed.file,
                    sealed.table,
                    HISTORY,
                    sealed.after.as_micros(),
                    sealed.upto.as_micros(),
                    int(sealed.rows),
                    int(sealed.bytes),
                    sealed.hash,
                    self.catalog.event.as_micros(),
                ),
            )
            .db()?;
        Ok(true)
    }

    /// Takes every file of a table out of the manifest.
    pub(crate) fn forget(&mut self, table: u32) -> Result<()> {
        self.conn
            .execute("DELETE FROM _dkdc_mirror WHERE \"table\" = ?1", [table])
            .map(|_| ())
            .db()
    }
}
