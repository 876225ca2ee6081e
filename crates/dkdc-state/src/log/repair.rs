//! Repair: everything that is derived is made anew from the log.
//!
//! Heads, waypoints, indexes, guards, and the manifest of the mirror; in one
//! transaction, with an event. The log, the events and contents are never
//! touched: what is damaged there stays as it is, for `check` to name and for
//! [`super::salvage`] to leave behind.

use std::sync::Arc;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension};
use serde_json::json;

use super::catalog::{Catalog, TableMeta};
use super::event::EventKind;
use super::format::{self, DEAD};
use super::writer::Tx;
use super::{DbResult, Store, alter, catalog, manifest, recent};
use crate::error::Result;
use crate::record::{Idx, Op};
use crate::schema::sql::quote;

impl Store {
    /// Makes anew what is derived from the log.
    pub(crate) fn repair(&self) -> Result<()> {
        let files = self.write(|tx| tx.repair())?;
        self.remove_files(&files);
        Ok(())
    }
}

impl Tx<'_> {
    fn repair(&mut self) -> Result<Vec<manifest::Sealed>> {
        let conn = self.conn;
        // What the file says, not what this process knows.
        self.catalog = Arc::new(Catalog::read(conn)?);
        store_tables(conn)?;
        let tables = self.catalog.tables.clone();
        for meta in &tables {
            self.heads.clear(meta.schema.number);
            derive(conn, meta)?;
        }
        guards(conn, &self.catalog)?;
        let files = manifest::read(conn).map(|manifest| manifest.files);
        conn.execute("DELETE FROM _dkdc_mirror", []).db()?;
        conn.execute_batch("REINDEX").db()?;
        let detail = json!({"tables": tables.len()});
        let idx = self.event(EventKind::Repair, None, &detail)?;
        for meta in &tables {
            recent::set_folded(conn, meta.schema.number, idx)?;
        }
        // A manifest that cannot be read names nothing; what it named is swept.
        Ok(files.unwrap_or_default())
    }
}

/// Makes what is derived of one table anew.
pub(super) fn derive(conn: &Connection, meta: &TableMeta) -> Result<()> {
    heads(conn, meta)?;
    waypoints(conn, meta)?;
    indexes(conn, meta)
}

/// Makes those of the store's own tables that are derived, where they are gone.
fn store_tables(conn: &Connection) -> Result<()> {
    for name in ["_dkdc_heads", "_dkdc_waypoints", "_dkdc_mirror"] {
        if let (None, Some(text)) = (made_by(conn, "table", name)?, format::store_table(name)) {
            conn.execute_batch(text).db()?;
        }
    }
    Ok(())
}

/// The text that made something; `None` when it is not there.
fn made_by(conn: &Connection, kind: &str, name: &str) -> Result<Option<String>> {
    conn.prepare_cached("SELECT sql FROM sqlite_schema WHERE type = ?1 AND name = ?2")
        .and_then(|mut s| s.query_row((kind, name), |row| row.get(0)).optional())
        .db()
}

/// The newest version of each record, of the whole log.
fn heads(conn: &Connection, meta: &TableMeta) -> Result<()> {
    let name = quote(&format::head_name(meta.name()));
    let (head, log, erased) = (&meta.sql.head_table, &meta.sql.table, Op::Erased.code());
    conn.execute_batch(&format!(
        "DROP TABLE IF EXISTS main.{name}; {}; \
         INSERT INTO {head}(id, idx, deleted) \
           SELECT id, max(idx), _op IN ({DEAD}) FROM {log} WHERE _op <> {erased} GROUP BY id",
        format::create_head(meta.name())
    ))
    .db()?;
    // Everything is folded, whatever number that is.
    let newest = catalog::last_event(conn)?;
    let last = conn
        .query_row(&meta.sql.newest, [], |row| row.get::<_, Option<i64>>(0))
        .db()?;
    let upto = newest.max(Idx(last.unwrap_or(0)));
    recent::set_folded(conn, meta.schema.number, upto)
}

fn waypoints(conn: &Connection, meta: &TableMeta) -> Result<()> {
    let number = meta.schema.number;
    conn.execute("DELETE FROM _dkdc_waypoints WHERE \"table\" = ?1", [number])
        .db()?;
    let mut insert = conn.prepare(format::INSERT_WAYPOINT).db()?;
    let mut replacing = conn
        .prepare(&format!(
            "SELECT idx, id FROM {} WHERE _prev IS NOT NULL",
            meta.sql.table
        ))
        .db()?;
    let mut rows = replacing.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let idx: i64 = row.get(0).db()?;
        if format::is_waypoint(Idx(idx)) {
            let id = ToSqlOutput::Borrowed(row.get_ref(1).db()?);
            insert.execute((number, id, idx)).db()?;
        }
    }
    Ok(())
}

fn indexes(conn: &Connection, meta: &TableMeta) -> Result<()> {
    for (at, index) in meta.schema.indexes.iter().enumerate() {
        let name = quote(&format::index_name(meta.name(), index.number));
        conn.execute_batch(&format!(
            "DROP TABLE IF EXISTS main.{name}; {}",
            format::create_index(meta.name(), index)
        ))
        .db()?;
        alter::fill_index(conn, meta, at, alter::Unreadable::Skipped)?;
    }
    Ok(())
}

/// The triggers that keep other programs from writing.
fn guards(conn: &Connection, catalog: &Catalog) -> Result<()> {
    let own = format::STORE_TABLE_NAMES
        .iter()
        .map(|name| (*name).to_owned());
    let logs = catalog.tables.iter().map(|meta| meta.name().to_owned());
    for table in own.chain(logs) {
        if made_by(conn, "table", &table)?.is_none() {
            continue;
        }
        for action in format::GUARDED {
            let name = format::guard_name(action, &table);
            let text = format::guard(action, &table);
            if made_by(conn, "trigger", &name)?.as_ref() != Some(&text) {
                let name = quote(&name);
                conn.execute_batch(&format!("DROP TRIGGER IF EXISTS main.{name}; {text}"))
                    .db()?;
            }
        }
    }
    Ok(())
}
