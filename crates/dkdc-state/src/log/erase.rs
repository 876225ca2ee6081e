//! Erasing records: content and id gone for good, the chain whole.
//!
//! Every version of the record becomes a stub: it keeps its number, its hash and
//! its leaf hash, which is salted, so that nothing can be guessed from it; its
//! salt, its id and its values are gone. What is derived goes too: head, index
//! entries, waypoints, files of the mirror, content that nothing else names, and
//! in an adopted file the original rows. Then the file is wiped
//! ([`super::vacuum`]), since SQLite leaves traces of what was deleted.
//!
//! What must hold: nobody goes on serving what is erased. The table's `upto` of
//! heads moves, by which every connection takes its recent heads anew, and the
//! event makes every DuckDB drop the rows that it has in memory.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::json;

use super::append::find_head;
use super::catalog::TableMeta;
use super::event::EventKind;
use super::hash::{Hash, Leaf};
use super::manifest::Sealed;
use super::writer::Tx;
use super::{DbResult, Store, adopt, chunks, damaged, index, manifest, read, recent, request};
use crate::error::{Error, Result};
use crate::record::{BlobRef, Idx, Op, Value};
use crate::schema::sql::quote;

/// Records that were erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erased {
    /// The table.
    pub table: String,
    /// Records.
    pub records: u64,
    /// The versions they had.
    pub versions: u64,
    /// Contents of blobs that nothing else named.
    pub blobs: u64,
    /// Where bytes of them may still be, and why; [`State::vacuum`] tries again.
    ///
    /// [`State::vacuum`]: crate::State::vacuum
    pub left: Vec<String>,
}

/// One version that is to become a stub.
struct Doomed {
    idx: Idx,
    id: String,
    leaf: Hash,
    /// The record's current version: the others have no index entries, and their
    /// values are not kept here.
    current: bool,
    values: Vec<Value>,
}

impl Store {
    /// Erases records, and wipes what SQLite left of them.
    pub(crate) fn erase(&self, table: &str, ids: &[&str]) -> Result<Erased> {
        let (mut erased, files) = self.write(|tx| tx.erase(table, ids))?;
        self.remove_files(&files);
        // They are erased, whatever becomes of the traces.
        match self.vacuum() {
            Ok(vacuumed) => erased.left = vacuumed.left,
            Err(error) => erased.left.push(error.to_string()),
        }
        Ok(erased)
    }
}

impl Tx<'_> {
    fn erase(&mut self, table: &str, ids: &[&str]) -> Result<(Erased, Vec<Sealed>)> {
        let meta = Arc::clone(self.catalog.table(table)?);
        let number = meta.schema.number;
        // From here on the head table alone says which versions are newest.
        recent::fold_table(self.conn, &meta)?;
        self.heads.clear(number);
        name_ids(self.conn, ids)?;
        let (doomed, blobs) = doomed(self.conn, &meta)?;
        let found: HashSet<&str> = doomed.iter().map(|version| version.id.as_str()).collect();
        for id in ids {
            if !found.contains(id) {
                return Err(Error::NotFound {
                    table: table.to_owned(),
                    id: (*id).to_owned(),
                });
            }
        }
        self.take_entries(&meta, &doomed)?;
        self.make_stubs(&meta, &doomed)?;
        self.take_originals(&meta)?;
        let blobs = chunks::free(self.conn, &self.catalog, &blobs)?;
        let records = ids.iter().collect::<BTreeSet<_>>().len() as u64;
        let versions = doomed.len() as u64;
        let detail = json!({"records": records, "versions": versions});
        let idx = self.event(EventKind::Erase, Some(number), &detail)?;
        recent::set_folded(self.conn, number, idx)?;
        let files = manifest::read(self.conn)?.files.into_iter();
        let files = files.filter(|sealed| sealed.table == number).collect();
        self.forget(number)?;
        self.conn
            .execute_batch("DROP TABLE temp._dkdc_erased")
            .db()?;
        let erased = Erased {
            table: table.to_owned(),
            records,
            versions,
            blobs,
            left: Vec::new(),
        };
        Ok((erased, files))
    }

    /// Takes what is derived from the records: index entries, heads, waypoints.
    fn take_entries(&self, meta: &TableMeta, doomed: &[Doomed]) -> Result<()> {
        for version in doomed.iter().filter(|version| version.current) {
            for (at, def) in meta.schema.indexes.iter().enumerate() {
                if let Some(key) = index::key(def, &version.id, version.idx, &version.values) {
                    self.conn
                        .prepare_cached(&meta.sql.index_delete[at])
                        .and_then(|mut s| s.execute((key, &version.id)))
                        .db()?;
                }
            }
        }
        let them = "id IN (SELECT id FROM temp._dkdc_erased)";
        let number = meta.schema.number;
        let head_table = &meta.sql.head_table;
        self.conn
            .execute_batch(&format!(
                "DELETE FROM {head_table} WHERE {them}; \
                 DELETE FROM _dkdc_waypoints WHERE \"table\" = {number} AND {them}"
            ))
            .db()
    }

    fn make_stubs(&self, meta: &TableMeta, doomed: &[Doomed]) -> Result<()> {
        let columns = meta.schema.columns.iter();
        let columns: String = columns
            .map(|column| format!("{} = NULL, ", quote(&column.name)))
            .collect();
        let sql = format!(
            "UPDATE {} SET id = '', {columns}_prev = NULL, _op = {}, _seal = ?2 WHERE idx = ?1",
            meta.sql.table,
            Op::Erased.code()
        );
        let mut stub = self.conn.prepare(&sql).db()?;
        for version in doomed {
            stub.execute((version.idx.as_micros(), version.leaf)).db()?;
        }
        request::forget(self.conn, meta)
    }

    /// In an adopted file, takes the rows that the versions were made of.
    fn take_originals(&self, meta: &TableMeta) -> Result<()> {
        let Some(original) = original(self.conn, meta.name())? else {
            return Ok(());
        };
        let sql = format!(
            "DELETE FROM {} WHERE coalesce(id, 'original-' || {}) \
             IN (SELECT id FROM temp._dkdc_erased)",
            quote(&original),
            row_number(self.conn, &original)?
        );
        self.conn.execute(&sql, []).map(|_| ()).db()
    }
}

