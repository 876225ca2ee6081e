//! Tables and columns: as a caller declares them, and as the store keeps them.
//!
//! Owns the names, numbers and types of columns and the rules of evolution.
//! Tables and columns have permanent numbers: hashes and files use them, so a
//! rename disturbs nothing, and a column is never dropped: the column with
//! number `n` is `columns[n - 1]`. No I/O happens here; [`sql`] and [`arrow`]
//! are the only mappings to an engine's types.

pub(crate) mod arrow;
pub(crate) mod declare;
pub(crate) mod evolve;
mod exact;
pub(crate) mod json;
pub(crate) mod sql;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::record::{Idx, Value, ValueError};
use crate::state::Row;
pub use declare::{ColumnDef, IndexColumn, IndexDef, Nulls, TableDef};
pub use exact::parse_json;

/// The type of a column.
///
/// ```
/// use dkdc_state::{ColumnType, ListItem};
/// assert_eq!("list<text>".parse(), Ok(ColumnType::List(ListItem::Text)));
/// assert_eq!(ColumnType::Timestamp.to_string(), "timestamp");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// A whole number in the range of `i64`.
    Int,
    /// A 64-bit float, NaN excepted.
    Float,
    /// True or false.
    Bool,
    /// Bytes, at most 256 MiB.
    Bytes,
    /// Content of any size, kept beside the records, once.
    Blob,
    /// A moment in whole microseconds, UTC.
    Timestamp,
    /// A day.
    Date,
    /// A UUID.
    Uuid,
    /// Any JSON value.
    Json,
    /// A list.
    List(ListItem),
}

/// The type of a list's items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListItem {
    /// UTF-8 text.
    Text,
    /// A whole number in the range of `i64`.
    Int,
    /// A finite 64-bit float.
    Float,
    /// True or false.
    Bool,
    /// A moment in whole microseconds, UTC.
    Timestamp,
    /// A day.
    Date,
    /// A UUID.
    Uuid,
    /// Any JSON value.
    Json,
}

impl ListItem {
    /// The column type of one item.
    #[must_use]
    pub fn as_column(self) -> ColumnType {
        match self {
            ListItem::Text => ColumnType::Text,
            ListItem::Int => ColumnType::Int,
            ListItem::Float => ColumnType::Float,
            ListItem::Bool => ColumnType::Bool,
            ListItem::Timestamp => ColumnType::Timestamp,
            ListItem::Date => ColumnType::Date,
            ListItem::Uuid => ColumnType::Uuid,
            ListItem::Json => ColumnType::Json,
        }
    }

    fn of(column: ColumnType) -> Option<ListItem> {
        Some(match column {
            ColumnType::Text => ListItem::Text,
            ColumnType::Int => ListItem::Int,
            ColumnType::Float => ListItem::Float,
            ColumnType::Bool => ListItem::Bool,
            ColumnType::Timestamp => ListItem::Timestamp,
            ColumnType::Date => ListItem::Date,
            ColumnType::Uuid => ListItem::Uuid,
            ColumnType::Json => ListItem::Json,
            ColumnType::Bytes | ColumnType::Blob | ColumnType::List(_) => return None,
        })
    }
}

/// The types that a shell or a message names, in the order help shows them.
const TYPE_NAMES: [(&str, ColumnType); 10] = [
    ("text", ColumnType::Text),
    ("int", ColumnType::Int),
    ("float", ColumnType::Float),
    ("bool", ColumnType::Bool),
    ("bytes", ColumnType::Bytes),
    ("blob", ColumnType::Blob),
    ("timestamp", ColumnType::Timestamp),
    ("date", ColumnType::Date),
    ("uuid", ColumnType::Uuid),
    ("json", ColumnType::Json),
];

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ColumnType::List(item) = self {
            return f.pad(&format!("list<{}>", item.as_column()));
        }
        let name = TYPE_NAMES.iter().find(|(_, ty)| ty == self);
        f.pad(name.map_or("BUG: unnamed type", |(name, _)| name))
    }
}

impl FromStr for ColumnType {
    type Err = ValueError;

    fn from_str(s: &str) -> Result<ColumnType, ValueError> {
        let item = s.strip_prefix("list<").and_then(|s| s.strip_suffix('>'));
        let name = item.unwrap_or(s).trim();
        let found = TYPE_NAMES.iter().find(|(known, _)| *known == name);
        let ty = found.map(|(_, ty)| *ty).and_then(|ty| match item {
            Some(_) => ListItem::of(ty).map(ColumnType::List),
            None => Some(ty),
        });
        ty.ok_or_else(|| ValueError::Malformed {
            what: format!("column type {s:?}"),
            why: "expected text, int, float, bool, bytes, blob, timestamp, date, uuid, json, \
                  or list<...> of a type other than bytes, blob and list"
                .to_owned(),
        })
    }
}

impl TryFrom<String> for ColumnType {
    type Error = ValueError;

    fn try_from(s: String) -> Result<ColumnType, ValueError> {
        s.parse()
    }
}

