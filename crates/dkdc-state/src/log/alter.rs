//! Declaring tables: creation and evolution, each one write transaction and one
//! event.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::json;

use super::catalog::{Catalog, TableMeta};
use super::event::EventKind;
use super::hash::{self, Hash, Leaf};
use super::writer::Tx;
use super::{DbResult, Store, damaged, format, index, read, recent};
use crate::error::{Error, Result};
use crate::record::{Idx, Op, hex};
use crate::schema::evolve::{self, Plan, Step};
use crate::schema::sql::{Cell, quote};
use crate::schema::{Index, TableDef, TableSchema};

impl Store {
    /// The number of the table, when it is as declared already.
    pub(crate) fn declared(&self, declared: &TableDef) -> Result<Option<u32>> {
        self.read(|conn, catalog| match plan(conn, catalog, declared)? {
            Some(plan) if plan.steps.is_empty() => Ok(Some(plan.schema.number)),
            _ => Ok(None),
        })
    }

    /// Renames a column.
    pub(crate) fn rename_column(&self, table: &str, from: &str, to: &str) -> Result<()> {
        self.write(|tx| {
            let meta = Arc::clone(tx.catalog.table(table)?);
            let plan = evolve::rename(&meta.schema, from, to)?;
            tx.alter(&meta, plan)
        })
    }

    pub(crate) fn group(&self) -> &super::group::Group {
        &self.group
    }
}

/// What the declaration changes; `None`: the table is not there.
fn plan(conn: &Connection, catalog: &Catalog, declared: &TableDef) -> Result<Option<Plan>> {
    declared.check()?;
    let invalid = |why: String| {
        Err(Error::InvalidSchema {
            table: declared.name.clone(),
            why,
        })
    };
    match catalog.find(&declared.name) {
        Some(meta) if meta.name() != declared.name => invalid(format!(
            "there is a table {:?}, which differs only in case",
            meta.name()
        )),
        Some(meta) => {
            let sql = format!("SELECT 1 FROM {} LIMIT 1", meta.sql.table);
            let empty = !conn
                .prepare_cached(&sql)
                .and_then(|mut s| s.exists([]))
                .db()?;
            evolve::evolve(&meta.schema, declared, empty).map(Some)
        }
        None => {
            let taken = conn
                .prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE")
                .and_then(|mut s| s.exists([&declared.name]))
                .db()?;
            if taken {
                return invalid("the file has another table of this name".to_owned());
            }
            Ok(None)
        }
    }
}

impl Tx<'_> {
    /// Makes the table as declared.
    pub(crate) fn declare(&mut self, declared: &TableDef) -> Result<u32> {
        let Some(plan) = plan(self.conn, &self.catalog, declared)? else {
            return self.create_table(declared);
        };
        let number = plan.schema.number;
        if !plan.steps.is_empty() {
            let meta = Arc::clone(self.catalog.by_number(number)?);
            self.alter(&meta, plan)?;
        }
        Ok(number)
    }

    fn create_table(&mut self, declared: &TableDef) -> Result<u32> {
        let number =
            u32::try_from(self.catalog.tables.len() + 1).map_err(|_| damaged("too many tables"))?;
        let schema = evolve::create(number, declared)?;
        let anchor = hash::genesis(&self.catalog.store_id, number);
        let meta = TableMeta::new(schema, anchor);
        create(self.conn, &meta)?;
        let columns: Vec<String> = meta
            .schema
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.ty))
            .collect();
        self.catalog = Arc::new(self.catalog.with(meta));
        let schema = hex(&schema_hash(self.conn, number)?);
        let detail = json!({"name": declared.name, "columns": columns, "schema": schema});
        self.event(EventKind::Create, Some(number), &detail)?;
        Ok(number)
    }

    fn alter(&mut self, meta: &TableMeta, mut plan: Plan) -> Result<()> {
        if plan.steps.is_empty() {
            return Ok(());
        }
        let number = plan.schema.number;
        let changes = plan.describe();
        // Drawn before the event is written, which has the hash of what is stored.
        let idx = self.next_idx()?;
        plan.set_since(idx);
        let next = TableMeta::new(plan.schema, meta.anchor);
        for step in &plan.steps {
            match step {
                Step::AddColumn(at) => {
                    let column = format::column(&next.schema.columns[*at]);
                    let sql = format!("ALTER TABLE {} ADD COLUMN {column}", meta.sql.table);
                    self.conn.execute_batch(&sql).db()?;
                }
                Step::RenameColumn { at, from } => {
                    let sql = format!(
                        "ALTER TABLE {} RENAME COLUMN {} TO {}",
                        meta.sql.table,
                        quote(from),
                        quote(&next.schema.columns[*at].name)
                    );
                    self.conn.execute_batch(&sql).db()?;
                }
                Step::Relax(_) => {}
                Step::AddIndex(at) => {
                    let index = &next.schema.indexes[*at];
                    let sql = format::create_index(next.name(), index);
                    self.conn.execute_batch(&sql).db()?;
                    fill_index(self.conn, &next, *at, Unreadable::Refused)?;
                }
            }
        }
        save_schema(self.conn, &next.schema)?;
        let schema = hex(&schema_hash(self.conn, number)?);
        let detail = json!({"changes": changes, "schema": schema});
        self.event_at(idx, EventKind::Alter, Some(number), &detail)?;
        self.catalog = Arc::new(self.catalog.with(next));
        Ok(())
    }
}

