//! Pruning: versions that nobody wants to look back to, gone; the chain whole.
//!
//! Only versions that a newer one replaced go; a record's newest version stays,
//! a delete too. What is pruned leaves no stubs: rows are small, and stubs would
//! keep most of their size. Where a run of rows went, `_dkdc_pruned` keeps the hash
//! of its last one, from which the next row goes on. So every row that stays is
//! verified as before, and a hash over all of these in the event proves that no
//! other run was taken out.
//!
//! The table's floor rises to the newest version that replaced a pruned one: from
//! there on, every moment is answered as before; below it, none.

use std::num::NonZeroU64;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::json;

use super::catalog::{Catalog, TableMeta};
use super::event::EventKind;
use super::hash::Hash;
use super::manifest::{self, Sealed};
use super::writer::Tx;
use super::{DbResult, Store, chunks, moment, recent, request};
use crate::error::Result;
use crate::record::{BlobRef, Idx, Op, hex};
use crate::schema::sql::quote;
use crate::schema::{ColumnType, TableSchema};
use crate::time::Moment;

/// What is kept when a table is pruned; a record's newest version always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many of each record's newest versions.
    Versions(NonZeroU64),
    /// What was current then, or came to be since.
    Since(Moment),
}

/// A table that was pruned, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// The table.
    pub table: String,
    /// The versions that went.
    pub versions: u64,
    /// How many bytes their values had, content of blobs not counted.
    pub value_bytes: u64,
    /// Before this, the table cannot be read any more; zero: its history is whole.
    pub floor: Idx,
    /// Bytes of the store and its mirror before.
    pub before: u64,
    /// The same after; when nothing was done, as before.
    pub after: u64,
    /// Where bytes of what went may still be, and why.
    pub left: Vec<String>,
}

impl Store {
    /// What a prune would take.
    pub(crate) fn would_prune(&self, table: &str, keep: Keep) -> Result<Pruned> {
        let now = self.config.clock.now();
        let size = self.bytes();
        self.read(|conn, catalog| {
            let meta = catalog.table(table)?;
            find(conn, catalog, meta, keep, now)?;
            let counted = count(conn, meta);
            conn.execute_batch("DROP TABLE temp._dkdc_doomed").db()?;
            Ok(Pruned {
                before: size,
                after: size,
                ..counted?
            })
        })
    }

    /// Takes old versions out of a table, and gives their space back.
    pub(crate) fn prune(&self, table: &str, keep: Keep) -> Result<Pruned> {
        let before = self.bytes();
        let (mut pruned, files) = self.write(|tx| tx.prune(table, keep))?;
        self.remove_files(&files);
        if pruned.versions > 0 {
            // They are pruned, whatever becomes of their space.
            match self.vacuum() {
                Ok(vacuumed) => pruned.left = vacuumed.left,
                Err(error) => pruned.left.push(error.to_string()),
            }
        }
        (pruned.before, pruned.after) = (before, self.bytes());
        Ok(pruned)
    }
}

impl Tx<'_> {
    fn prune(&mut self, table: &str, keep: Keep) -> Result<(Pruned, Vec<Sealed>)> {
        let meta = Arc::clone(self.catalog.table(table)?);
        let number = meta.schema.number;
        let since = find(self.conn, &self.catalog, &meta, keep, self.now)?;
        let pruned = count(self.conn, &meta)?;
        if let Some(since) = since {
            request::expire(self.conn, &meta, since)?;
        }
        if pruned.versions == 0 {
            return Ok((pruned, Vec::new()));
        }
        // From here on the head table alone says which versions are newest.
        recent::fold_table(self.conn, &meta)?;
        self.heads.clear(number);
        let blobs = named(self.conn, &meta)?;
        take(self.conn, &meta)?;
        chunks::free(self.conn, &self.catalog, &blobs)?;
        let runs = hex(&runs(self.conn, number)?.1);
        let floor = pruned.floor;
        let detail = json!({
            "versions": pruned.versions, "floor": floor.as_micros(), "runs": runs,
        });
        let idx = self.event(EventKind::Prune, Some(number), &detail)?;
        recent::set_folded(self.conn, number, idx)?;
        self.conn
            .execute(
                "UPDATE _dkdc_tables SET floor = ?2 WHERE number = ?1",
                (number, floor.as_micros()),
            )
            .db()?;
        let files = manifest::read(self.conn)?.files.into_iter();
        let files = files.filter(|sealed| sealed.table == number).collect();
        self.forget(number)?;
        let schema = TableSchema {
            floor,
            ..TableSchema::clone(&meta.schema)
        };
        self.catalog = Arc::new(self.catalog.with(TableMeta::new(schema, meta.anchor)));
        Ok((pruned, files))
    }
}

