//! A record of a table that no Rust type declares.

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
