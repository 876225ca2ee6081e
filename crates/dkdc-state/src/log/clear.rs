//! Emptying tables: the one deliberate loss, with an event that says so.
//!
//! Log, head, indexes and waypoints of a table are emptied in one transaction.
//! The event keeps the count and the last hash, from which the chain goes on;
//! `idx` never goes back.

use std::sync::Arc;

use serde_json::json;

use super::catalog::TableMeta;
use super::event::EventKind;
use super::writer::Tx;
use super::{DbResult, Store};
use super::{format, manifest, recent, request};
use crate::error::Result;
use crate::record::{Idx, hex};
use crate::schema::TableSchema;
use crate::schema::sql::quote;

/// A table that was emptied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cleared {
    /// The table.
    pub table: String,
    /// The versions it had.
    pub versions: u64,
}

impl Store {
    /// Empties the tables named; all, when none is.
    pub(crate) fn clear(&self, tables: &[&str]) -> Result<Vec<Cleared>> {
        let cleared = self.write(|tx| {
            let all: Vec<Arc<TableMeta>> = match tables {
                [] => tx.catalog.tables.clone(),
                names => names
                    .iter()
                    .map(|name| tx.catalog.table(name).cloned())
                    .collect::<Result<_>>()?,
            };
            let files = manifest::read(tx.conn)?;
            let numbers: Vec<u32> = all.iter().map(|meta| meta.schema.number).collect();
            let cleared: Result<Vec<Cleared>> = all.iter().map(|meta| tx.clear(meta)).collect();
            let files = files.files.into_iter();
            let theirs = files.filter(|f| numbers.contains(&f.table));
            Ok((cleared?, theirs.collect::<Vec<_>>()))
        });
        let (cleared, files) = cleared?;
        self.remove_files(&files);
        Ok(cleared)
    }
}

impl Tx<'_> {
    fn clear(&mut self, meta: &TableMeta) -> Result<Cleared> {
        let number = meta.schema.number;
        let anchor = self.chain(number)?;
        request::expire(self.conn, meta, Idx(i64::MAX))?;
        let versions = self.empty(&meta.sql.table)?;
        self.empty(&meta.sql.head_table)?;
        for index in &meta.schema.indexes {
            self.empty(&quote(&format::index_name(meta.name(), index.number)))?;
        }
        self.conn
            .execute("DELETE FROM _dkdc_waypoints WHERE \"table\" = ?1", [number])
            .db()?;
        self.conn
            .execute("DELETE FROM _dkdc_pruned WHERE \"table\" = ?1", [number])
            .db()?;
        self.forget(number)?;
        self.set_chain(number, None);
        let detail = json!({"versions": versions, "last_hash": hex(&anchor)});
        let idx = self.event(EventKind::Clear, Some(number), &detail)?;
        self.heads.clear(number);
        recent::set_folded(self.conn, number, idx)?;
        self.conn
            .execute(
                "UPDATE _dkdc_tables SET floor = ?2, anchor = ?3 WHERE number = ?1",
                (number, idx.as_micros(), anchor),
            )
            .db()?;
        let schema = TableSchema {
            floor: idx,
            ..TableSchema::clone(&meta.schema)
        };
        self.catalog = Arc::new(self.catalog.with(TableMeta::new(schema, anchor)));
        Ok(Cleared {
            table: meta.name().to_owned(),
            versions: versions as u64,
        })
    }

    fn empty(&self, table: &str) -> Result<usize> {
        self.conn.execute(&format!("DELETE FROM {table}"), []).db()
    }
}
