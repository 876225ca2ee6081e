//! What tables there are: the store's schemas, as one connection read them.
//!
//! A [`Catalog`] is immutable and shared; a change makes a new one. It is
//! current as long as no event is newer than [`Catalog::event`], since every
//! change of a schema leaves an event.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::format::TableSql;
use super::hash::Hash;
use super::{DbResult, damaged};
use crate::error::{Error, Result};
use crate::record::Idx;
use crate::schema::{PartKey, TableSchema};

/// One table: its schema and its statements.
#[derive(Debug)]
pub(crate) struct TableMeta {
    pub(crate) schema: Arc<TableSchema>,
    /// The hash that the table's first row continues from.
    pub(crate) anchor: Hash,
    pub(crate) sql: TableSql,
}

impl TableMeta {
    pub(crate) fn new(schema: TableSchema, anchor: Hash) -> TableMeta {
        TableMeta {
            sql: TableSql::new(&schema),
            schema: Arc::new(schema),
            anchor,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.schema.name
    }
}

/// All tables of a store.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    pub(crate) store_id: uuid::Uuid,
    /// When the store was created, by the clock.
    pub(crate) created: Idx,
    /// The first moment that history covers.
    pub(crate) begins: Idx,
    /// The newest event when this was read.
    pub(crate) event: Idx,
    /// By number: the table with number `n` is `tables[n - 1]`.
    pub(crate) tables: Vec<Arc<TableMeta>>,
}

impl Catalog {
    /// Reads the catalog inside the connection's transaction.
    pub(crate) fn read(conn: &Connection) -> Result<Catalog> {
        let tables = Catalog::read_tables(conn)?;
        let event = last_event(conn)?;
        Ok(Catalog { event, ..tables })
    }

    /// The same without looking at the events.
    pub(crate) fn read_tables(conn: &Connection) -> Result<Catalog> {
        let (id, created, begins) = conn
            .query_row("SELECT id, created, begins FROM _dkdc_store", [], |row| {
                Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
            })
            .db()?;
        let store_id = id
            .parse()
            .map_err(|_| damaged("the store's id is no UUID"))?;
        let mut statement = conn
            .prepare_cached(
                "SELECT number, name, columns, indexes, floor, anchor \
                 FROM _dkdc_tables ORDER BY number",
            )
            .db()?;
        let mut rows = statement.query([]).db()?;
        let mut tables = Vec::new();
        while let Some(row) = rows.next().db()? {
            let name: String = row.get(1).db()?;
            let columns: String = row.get(2).db()?;
            let indexes: String = row.get(3).db()?;
            let wrong = |_| damaged(format!("the schema of table {name} does not parse"));
            let schema = TableSchema {
                number: row.get(0).db()?,
                columns: serde_json::from_str(&columns).map_err(wrong)?,
                indexes: serde_json::from_str(&indexes).map_err(wrong)?,
                floor: Idx(row.get(4).db()?),
                name,
            };
            let columns = schema.columns.len();
            let parts = schema.indexes.iter().flat_map(|index| &index.parts);
            let mut numbers = parts.filter_map(|part| match part.key {
                PartKey::Column(number) => Some(number as usize),
                PartKey::Id | PartKey::Idx => None,
            });
            if !numbers.all(|number| (1..=columns).contains(&number)) {
                let name = &schema.name;
                return Err(damaged(format!(
                    "an index of table {name} names a column that is not there"
                )));
            }
            if schema.number as usize != tables.len() + 1 {
                return Err(damaged("the numbers of the tables have a gap"));
            }
            tables.push(Arc::new(TableMeta::new(schema, row.get(5).db()?)));
        }
        Ok(Catalog {
            store_id,
            created: Idx(created),
            begins: Idx(begins),
            event: Idx::ZERO,
            tables,
        })
    }

    /// The table with this name, told apart as SQLite does: without case.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<TableMeta>> {
        self.tables
            .iter()
            .find(|t| t.name().eq_ignore_ascii_case(name))
    }

    /// The table with exactly this name.
    pub(crate) fn table(&self, name: &str) -> Result<&Arc<TableMeta>> {
        self.tables
            .iter()
            .find(|t| t.name() == name)
            .ok_or_else(|| Error::UnknownTable {
                table: name.to_owned(),
                known: self.tables.iter().map(|t| t.name().to_owned()).collect(),
            })
    }

    /// The table with this number, which a caller got from this store.
    pub(crate) fn by_number(&self, number: u32) -> Result<&Arc<TableMeta>> {
        (number as usize)
            .checked_sub(1)
            .and_then(|at| self.tables.get(at))
            .ok_or_else(|| damaged(format!("table number {number} is gone")))
    }

    /// The same catalog with one table replaced or added.
    pub(crate) fn with(&self, table: TableMeta) -> Catalog {
        let mut next = self.clone();
        let at = table.schema.number as usize - 1;
        let table = Arc::new(table);
        if at == next.tables.len() {
            next.tables.push(table);
        } else {
            next.tables[at] = table;
        }
        next
    }
}

/// The `idx` of the newest event.
pub(crate) fn last_event(conn: &Connection) -> Result<Idx> {
    let last: Option<i64> = conn
        .prepare_cached("SELECT idx FROM _dkdc_events ORDER BY idx DESC LIMIT 1")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)).optional())
        .db()?;
    Ok(Idx(last.unwrap_or(0)))
}