/// Puts ids where statements find them.
fn name_ids(conn: &Connection, ids: &[&str]) -> Result<()> {
    conn.execute_batch(
        "DROP TABLE IF EXISTS temp._dkdc_erased; \
         CREATE TEMP TABLE _dkdc_erased(id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    )
    .db()?;
    let mut insert = conn
        .prepare("INSERT OR IGNORE INTO temp._dkdc_erased(id) VALUES (?1)")
        .db()?;
    // No record's id is empty; that of a stub is.
    for id in ids.iter().filter(|id| !id.is_empty()) {
        insert.execute([id]).db()?;
    }
    Ok(())
}

/// Every version of the records, wherever it stands in the log, and the content
/// that they name.
fn doomed(conn: &Connection, meta: &TableMeta) -> Result<(Vec<Doomed>, Vec<BlobRef>)> {
    let sql = format!(
        "SELECT {}, l._seal FROM {} l WHERE l.id IN (SELECT id FROM temp._dkdc_erased)",
        meta.sql.row_columns, meta.sql.table
    );
    let mut statement = conn.prepare(&sql).db()?;
    let mut rows = statement.query([]).db()?;
    let mut head = conn.prepare_cached(&meta.sql.folded_head).db()?;
    let mut leaf = Leaf::default();
    let (mut doomed, mut blobs) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next().db()? {
        let hash = read::leaf(row, meta, &mut leaf)
            .map_err(|what| damaged(format!("table {}: {what}", meta.name())))?;
        let row = read::decode(&meta.schema, row)?;
        let named = row.values.iter().filter_map(|value| match value {
            Value::Blob(blob) => Some(*blob),
            _ => None,
        });
        blobs.extend(named);
        let head = find_head(&mut head, &row.id)?;
        let current = head.is_some_and(|head| !head.deleted && head.idx == row.version.idx);
        doomed.push(Doomed {
            idx: row.version.idx,
            id: row.id,
            leaf: hash,
            current,
            values: if current { row.values } else { Vec::new() },
        });
    }
    Ok((doomed, blobs))
}

/// The table that an adopted one was made of, if it is there.
fn original(conn: &Connection, table: &str) -> Result<Option<String>> {
    let all = originals(conn)?.into_iter();
    Ok(all
        .filter(|(of, _)| of == table)
        .map(|(_, original)| original)
        .next())
}

/// The tables that were adopted, and what each was made of.
fn originals(conn: &Connection) -> Result<Vec<(String, String)>> {
    let sql = "SELECT t.value ->> 'table', s.name FROM _dkdc_events e, \
               json_each(e.detail, '$.tables') t JOIN sqlite_schema s \
               ON s.type = 'table' AND s.name = t.value ->> 'original' WHERE e.kind = 'adopt'";
    let mut statement = conn.prepare(sql).db()?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.db()?.collect::<rusqlite::Result<_>>().db()
}

/// The name by which their adoption told the rows of a table apart.
fn row_number(conn: &Connection, original: &str) -> Result<&'static str> {
    let mut statement = conn
        .prepare("SELECT name FROM pragma_table_xinfo(?1)")
        .db()?;
    let names = statement.query_map([original], |row| row.get(0)).db()?;
    let names = names.collect::<rusqlite::Result<Vec<String>>>().db()?;
    let name = adopt::row_number(names.iter().map(String::as_str));
    name.ok_or_else(|| damaged(format!("table {original} hides its row numbers")))
}

/// Gives the rows that came without an id the one that their adoption gave them,
/// after their number: a VACUUM numbers them anew.
pub(super) fn name_originals(conn: &Connection) -> Result<()> {
    for (_, original) in originals(conn)? {
        let sql = format!(
            "UPDATE {} SET id = 'original-' || {} WHERE id IS NULL",
            quote(&original),
            row_number(conn, &original)?
        );
        conn.execute(&sql, []).db()?;
    }
    Ok(())
}