/// Fills `temp._dkdc_doomed` with the versions to go, each with the one that
/// replaced it. Returns the version from which on everything stays, if it is that.
fn find(
    conn: &Connection,
    catalog: &Catalog,
    meta: &TableMeta,
    keep: Keep,
    now: i64,
) -> Result<Option<Idx>> {
    conn.execute_batch(
        "DROP TABLE IF EXISTS temp._dkdc_doomed; \
         CREATE TEMP TABLE _dkdc_doomed(idx INTEGER PRIMARY KEY, after INTEGER NOT NULL) STRICT",
    )
    .db()?;
    let (log, erased) = (&meta.sql.table, Op::Erased.code());
    let (select, limit, since) = match keep {
        Keep::Versions(count) => (
            format!(
                "SELECT idx, after FROM (SELECT idx, \
                   lag(idx) OVER w AS after, row_number() OVER w AS place \
                 FROM {log} WHERE _op <> {erased} WINDOW w AS (PARTITION BY id ORDER BY idx DESC)) \
                 WHERE place > ?1"
            ),
            i64::try_from(count.get()).unwrap_or(i64::MAX),
            None,
        ),
        Keep::Since(when) => {
            let since = match when {
                // Nothing is older.
                Moment::Idx(idx) if idx < catalog.begins => Idx::ZERO,
                Moment::Time(time) if time.as_microsecond() < catalog.begins.as_micros() => {
                    Idx::ZERO
                }
                when => moment::resolve(conn, catalog, when, now)?,
            };
            (
                format!(
                    "SELECT p.idx, l.idx FROM {log} l JOIN {log} p ON p.idx = l._prev \
                     WHERE l.idx <= ?1"
                ),
                since.as_micros(),
                Some(since),
            )
        }
    };
    let insert = format!("INSERT INTO temp._dkdc_doomed(idx, after) {select}");
    conn.execute(&insert, [limit]).db()?;
    Ok(since)
}

/// What is to go, in numbers.
fn count(conn: &Connection, meta: &TableMeta) -> Result<Pruned> {
    let columns = meta
        .schema
        .columns
        .iter()
        .map(|column| column.name.as_str());
    let bytes = std::iter::once("id")
        .chain(columns)
        .fold("0".to_owned(), |sum, name| {
            format!("{sum} + coalesce(octet_length(l.{}), 0)", quote(name))
        });
    let sql = format!(
        "SELECT count(*), CAST(total({bytes}) AS INTEGER), coalesce(max(d.after), 0) \
         FROM temp._dkdc_doomed d JOIN {} l ON l.idx = d.idx",
        meta.sql.table
    );
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    conn.query_row(&sql, [], |row| {
        Ok(Pruned {
            table: meta.name().to_owned(),
            versions: count(row.get(0)?),
            value_bytes: count(row.get(1)?),
            floor: Idx(row.get(2)?).max(meta.schema.floor),
            ..Pruned::default()
        })
    })
    .db()
}

/// The content that versions to go name.
fn named(conn: &Connection, meta: &TableMeta) -> Result<Vec<BlobRef>> {
    let mut blobs = Vec::new();
    let columns = meta.schema.columns.iter();
    for column in columns.filter(|column| column.ty == ColumnType::Blob) {
        let name = quote(&column.name);
        let sql = format!(
            "SELECT DISTINCT l.{name} FROM {} l WHERE l.idx IN (SELECT idx FROM temp._dkdc_doomed) \
             AND l.{name} IS NOT NULL",
            meta.sql.table
        );
        let mut statement = conn.prepare(&sql).db()?;
        let mut rows = statement.query([]).db()?;
        while let Some(row) = rows.next().db()? {
            let bytes: Vec<u8> = row.get(0).db()?;
            blobs.extend(BlobRef::from_bytes(&bytes));
        }
    }
    Ok(blobs)
}

/// Takes the rows, and keeps of each run of them the last one's hash.
fn take(conn: &Connection, meta: &TableMeta) -> Result<()> {
    let (log, number) = (&meta.sql.table, meta.schema.number);
    let doomed = "(SELECT idx FROM temp._dkdc_doomed)";
    conn.execute_batch(&format!(
        "INSERT INTO _dkdc_pruned(\"table\", upto, hash) \
           SELECT {number}, idx, _hash FROM (SELECT l.idx, l._hash, d.idx AS gone, \
             lead(d.idx) OVER o AS next FROM {log} l \
             LEFT JOIN temp._dkdc_doomed d ON d.idx = l.idx WINDOW o AS (ORDER BY l.idx)) \
           WHERE gone IS NOT NULL AND next IS NULL; \
         DELETE FROM _dkdc_waypoints WHERE \"table\" = {number} AND idx IN {doomed}; \
         DELETE FROM {log} WHERE idx IN {doomed}; \
         DELETE FROM _dkdc_pruned AS p WHERE p.\"table\" = {number} AND EXISTS \
           (SELECT 1 FROM _dkdc_pruned q WHERE q.\"table\" = {number} AND q.upto > p.upto \
            AND q.upto < (SELECT min(idx) FROM {log} WHERE idx > p.upto)); \
         DROP TABLE temp._dkdc_doomed"
    ))
    .db()
}

/// Where runs of rows were pruned: the last number and its hash of each; and a
/// hash of them all.
pub(super) fn runs(conn: &Connection, table: u32) -> Result<(Vec<(Idx, Hash)>, Hash)> {
    let mut statement = conn
        .prepare("SELECT upto, hash FROM _dkdc_pruned WHERE \"table\" = ?1 ORDER BY upto")
        .db()?;
    let rows = statement
        .query_map([table], |row| Ok((Idx(row.get(0)?), row.get(1)?)))
        .db()?;
    let runs: Vec<(Idx, Hash)> = rows.collect::<rusqlite::Result<_>>().db()?;
    let mut hasher = blake3::Hasher::new();
    for (upto, hash) in &runs {
        hasher.update(&upto.as_micros().to_le_bytes());
        hasher.update(hash);
    }
    Ok((runs, hasher.finalize().into()))
}
