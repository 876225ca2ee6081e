//! Records of a table that no Rust type declares.

use super::Table;
use super::select::Select;
use crate::error::Result;
use crate::log::list::{self, Listed, Scope};
use crate::log::read::LogRow;
use crate::record::Value;

/// A record as names and values: what [`State::rows`](crate::State::rows)
/// reads and writes.
///
/// An update or upsert with a `Row` changes the columns it names and keeps the
/// others; an append gives the others their defaults. A `Row` that was read
/// names every column, in the table's order.
///
/// ```
/// use dkdc_state::{Row, Value};
/// let row = Row::new("ada").with("born", 1815).with("tags", vec!["maths"]);
/// assert_eq!(row.get("born"), Some(&Value::Int(1815)));
/// assert_eq!(row.to_json().to_string(), r#"{"born":1815,"id":"ada","tags":["maths"]}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The record's key.
    pub id: String,
    /// Names and values of its columns.
    pub fields: Vec<(String, Value)>,
}

impl Row {
    /// A row that names no columns.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Row {
        Row {
            id: id.into(),
            fields: Vec::new(),
        }
    }

    /// The same row with one more column.
    #[must_use]
    pub fn with(mut self, column: &str, value: impl Into<Value>) -> Row {
        self.set(column, value);
        self
    }

    /// Gives a column a value.
    pub fn set(&mut self, column: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.fields.iter_mut().find(|(name, _)| name == column) {
            Some((_, old)) => *old = value,
            None => self.fields.push((column.to_owned(), value)),
        }
    }

    /// The value of a column that the row names.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&Value> {
        let field = self.fields.iter().find(|(name, _)| name == column);
        field.map(|(_, value)| value)
    }

    /// The row as a JSON object, the id included.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let id = ("id".to_owned(), serde_json::Value::from(self.id.as_str()));
        let fields = self
            .fields
            .iter()
            .map(|(name, v)| (name.clone(), v.to_json()));
        std::iter::once(id).chain(fields).collect()
    }

    pub(crate) fn from_log(row: LogRow) -> Row {
        let names = row.schema.columns.iter().map(|column| column.name.clone());
        Row {
            id: row.id,
            fields: names.zip(row.values).collect(),
        }
    }
}

/// Rows by the thousand, and from text.
impl Table<Row> {
    /// As [`list`](Table::list), in parts, as they are read: `take` gets each, in any
    /// order. Returns the order asked for: the places of the records of all parts
    /// together. All of it is one moment, for as long as it takes.
    ///
    /// ```
    /// # use dkdc_state::{ColumnDef, ColumnType, ListedValue, Row, Select, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// let state = State::open(folder.path().join("data.db"))?;
    /// let born = ColumnDef::new("born", ColumnType::Int);
    /// let people = state.define(&TableDef::new("people").column(born))?;
    /// people.append_all(&[
    ///     Row::new("ada").with("born", 1815),
    ///     Row::new("blaise").with("born", 1623),
    /// ])?;
    /// let mut ids = Vec::new();
    /// let order = people.list_parts(&Select::new().order("born"), |part| {
    ///     for (_, id, mut values) in part.records() {
    ///         assert!(matches!(values.next(), Some(ListedValue::Int(1600..))));
    ///         ids.push(id.to_owned());
    ///     }
    /// })?;
    /// let ids: Vec<&str> = order.iter().map(|at| &*ids[*at]).collect();
    /// assert_eq!(ids, ["blaise", "ada"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`list`](Table::list).
    pub fn list_parts(&self, select: &Select, take: impl FnMut(Listed)) -> Result<Vec<usize>> {
        self.current(|conn, meta| list::list_parts(conn, meta, (select, Scope::Current), take))
    }
    /// The row that a JSON object means in this table.
    ///
    /// # Errors
    /// [`InvalidRow`](crate::Error::InvalidRow),
    /// [`UnknownColumn`](crate::Error::UnknownColumn) and
    /// [`InvalidValue`](crate::Error::InvalidValue).
    pub fn row_from_json(&self, text: &str) -> Result<Row> {
        self.state
            .store()
            .with_columns(self.shape.table, |schema| schema.row_from_json(text))
    }

    /// The row that columns and their texts mean in this table, such as those
    /// of a line of CSV; `None` is NULL.
    ///
    /// # Errors
    /// As [`row_from_json`](Table::row_from_json).
    pub fn row_from_text(&self, fields: &[(&str, Option<&str>)]) -> Result<Row> {
        self.state
            .store()
            .with_columns(self.shape.table, |schema| schema.row_from_text(fields))
    }
}
