//! One table on its way from what it was to a log table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Row, Statement};
use serde_json::json;

use super::original::{Original, Take};
use super::{convert, not_adopted};
use crate::blob::Packed;
use crate::error::Result;
use crate::log::append::{self, Hashed, Head, Scribe, find_head};
use crate::log::catalog::TableMeta;
use crate::log::format::{INSERT_WAYPOINT, is_waypoint};
use crate::log::hash::{self, Hash};
use crate::log::recent::{Heads, MANY};
use crate::log::{DbResult, alter, chunks, damaged};
use crate::record::{Idx, Op, Value, Version};
use crate::schema::evolve;
use crate::schema::sql::{Cell, quote};

/// A table being adopted.
pub(super) struct Adoption<'c> {
    pub(super) original: &'c Original,
    conn: &'c Connection,
    path: PathBuf,
    meta: TableMeta,
    /// The newest row's hash.
    chain: Hash,
    /// number -> (id, sources...)
    source: Statement<'c>,
    head: CachedStatement<'c>,
    insert: CachedStatement<'c>,
    waypoint: CachedStatement<'c>,
    counted: Counted,
    heads: Heads,
    /// Rows since they were folded.
    recent: usize,
}

/// What the event tells of a table.
#[derive(Default)]
struct Counted {
    versions: u64,
    records: u64,
    /// Rows that had no id.
    without_id: u64,
    /// By column: rows that had NULL where a value is required.
    filled: BTreeMap<String, u64>,
}

impl<'c> Adoption<'c> {
    /// Gives the old table its new name, and makes the log table.
    pub(super) fn start(
        conn: &'c Connection,
        path: &Path,
        store: &uuid::Uuid,
        number: u32,
        original: &'c Original,
    ) -> Result<Adoption<'c>> {
        let renamed = quote(&original.renamed);
        conn.execute_batch(&format!(
            "ALTER TABLE {} RENAME TO {renamed}",
            quote(&original.name)
        ))
        .db()?;
        let schema = evolve::create(number, &original.def)?;
        let meta = TableMeta::new(schema, hash::genesis(store, number));
        alter::create(conn, &meta)?;
        let columns: String = original
            .sources
            .iter()
            .map(|source| format!(", {}", quote(&source.name)))
            .collect();
        let source = format!(
            "SELECT id{columns} FROM {renamed} WHERE {} = ?",
            original.rowid
        );
        Ok(Adoption {
            source: conn.prepare(&source).db()?,
            head: conn.prepare_cached(&meta.sql.folded_head).db()?,
            insert: conn.prepare_cached(&meta.sql.insert).db()?,
            waypoint: conn.prepare_cached(INSERT_WAYPOINT).db()?,
            chain: meta.anchor,
            path: path.to_owned(),
            counted: Counted::default(),
            heads: Heads::default(),
            recent: 0,
            original,
            conn,
            meta,
        })
    }

    /// Takes over the row with this number, as the version `idx`.
    pub(super) fn take(
        &mut self,
        scribe: &mut Scribe,
        number: i64,
        idx: Idx,
        now: i64,
    ) -> Result<()> {
        let (id, values) = {
            let mut rows = self.source.query([number]).db()?;
            let row = rows.next().db()?;
            let row = row.ok_or_else(|| damaged("BUG: a row went while it was adopted"))?;
            if row.get_ref(0).db()? == ValueRef::Null {
                self.counted.without_id += 1;
            }
            let (id, values) = read(self.original, row, number, &mut self.counted.filled)
                .map_err(|why| not_adopted(&self.path, self.original, number, why))?;
            put_content(self.conn, self.original, row, &values, now)?;
            (id, values)
        };
        self.counted.versions += 1;
        self.write(scribe, &id, idx, None, &values)
    }

    /// Writes one version; without an `op` it is an append or an update.
    pub(super) fn write(
        &mut self,
        scribe: &mut Scribe,
        id: &str,
        idx: Idx,
        op: Option<Op>,
        values: &[Value],
    ) -> Result<()> {
        let number = self.meta.schema.number;
        let hash = self.heads.hash(id);
        let find = || find_head(&mut self.head, id);
        let head = self.heads.head(number, hash, id, find)?;
        let version = Version {
            idx,
            prev: head.map(|head| head.idx),
            op: op.unwrap_or(if head.is_some() {
                Op::Update
            } else {
                Op::Append
            }),
        };
        self.chain = append::insert_row(
            &self.meta,
            &mut self.insert,
            Hashed::Now(scribe),
            &self.chain,
            id,
            version,
            values.iter().map(Cell::of),
        )?;
        let deleted = !version.op.is_live();
        self.heads.put(number, hash, id, Head { idx, deleted });
        if head.is_none() {
            self.counted.records += 1;
        } else if is_waypoint(idx) {
            self.waypoint.execute((number, id, idx.as_micros())).db()?;
        }
        self.recent += 1;
        if self.recent >= MANY {
            self.fold()?;
        }
        Ok(())
    }

    /// Moves the recent heads into the head table.
    pub(super) fn fold(&mut self) -> Result<()> {
        self.recent = 0;
        self.heads.fold(self.conn, &self.meta)
    }

    /// The files that have the user, path and name of a newer one, oldest
    /// first: (id, version of the newest).
    pub(super) fn duplicates(&mut self, conn: &Connection) -> Result<Vec<(String, Idx)>> {
        self.fold()?;
        let sql = format!(
            "SELECT id, newest FROM (\
               SELECT h.id AS id, l.idx AS idx, first_value(l.idx) OVER (\
                 PARTITION BY l.user_id, l.path, l.filename ORDER BY l.idx DESC) AS newest \
               FROM {} h JOIN {} l ON l.idx = h.idx WHERE h.deleted = 0) \
             WHERE idx <> newest ORDER BY idx",
            self.meta.sql.head_table, self.meta.sql.table
        );
        let mut statement = conn.prepare(&sql).db()?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, Idx(row.get(1)?))))
            .db()?;
        rows.collect::<rusqlite::Result<_>>().db()
    }

    /// What the event says of this table.
    pub(super) fn detail(&self) -> serde_json::Value {
        let counted = &self.counted;
        json!({
            "table": self.original.name,
            "original": self.original.renamed,
            "versions": counted.versions,
            "records": counted.records,
            "without_id": counted.without_id,
            "filled": counted.filled,
        })
    }
}

