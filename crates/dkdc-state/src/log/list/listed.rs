//! Many records of a table at once, side by side in memory.
//!
//! A record as values of its own takes an allocation for each text, and a list of
//! thousands then takes as long to make and to drop as to read.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::{Scope, each};
use crate::error::Result;
use crate::log::DbResult;
use crate::log::catalog::TableMeta;
use crate::log::read::{self, Begun};
use crate::record::{Value, Version};
use crate::schema::{ColumnType, TableSchema};
use crate::state::Select;

/// Records, and bytes, in one part: so few that its memory is that of the last one.
const PART: usize = 256;
const BYTES: usize = 1 << 20;

/// Some of the records of a list, and the columns that all of them have.
#[derive(Clone, Debug)]
pub struct Listed {
    schema: Arc<TableSchema>,
    versions: Vec<Version>,
    /// Of each record its id, and a cell for each column.
    cells: Vec<Cell>,
    /// The ids, and all text and bytes.
    bytes: Vec<u8>,
    /// Values that are none of these.
    others: Vec<Value>,
}

#[derive(Clone, Debug)]
enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Place),
    Bytes(Place),
    Other(usize),
}

/// Where bytes begin and end: SQLite takes no row of more than 1 GB.
#[derive(Clone, Copy, Debug)]
struct Place(u32, u32);

/// A value of a record that is in a list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ListedValue<'l> {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(&'l str),
    /// Bytes.
    Bytes(&'l [u8]),
    /// Any other value.
    Other(&'l Value),
}

impl Listed {
    fn new(schema: &Arc<TableSchema>) -> Listed {
        Listed {
            schema: Arc::clone(schema),
            versions: Vec::with_capacity(PART),
            cells: Vec::with_capacity(PART * (schema.columns.len() + 1)),
            bytes: Vec::new(),
            others: Vec::new(),
        }
    }

    /// The table.
    #[must_use]
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// The records: each one's version, its id, and a value for each column, in the
    /// table's order.
    pub fn records(
        &self,
    ) -> impl Iterator<Item = (Version, &str, impl Iterator<Item = ListedValue<'_>>)> {
        let records = self.cells.chunks(self.schema.columns.len() + 1);
        self.versions.iter().zip(records).map(|(version, cells)| {
            let id = match self.value(&cells[0]) {
                ListedValue::Text(id) => id,
                _ => unreachable!("BUG: an id that is no text"),
            };
            let values = cells[1..].iter().map(|cell| self.value(cell));
            (*version, id, values)
        })
    }

    fn value(&self, cell: &Cell) -> ListedValue<'_> {
        match cell {
            Cell::Null => ListedValue::Null,
            Cell::Bool(b) => ListedValue::Bool(*b),
            Cell::Int(i) => ListedValue::Int(*i),
            Cell::Float(f) => ListedValue::Float(*f),
            Cell::Text(place) => {
                let text = std::str::from_utf8(self.at(*place));
                ListedValue::Text(text.unwrap_or_else(|_| unreachable!("BUG: text that was none")))
            }
            Cell::Bytes(place) => ListedValue::Bytes(self.at(*place)),
            Cell::Other(at) => ListedValue::Other(&self.others[*at]),
        }
    }

    fn at(&self, Place(start, end): Place) -> &[u8] {
        &self.bytes[start as usize..end as usize]
    }

    /// Takes a row of the log.
    fn push(&mut self, row: &Row<'_>, begun: Begun<'_>) -> Result<()> {
        let schema = Arc::clone(&self.schema);
        self.versions.push(begun.0);
        let id = self.keep(begun.1.as_bytes());
        self.cells.push(Cell::Text(id));
        for (at, column) in schema.columns.iter().enumerate() {
            let cell = match (row.get_ref(at + 4).db()?, column.ty) {
                (ValueRef::Text(text), ColumnType::Text) if std::str::from_utf8(text).is_ok() => {
                    Cell::Text(self.keep(text))
                }
                (ValueRef::Blob(bytes), ColumnType::Bytes) => Cell::Bytes(self.keep(bytes)),
                // What else there is, a default of the column's or damage.
                _ => self.cell(read::value(&schema, row, begun, at)?),
            };
            self.cells.push(cell);
        }
        Ok(())
    }

    fn cell(&mut self, value: Value) -> Cell {
        match value {
            Value::Null => Cell::Null,
            Value::Bool(b) => Cell::Bool(b),
            Value::Int(i) => Cell::Int(i),
            Value::Float(f) => Cell::Float(f),
            Value::Text(text) => Cell::Text(self.keep(text.as_bytes())),
            Value::Bytes(bytes) => Cell::Bytes(self.keep(&bytes)),
            other => {
                self.others.push(other);
                Cell::Other(self.others.len() - 1)
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Place {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let start = place(self.bytes.len());
        self.bytes.extend_from_slice(bytes);
        Place(start, place(self.bytes.len()))
    }
}

/// Gives the records of a list in parts, and says in which order they were asked for:
/// the places of the records of all parts.
pub(crate) fn list_parts(
    conn: &Connection,
    meta: &TableMeta,
    listed: (&Select, Scope),
    mut take: impl FnMut(Listed),
) -> Result<Vec<usize>> {
    let mut part = Listed::new(&meta.schema);
    let mut count = 0;
    let order = each(conn, meta, listed, None, |row, begun| {
        part.push(row, begun)?;
        count += 1;
        if part.versions.len() == PART || part.bytes.len() >= BYTES {
            take(std::mem::replace(&mut part, Listed::new(&meta.schema)));
        }
        Ok(())
    })?;
    take(part);
    Ok(order.unwrap_or_else(|| (0..count).collect()))
}