/// Creates the tables of a new table, and its row in `_dkdc_tables`.
pub(crate) fn create(conn: &Connection, meta: &TableMeta) -> Result<()> {
    let schema = &meta.schema;
    conn.execute_batch(&format::create_table(schema)).db()?;
    for index in &schema.indexes {
        conn.execute_batch(&format::create_index(&schema.name, index))
            .db()?;
    }
    conn.execute(
        "INSERT INTO _dkdc_tables(number, name, columns, indexes, floor, anchor) \
         VALUES (?1, ?2, '', '', ?3, ?4)",
        (
            schema.number,
            &schema.name,
            schema.floor.as_micros(),
            meta.anchor,
        ),
    )
    .db()?;
    save_schema(conn, schema)
}

/// Writes what a table's columns and indexes are.
pub(crate) fn save_schema(conn: &Connection, schema: &TableSchema) -> Result<()> {
    let text = |json: serde_json::Result<String>| {
        json.map_err(|error| damaged(format!("BUG: the schema is no JSON: {error}")))
    };
    conn.execute(
        "UPDATE _dkdc_tables SET columns = ?2, indexes = ?3 WHERE number = ?1",
        (
            schema.number,
            text(serde_json::to_string(&schema.columns))?,
            text(serde_json::to_string(&schema.indexes))?,
        ),
    )
    .map(|_| ())
    .db()
}

/// The hash of a table's schema as it is stored. Events have it: nothing else tells
/// whether what is stored is what was declared.
pub(crate) fn schema_hash(conn: &Connection, number: u32) -> Result<Hash> {
    let sql = "SELECT name, columns, indexes FROM _dkdc_tables WHERE number = ?1";
    let [name, columns, indexes]: [String; 3] = conn
        .query_row(sql, [number], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?])
        })
        .db()?;
    let mut leaf = Leaf::default();
    leaf.start(&[], number, None, Op::Append, &name);
    leaf.column(1, &Cell::Text(columns.into()));
    leaf.column(2, &Cell::Text(indexes.into()));
    Ok(leaf.finish())
}

/// The same of all tables, in hexadecimal and in order, for the event of a store whose
/// tables have none of their own.
pub(crate) fn schema_hashes(conn: &Connection, tables: usize) -> Result<Vec<String>> {
    let numbers = (1..).take(tables);
    numbers
        .map(|number| Ok(hex(&schema_hash(conn, number)?)))
        .collect()
}

/// What becomes of records that cannot be read when an index is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Refused,
    Skipped,
}

/// Enters every current record into an index that is new.
pub(crate) fn fill_index(
    conn: &Connection,
    meta: &TableMeta,
    at: usize,
    unreadable: Unreadable,
) -> Result<()> {
    let def: &Index = &meta.schema.indexes[at];
    recent::catch_up(conn, meta)?;
    let mut rows = conn
        .prepare(&format!(
            "SELECT {} FROM {} h CROSS JOIN {} l ON l.idx = h.idx WHERE h.deleted = 0",
            meta.sql.row_columns, meta.sql.heads, meta.sql.table
        ))
        .db()?;
    let mut insert = conn.prepare(&meta.sql.index_insert[at]).db()?;
    let mut other = conn.prepare(&meta.sql.index_other[at]).db()?;
    let mut rows = rows.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let row = match read::decode(&meta.schema, row) {
            Err(Error::Damaged { .. }) if unreadable == Unreadable::Skipped => continue,
            row => row?,
        };
        let idx: Idx = row.version.idx;
        let Some(key) = index::key(def, &row.id, idx, &row.values) else {
            continue;
        };
        insert.execute((&key, &row.id)).db()?;
        if def.unique.is_none() {
            continue;
        }
        use rusqlite::OptionalExtension;
        let clash: Option<String> = other
            .query_row((&key, &row.id), |row| row.get(0))
            .optional()
            .db()?;
        if let Some(clash) = clash {
            let columns = meta.schema.to_def().indexes[at].columns.clone();
            return Err(Error::NotUnique {
                table: meta.name().to_owned(),
                columns: columns.into_iter().map(|c| c.name).collect(),
                id: row.id,
                other: clash,
            });
        }
    }
    Ok(())
}
