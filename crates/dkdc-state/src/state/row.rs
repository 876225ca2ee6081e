//! Records of a table that no Rust type declares.

use std::sync::Arc;

use super::Table;
use super::select::Select;
use crate::error::Result;
use crate::log::list::{self, Scope};
use crate::log::read::LogRow;
use crate::record::{Value, Version};
use crate::schema::TableSchema;

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

/// Current records and the columns that all of them have: as [`Row`]s, each
/// would have the columns' names for itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The table.
    pub schema: Arc<TableSchema>,
    /// The records, in the order asked for.
    pub records: Vec<ListedRecord>,
}

/// One of [`Listed`].
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRecord {
    /// Which version this is.
    pub version: Version,
    /// The record's key.
    pub id: String,
    /// A value for each column of the table, in its order.
    pub values: Vec<Value>,
}

impl Listed {
    pub(crate) fn new(schema: Arc<TableSchema>, rows: Vec<LogRow>) -> Listed {
        let records = rows.into_iter().map(|row| ListedRecord {
            version: row.version,
            id: row.id,
            values: row.values,
        });
        Listed {
            schema,
            records: records.collect(),
        }
    }
}

/// Rows without their names, and from text.
impl Table<Row> {
    /// As [`list`](Table::list), with the columns' names once.
    ///
    /// ```
    /// # use dkdc_state::{ColumnDef, ColumnType, Row, Select, State, TableDef, Value};
    /// # let folder = tempfile::tempdir()?;
    /// let state = State::open(folder.path().join("data.db"))?;
    /// let born = ColumnDef::new("born", ColumnType::Int);
    /// let people = state.define(&TableDef::new("people").column(born))?;
    /// people.append(&Row::new("ada").with("born", 1815))?;
    /// let listed = people.list_values(&Select::new())?;
    /// assert_eq!(listed.schema.columns[0].name, "born");
    /// assert_eq!(listed.records[0].values, [Value::Int(1815)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`list`](Table::list).
    pub fn list_values(&self, select: &Select) -> Result<Listed> {
        self.current(|conn, meta| {
            let rows = list::list(conn, meta, select, Scope::Current)?;
            Ok(Listed::new(Arc::clone(&meta.schema), rows))
        })
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