/// The id and the values that a row becomes.
fn read(
    original: &Original,
    row: &Row<'_>,
    number: i64,
    filled: &mut BTreeMap<String, u64>,
) -> Result<(String, Vec<Value>), String> {
    let cell = |at: usize| row.get_ref(at).map_err(|error| error.to_string());
    let id = convert::id(cell(0)?, number)?;
    let mut values = Vec::with_capacity(original.def.columns.len());
    let mut content = None;
    for (at, (source, column)) in original
        .sources
        .iter()
        .zip(&original.def.columns)
        .enumerate()
    {
        let cell = cell(at + 1)?;
        let mut value = convert::value(cell, source.take)
            .map_err(|why| format!("column {}: {why}", source.name))?;
        if let Value::Blob(blob) = &value {
            content = Some(*blob);
        }
        if cell == ValueRef::Null && column.required {
            match &column.default {
                Some(default) => value = default.clone(),
                None if source.take == Take::Content => {}
                None => return Err(format!("column {}: it has no value", source.name)),
            }
            *filled.entry(source.name.clone()).or_default() += 1;
        }
        values.push(value);
    }
    if let Some(blob) = content {
        let size = i64::try_from(blob.size).map_err(|_| "its content is too large".to_owned())?;
        values.push(Value::Int(size));
        values.push(Value::Text(blob.hex()));
        values.resize(original.def.columns.len(), Value::Null);
    }
    Ok((id, values))
}

/// Puts the content of a lake's row where blobs are kept.
fn put_content(
    conn: &Connection,
    original: &Original,
    row: &Row<'_>,
    values: &[Value],
    now: i64,
) -> Result<()> {
    for (at, source) in original.sources.iter().enumerate() {
        if let (Take::Content, Value::Blob(_)) = (source.take, &values[at]) {
            let content = convert::content(row.get_ref(at + 1).db()?).map_err(damaged)?;
            chunks::put_packed(conn, &Packed::new(content), now)?;
        }
    }
    Ok(())
}
