//! Recent heads: those that the head tables do not have yet.
//!
//! A head table is a tree by id, and ids come in no order: keeping it up to date
//! in each commit would dirty a page for every row. So it lags behind the log:
//! `_dkdc_heads` says up to which version it is complete. The heads of newer
//! rows are in a temporary table of each connection, in memory, made from the
//! log's tail ([`catch_up`]); when they are many, when writes pause and on close
//! they are folded into the head table, in the order of ids ([`fold`]). The log stays the only truth: a process that
//! dies loses nothing, since the next one reads the tail again.
//!
//! What must hold: a head table has exactly the heads as of its `upto`; a
//! connection looks into its recent heads first, and only when they go up to the
//! newest row that its transaction sees. Everything a connection knows of them
//! is in its temporary tables, so that a rollback takes that back, too.

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::ToSqlOutput;

use super::DbResult;
use super::catalog::{Catalog, TableMeta};
use super::writer::run;
use crate::error::Result;
use crate::record::Idx;

/// So many recent heads are folded: few enough to read them from the log when a
/// process begins, enough for a fold to meet several heads on each page.
pub(crate) const MANY: u64 = 32_768;

/// Each connection's own tables: the recent heads of all tables, and up to where
/// it has them.
pub(super) const TABLES: &str = "
PRAGMA temp.journal_mode = MEMORY;
PRAGMA temp.cache_size = -32768;
CREATE TEMP TABLE _dkdc_recent(
  \"table\" INTEGER NOT NULL,
  id TEXT NOT NULL,
  idx INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  PRIMARY KEY (\"table\", id)
) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE _dkdc_seen(
  \"table\" INTEGER PRIMARY KEY,
  folded INTEGER NOT NULL,
  last INTEGER
) STRICT;
";

/// Up to which version the head table is complete.
pub(crate) fn folded(conn: &Connection, meta: &TableMeta) -> Result<i64> {
    conn.prepare_cached("SELECT coalesce(max(upto), 0) FROM _dkdc_heads WHERE \"table\" = ?1")
        .and_then(|mut s| s.query_row([meta.schema.number], |row| row.get(0)))
        .db()
}

/// What completing the recent heads took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CaughtUp {
    /// Rows of the log.
    pub(crate) rows: u64,
    /// Whether those that were known before are folded by now.
    pub(crate) anew: bool,
}

/// Makes the connection's recent heads of a table complete, inside its
/// transaction.
pub(crate) fn catch_up(conn: &Connection, meta: &TableMeta) -> Result<CaughtUp> {
    let fresh = conn
        .prepare_cached(&meta.sql.fresh)
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .db()?;
    if fresh {
        return Ok(CaughtUp::default());
    }
    let number = meta.schema.number;
    let folded = folded(conn, meta)?;
    let seen: Option<(i64, i64)> = {
        let mut statement = conn
            .prepare_cached(
                "SELECT folded, coalesce(last, 0) FROM temp._dkdc_seen WHERE \"table\" = ?1",
            )
            .db()?;
        let mut rows = statement.query([number]).db()?;
        match rows.next().db()? {
            Some(row) => Some((row.get(0).db()?, row.get(1).db()?)),
            None => None,
        }
    };
    let known = seen.filter(|(then, _)| *then == folded);
    let from = match known {
        Some((_, last)) => last,
        None => {
            forget(conn, number)?;
            folded
        }
    };
    let rows = conn
        .prepare_cached(&meta.sql.recent)
        .and_then(|mut s| s.execute([from]))
        .db()?;
    conn.prepare_cached(&meta.sql.seen)
        .and_then(|mut s| s.execute([folded]))
        .db()?;
    Ok(CaughtUp {
        rows: rows as u64,
        anew: known.is_none(),
    })
}

fn forget(conn: &Connection, table: u32) -> Result<()> {
    conn.prepare_cached("DELETE FROM temp._dkdc_recent WHERE \"table\" = ?1")
        .and_then(|mut s| s.execute([table]))
        .map(|_| ())
        .db()
}

/// Looks something up by `look`, which also says whether the recent heads were
/// complete; when they were not, completes them and looks again.
pub(crate) fn look_up<T>(
    conn: &Connection,
    meta: &TableMeta,
    look: impl Fn() -> Result<(T, bool)>,
) -> Result<T> {
    let (found, complete) = look()?;
    if complete {
        return Ok(found);
    }
    if !conn.is_autocommit() {
        catch_up(conn, meta)?;
        return Ok(look()?.0);
    }
    run(conn, "BEGIN")?;
    let found = catch_up(conn, meta).and_then(|_| look());
    match found {
        Ok((found, _)) => run(conn, "COMMIT").map(|()| found),
        Err(error) => run(conn, "ROLLBACK").and(Err(error)),
    }
}

/// Puts the recent heads of a table into its head table, inside a write
/// transaction. They must be complete.
pub(crate) fn fold(conn: &Connection, meta: &TableMeta) -> Result<()> {
    {
        // Row by row: of a statement that writes many rows, SQLite keeps every
        // page as it was, to take back that statement alone.
        let mut recent = conn.prepare_cached(&meta.sql.recent_heads).db()?;
        let mut fold = conn.prepare_cached(&meta.sql.fold).db()?;
        let mut rows = recent.query([]).db()?;
        while let Some(row) = rows.next().db()? {
            for at in 0..3 {
                let value = ToSqlOutput::Borrowed(row.get_ref(at).db()?);
                fold.raw_bind_parameter(at + 1, value).db()?;
            }
            fold.raw_execute().db()?;
        }
    }
    match newest(conn, meta)? {
        Some(upto) => complete(conn, meta.schema.number, Idx(upto)),
        None => Ok(()),
    }
}

/// Remembers that a head table is complete up to a version; what newer rows
/// there are is read again.
pub(crate) fn complete(conn: &Connection, table: u32, upto: Idx) -> Result<()> {
    forget(conn, table)?;
    conn.prepare_cached("INSERT OR REPLACE INTO _dkdc_heads(\"table\", upto) VALUES (?1, ?2)")
        .and_then(|mut s| s.execute((table, upto.as_micros())))
        .db()?;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO temp._dkdc_seen(\"table\", folded, last) VALUES (?1, ?2, ?2)",
    )
    .and_then(|mut s| s.execute((table, upto.as_micros())))
    .map(|_| ())
    .db()
}

/// Folds the recent heads of every table, in a transaction of its own.
pub(crate) fn fold_all(conn: &Connection) -> Result<()> {
    if behind(conn)?.is_empty() {
        return Ok(());
    }
    run(conn, "BEGIN IMMEDIATE")?;
    let folded = behind(conn).and_then(|due| {
        let mut tables = due.iter();
        tables.try_for_each(|meta| catch_up(conn, meta).and_then(|_| fold(conn, meta)))
    });
    match folded {
        Ok(()) => run(conn, "COMMIT"),
        Err(error) => run(conn, "ROLLBACK").and(Err(error)),
    }
}

/// The tables that have recent heads.
fn behind(conn: &Connection) -> Result<Vec<Arc<TableMeta>>> {
    let mut due = Vec::new();
    for meta in Catalog::read(conn)?.tables {
        let folded = folded(conn, &meta)?;
        if newest(conn, &meta)?.is_some_and(|newest| newest > folded) {
            due.push(meta);
        }
    }
    Ok(due)
}

fn newest(conn: &Connection, meta: &TableMeta) -> Result<Option<i64>> {
    conn.prepare_cached(&meta.sql.newest)
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .db()
}