impl From<ColumnType> for String {
    fn from(ty: ColumnType) -> String {
        ty.to_string()
    }
}

/// A column, as the store keeps it. Its number is its place plus one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name now.
    pub name: String,
    /// The names it had before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: ColumnType,
    /// True when every live record must have a value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// What a record has that is written without this column.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "json::default_out",
        deserialize_with = "json::default_in"
    )]
    pub default: Option<Value>,
    /// Rows below it were written before the column was there: they have
    /// `initial`.
    #[serde(default, skip_serializing_if = "is_zero", with = "json::idx")]
    pub since: Idx,
    /// The default at the time the column was added.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "json::default_out",
        deserialize_with = "json::default_in"
    )]
    pub initial: Option<Value>,
}

fn is_zero(idx: &Idx) -> bool {
    *idx == Idx::ZERO
}

impl Column {
    /// What the row with this `idx` has where the log holds NULL.
    pub(crate) fn absent(&self, idx: Idx, op: crate::record::Op) -> Value {
        match &self.initial {
            Some(value) if idx < self.since && op.is_live() => value.clone(),
            _ => Value::Null,
        }
    }
}

/// An index, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Permanent number within the table.
    pub number: u32,
    /// What it orders by.
    pub parts: Vec<IndexPart>,
    /// `None`: not unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<Nulls>,
}

/// One part of a stored index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPart {
    /// What is ordered.
    pub key: PartKey,
    /// True when the greatest comes first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub descending: bool,
}

/// What one part of an index orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKey {
    /// The record's id.
    Id,
    /// The number of the current version.
    Idx,
    /// The column with this number.
    Column(u32),
}

/// A table, as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSchema {
    /// Permanent number; also part of every hash.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Columns by number: number `n` is `columns[n - 1]`.
    pub columns: Vec<Column>,
    /// Indexes and unique constraints.
    pub indexes: Vec<Index>,
    /// History before this was cleared or pruned away.
    pub floor: Idx,
}

impl TableSchema {
    /// The place of the column that has this name now, or had it before when
    /// no other has it now.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        let now = self.columns.iter().position(|c| c.name == name);
        now.or_else(|| {
            let had = |c: &Column| c.former.iter().any(|f| f == name);
            self.columns.iter().position(had)
        })
    }

    /// The column with this name.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`], with the names there are.
    pub(crate) fn column(&self, name: &str) -> Result<(usize, &Column)> {
        self.position(name)
            .map(|at| (at, &self.columns[at]))
            .ok_or_else(|| Error::UnknownColumn {
                table: self.name.clone(),
                column: name.to_owned(),
                known: self.columns.iter().map(|c| c.name.clone()).collect(),
            })
    }

    /// The row that a JSON object means in this table.
    ///
    /// # Errors
    /// [`Error::InvalidRow`], [`Error::UnknownColumn`], [`Error::InvalidValue`].
    pub fn row_from_json(&self, text: &str) -> Result<Row> {
        json::row_from_json(self, text, None)
    }

    /// The row that a JSON object means in this table, where the value of `key`
    /// is its id: a text, or a whole number.
    ///
    /// # Errors
    /// As [`row_from_json`](TableSchema::row_from_json).
    pub fn row_from_json_by(&self, text: &str, key: &str) -> Result<Row> {
        json::row_from_json(self, text, Some(key))
    }

    /// The row that columns and their texts mean in this table, such as those
    /// of a line of CSV; `None` is NULL.
    ///
    /// # Errors
    /// As [`row_from_json`](TableSchema::row_from_json).
    pub fn row_from_text(&self, fields: &[(&str, Option<&str>)]) -> Result<Row> {
        json::row_from_text(self, fields)
    }

    /// The declaration that would make this table.
    #[must_use]
    pub fn to_def(&self) -> TableDef {
        let name_of = |key: PartKey| match key {
            PartKey::Id => "id".to_owned(),
            PartKey::Idx => "idx".to_owned(),
            PartKey::Column(number) => self.columns[number as usize - 1].name.clone(),
        };
        TableDef {
            name: self.name.clone(),
            columns: self
                .columns
                .iter()
                .map(|c| ColumnDef {
                    name: c.name.clone(),
                    ty: c.ty,
                    required: c.required,
                    default: c.default.clone(),
                    was: None,
                })
                .collect(),
            indexes: self
                .indexes
                .iter()
                .map(|index| IndexDef {
                    columns: index
                        .parts
                        .iter()
                        .map(|part| IndexColumn {
                            name: name_of(part.key),
                            descending: part.descending,
                        })
                        .collect(),
                    unique: index.unique,
                })
                .collect(),
        }
    }
}

/// The longest id, in bytes.
pub(crate) const ID_LIMIT: usize = 1024;

/// Refuses ids that are empty or too long.
pub(crate) fn check_id(table: &str, id: &str) -> Result<()> {
    if id.is_empty() || id.len() > ID_LIMIT {
        return Err(Error::InvalidId {
            table: table.to_owned(),
            len: id.len(),
        });
    }
    Ok(())
}
