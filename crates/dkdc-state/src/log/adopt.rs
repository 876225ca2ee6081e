//! Adoption: a file that the original Python packages wrote becomes a store.
//!
//! All its tables together, in the write transaction of [`super::open`]: their
//! rows are merged by `idx` into one strictly increasing sequence, and each
//! table becomes a log table of the same name, with every version chained to
//! the one before. What must hold:
//!
//! - Every row is taken over, exactly, or nothing is and the row is named.
//! - The old tables stay, whole, as `<name>_original`; nothing reads them.
//! - Memory stays flat: the order is sorted by SQLite, in a temporary table.
//!
//! [`original`] knows what the original packages made, [`convert`] what their
//! values mean, [`merge`] in which order they come.

mod convert;
mod merge;
mod original;
pub(super) use original::row_number;
mod table;

use std::path::Path;

use rusqlite::Connection;
use serde_json::json;

use super::append::Scribe;
use super::catalog::Catalog;
use super::event::EventKind;
use super::format::FORMAT;
use super::{DbResult, alter, event, migrate};
use crate::error::{Error, Result};
use crate::record::{Idx, Op};
use original::Original;
use table::Adoption;

/// Whether the file is one that the original packages wrote; if not, why not.
/// Looks at the tables, not at their rows.
pub(crate) fn recognise(conn: &Connection) -> Result<Result<(), String>> {
    Ok(original::all(conn)?.map(|_| ()))
}

/// Makes the file a store, inside the connection's transaction.
///
/// # Errors
/// [`Error::NotAdopted`], with the row that cannot be taken over; the caller
/// rolls back.
pub(crate) fn adopt(conn: &Connection, path: &Path, now: i64) -> Result<()> {
    let originals = original::all(conn)?.map_err(|why| Error::NotAStore {
        path: path.to_owned(),
        why,
    })?;
    original::refuse_dependents(conn, path, &originals)?;
    let first = merge::sort(conn, path, &originals)?;
    migrate::create(conn, now, Some(first.unwrap_or(Idx(now))))?;
    let store = Catalog::read(conn)?;
    let mut tables = (1..)
        .zip(&originals)
        .map(|(number, original)| Adoption::start(conn, path, &store.store_id, number, original))
        .collect::<Result<Vec<_>>>()?;
    let mut end = End {
        last: store.event,
        scribe: Scribe::default(),
    };
    merge::each(conn, |at, table, row| {
        let idx = end.next(at);
        tables[table].take(&mut end.scribe, row, idx, now)
    })?;
    let closed = close_duplicates(conn, &mut tables, &mut end, now)?;
    let idx = end.next(Idx(now));
    record_commit(
        conn,
        closed.first().map_or(idx, |closed| closed.idx),
        idx,
        now,
    )?;
    let detail = detail(conn, &store, &tables, &closed)?;
    event::insert(conn, &store.store_id, idx, EventKind::Adopt, None, &detail)?;
    for table in &mut tables {
        table.fold()?;
    }
    drop(tables);
    merge::forget(conn)?;
    tracing::info!(path = %path.display(), "adopted a file of the original packages");
    Ok(())
}

/// Where the store ends so far.
struct End {
    last: Idx,
    scribe: Scribe,
}

impl End {
    /// The number of what happened `at`: that, unless it is taken already.
    fn next(&mut self, at: Idx) -> Idx {
        self.last = at.max(Idx(self.last.as_micros() + 1));
        self.last
    }
}

/// A record that was closed because a newer one has the same name. By version: an
/// event can not be changed when a record is erased.
struct Closed {
    table: String,
    idx: Idx,
    kept: Idx,
}

/// Deletes all but the newest of the files with one user, path and name: the
/// original could make several.
fn close_duplicates(
    conn: &Connection,
    tables: &mut [Adoption<'_>],
    end: &mut End,
    now: i64,
) -> Result<Vec<Closed>> {
    let mut closed = Vec::new();
    for table in tables.iter_mut().filter(|table| table.original.is_lake()) {
        for (id, kept) in table.duplicates(conn)? {
            let idx = end.next(Idx(now));
            table.write(&mut end.scribe, &id, idx, Some(Op::Delete), &[])?;
            closed.push(Closed {
                table: table.original.name.clone(),
                idx,
                kept,
            });
        }
    }
    Ok(closed)
}

/// What adoption itself wrote is one commit: from the first record it closed to
/// its event. The rows that it took over are a commit each. The wall time is
/// recorded when the rows are from the future, by more than a second.
fn record_commit(conn: &Connection, first: Idx, last: Idx, now: i64) -> Result<()> {
    let behind = now < first.as_micros() - 1_000_000;
    if first == last && !behind {
        return Ok(());
    }
    conn.execute(
        "INSERT INTO _dkdc_commits(first, last, wall) VALUES (?1, ?2, ?3)",
        (first.as_micros(), last.as_micros(), behind.then_some(now)),
    )
    .map(|_| ())
    .db()
}

fn detail(
    conn: &Connection,
    store: &Catalog,
    tables: &[Adoption<'_>],
    closed: &[Closed],
) -> Result<serde_json::Value> {
    let schemas = alter::schema_hashes(conn, tables.len())?;
    let tables: Vec<_> = tables.iter().map(Adoption::detail).collect();
    let closed: Vec<_> = closed
        .iter()
        .map(|closed| {
            json!({
                "table": closed.table,
                "version": closed.idx.as_micros(),
                "kept": closed.kept.as_micros(),
            })
        })
        .collect();
    Ok(json!({
        "store": store.store_id.to_string(),
        "format": FORMAT,
        "tables": tables,
        "closed": closed,
        "schemas": schemas,
    }))
}

fn not_adopted(path: &Path, original: &Original, row: i64, why: String) -> Error {
    Error::NotAdopted {
        path: path.to_owned(),
        table: original.name.clone(),
        row,
        why,
    }
}
