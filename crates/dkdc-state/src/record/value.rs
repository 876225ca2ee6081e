//! One cell of a record, outside the log.
//!
//! A [`Value`] is exact: what the log cannot return unchanged is refused with a
//! [`ValueError`] before anything is written.

use std::fmt;

use jiff::civil::Date;

use crate::schema::{ColumnType, ListItem};

/// The content of a `Blob` column: which bytes, not the bytes themselves.
///
/// Made by [`State::put_blob`](crate::State::put_blob), read with
/// [`State::open_blob`](crate::State::open_blob).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobRef {
    /// BLAKE3 of the content.
    pub hash: [u8; 32],
    /// Length of the content in bytes.
    pub size: u64,
}

impl BlobRef {
    /// The hash in hexadecimal, 64 characters.
    #[must_use]
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.hash).to_hex().to_string()
    }

    /// The 40 bytes that the log keeps: the hash, then the size, big-endian.
    pub(crate) fn to_bytes(self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..32].copy_from_slice(&self.hash);
        bytes[32..].copy_from_slice(&self.size.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<BlobRef> {
        let (hash, size) = bytes.split_at_checked(32)?;
        Some(BlobRef {
            hash: hash.try_into().ok()?,
            size: u64::from_be_bytes(size.try_into().ok()?),
        })
    }
}

impl fmt::Debug for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobRef({}, {} bytes)", &self.hex()[..12], self.size)
    }
}

/// One value of one column.
///
/// ```
/// use dkdc_state::Value;
/// assert_eq!(Value::from("a"), Value::Text("a".into()));
/// assert_eq!(Value::from(None::<i64>), Value::Null);
/// assert_eq!(Value::from(vec!["x", "y"]).to_string(), r#"["x","y"]"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number in the range of `i64`.
    Int(i64),
    /// A number; NaN is refused, -0.0 is kept as 0.0.
    Float(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes, at most 256 MiB.
    Bytes(Vec<u8>),
    /// Content kept beside the record.
    Blob(BlobRef),
    /// A moment, in whole microseconds; finer is refused.
    Timestamp(jiff::Timestamp),
    /// A day.
    Date(Date),
    /// A UUID.
    Uuid(uuid::Uuid),
    /// Any JSON value, at most 100 levels deep.
    Json(serde_json::Value),
    /// A list of values of one type.
    List(Vec<Value>),
}

/// Why a value cannot be kept, or does not fit the field it is read into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The value is of another type than its column.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// The column's type.
        expected: String,
        /// What was given, shortened.
        found: String,
    },
    /// A column that must have a value has none.
    #[error("a value is required")]
    Missing,
    /// A whole number outside the range of its field.
    #[error("{0} is out of range")]
    OutOfRange(String),
    /// A number that would come back as another.
    #[error("{given} cannot be kept exactly: it would come back as {kept}")]
    Inexact {
        /// The number given, shortened.
        given: String,
        /// What it would become.
        kept: String,
    },
    /// A float that is not a number.
    #[error("NaN cannot be kept")]
    NotANumber,
    /// A timestamp finer than a microsecond.
    #[error("{0} is finer than a microsecond")]
    TooFine(String),
    /// More bytes than one value may have.
    #[error("{size} bytes is more than the {limit} that one value may have")]
    TooLong {
        /// Bytes given.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// JSON nested deeper than it could be read again.
    #[error("JSON nested more than {limit} deep cannot be kept")]
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// A value that does not parse as what it should be.
    #[error("{what}: {why}")]
    Malformed {
        /// What was given, shortened.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A value of a named column.
    #[error("column {column}: {source}")]
    InColumn {
        /// The column.
        column: String,
        /// What is wrong with its value.
        source: Box<ValueError>,
    },
}

impl ValueError {
    /// The same error, naming the column it concerns.
    #[must_use]
    pub fn in_column(self, column: &str) -> ValueError {
        match self {
            ValueError::InColumn { .. } => self,
            source => ValueError::InColumn {
                column: column.to_owned(),
                source: Box::new(source),
            },
        }
    }

    pub(crate) fn wrong_type(expected: impl fmt::Display, found: &Value) -> ValueError {
        ValueError::WrongType {
            expected: expected.to_string(),
            found: found.describe(),
        }
    }
}

impl Value {
    /// True for [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text, if this is [`Value::Text`].
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if this is [`Value::Int`].
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// The value as JSON. Timestamps, dates and UUIDs become text, bytes
    /// become hexadecimal text, a blob becomes `{"hash": ..., "size": ...}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(i) => Json::from(*i),
            Value::Float(f) => serde_json::Number::from_f64(*f)
                .map_or_else(|| Json::String(float_name(*f).to_owned()), Json::Number),
            Value::Text(t) => Json::String(t.clone()),
            Value::Bytes(b) => Json::String(hex(b)),
            Value::Blob(b) => serde_json::json!({"hash": b.hex(), "size": b.size}),
            Value::Timestamp(t) => Json::String(t.to_string()),
            Value::Date(d) => Json::String(d.to_string()),
            Value::Uuid(u) => Json::String(u.to_string()),
            Value::Json(j) => j.clone(),
            Value::List(items) => Json::Array(items.iter().map(Value::to_json).collect()),
        }
    }

    /// The type and the beginning of the value, for error messages.
    pub(crate) fn describe(&self) -> String {
        let (kind, shown) = match self {
            Value::Null => return "NULL".to_owned(),
            Value::Bool(_) => ("bool", self.to_string()),
            Value::Int(_) => ("int", self.to_string()),
            Value::Float(_) => ("float", self.to_string()),
            Value::Text(t) => ("text", format!("{:?}", shorten(t))),
            Value::Bytes(b) => return format!("{} bytes", b.len()),
            Value::Blob(b) => return format!("a blob of {} bytes", b.size),
            Value::Timestamp(_) => ("timestamp", self.to_string()),
            Value::Date(_) => ("date", self.to_string()),
            Value::Uuid(_) => ("uuid", self.to_string()),
            Value::Json(json) => (json_kind(json), shorten(&json.to_string())),
            Value::List(_) => ("list", shorten(&self.to_string())),
        };
        format!("{kind} {shown}")
    }

    /// Refuses JSON that is too deep. To be asked before such a value is
    /// cloned, shown or written: all of that goes level by level on the stack.
    pub(crate) fn check_depth(&self) -> Result<(), ValueError> {
        match self {
            Value::Json(json) => check_depth(json),
            Value::List(items) => items.iter().try_for_each(Value::check_depth),
            _ => Ok(()),
        }
    }

    /// Refuses what the log could not return unchanged, and brings the rest
    /// into the form that it returns.
    pub(crate) fn check(self, ty: ColumnType) -> Result<Value, ValueError> {
        self.check_depth()?;
        let fits = match (&self, ty) {
            (Value::Null, _) => return Ok(Value::Null),
            (Value::Float(f), ColumnType::Float) if f.is_nan() => {
                return Err(ValueError::NotANumber);
            }
            (Value::Float(f), ColumnType::Float) if *f == 0.0 => return Ok(Value::Float(0.0)),
            (Value::Int(i), ColumnType::Float) => return exact_float(*i),
            (Value::Timestamp(t), ColumnType::Timestamp) if t.subsec_nanosecond() % 1000 != 0 => {
                return Err(ValueError::TooFine(t.to_string()));
            }
            (Value::Bytes(b), ColumnType::Bytes) => return limit(b.len()).map(|()| self),
            (Value::Text(t), ColumnType::Text) => return limit(t.len()).map(|()| self),
            (Value::Bool(_), ColumnType::Bool)
            | (Value::Int(_), ColumnType::Int)
            | (Value::Float(_), ColumnType::Float)
            | (Value::Blob(_), ColumnType::Blob)
            | (Value::Timestamp(_), ColumnType::Timestamp)
            | (Value::Date(_), ColumnType::Date)
            | (Value::Uuid(_), ColumnType::Uuid)
            | (Value::Json(_), ColumnType::Json)
            | (Value::List(_), ColumnType::List(_)) => true,
            _ => false,
        };
        if !fits {
            return Err(ValueError::wrong_type(ty, &self));
        }
        match (self, ty) {
            (Value::List(items), ColumnType::List(item)) => items
                .into_iter()
                .map(|value| value.check_item(item))
                .collect::<Result<_, _>>()
                .map(Value::List),
            (value, _) => Ok(value),
        }
    }

    /// The same for an item of a list.
    pub(crate) fn check_item(self, item: ListItem) -> Result<Value, ValueError> {
        match self {
            Value::Null => Ok(Value::Null),
            // JSON has no infinities, and a list is kept as JSON.
            Value::Float(f) if f.is_infinite() => {
                Err(ValueError::OutOfRange(float_name(f).to_owned()))
            }
            value => value.check(item.as_column()),
        }
    }
}

/// What people call a value of JSON.
fn json_kind(json: &serde_json::Value) -> &'static str {
    use serde_json::Value as Json;
    match json {
        Json::Null => "JSON",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "text",
        Json::Array(_) => "list",
        Json::Object(_) => "object",
    }
}

/// Bytes that one value of a record may have: 256 MiB.
pub(crate) const VALUE_LIMIT: usize = 256 << 20;

/// Levels that JSON may have. What reads it again stops at 127, and what shows
/// it puts it into objects and arrays of its own.
const DEPTH_LIMIT: usize = 100;

/// Refuses JSON of more levels than [`DEPTH_LIMIT`], without recursion.
pub(crate) fn check_depth(json: &serde_json::Value) -> Result<(), ValueError> {
    use serde_json::Value as Json;
    let mut left = vec![(json, 0)];
    while let Some((json, depth)) = left.pop() {
        if depth > DEPTH_LIMIT {
            return Err(ValueError::TooDeep { limit: DEPTH_LIMIT });
        }
        match json {
            Json::Array(items) => left.extend(items.iter().map(|item| (item, depth + 1))),
            Json::Object(fields) => left.extend(fields.values().map(|item| (item, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn limit(size: usize) -> Result<(), ValueError> {
    if size > VALUE_LIMIT {
        return Err(ValueError::TooLong {
            size: size as u64,
            limit: VALUE_LIMIT as u64,
        });
    }
    Ok(())
}

/// A whole number given for a float, if a float holds it exactly.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the point is to see whether the round trip changes the number"
)]
fn exact_float(int: i64) -> Result<Value, ValueError> {
    let float = int as f64;
    if float as i128 == i128::from(int) {
        Ok(Value::Float(float))
    } else {
        Err(ValueError::Inexact {
            given: int.to_string(),
            kept: format!("{float:.0}"),
        })
    }
}

fn float_name(f: f64) -> &'static str {
    if f.is_nan() {
        "NaN"
    } else if f > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, b| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// At most 40 characters of `text`, for messages.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

impl fmt::Display for Value {
    /// Text as it is, everything else as in [`Value::to_json`], NULL for NULL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.pad("NULL"),
            Value::Text(text) => f.pad(text),
            Value::Float(float) => f.pad(&float.to_string()),
            other => match other.to_json() {
                serde_json::Value::String(text) => f.pad(&text),
                json => f.pad(&json.to_string()),
            },
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Value {
                Value::$variant(value.into())
            }
        }
    )*};
}

value_from! {
    bool => Bool,
    i64 => Int,
    i32 => Int,
    u32 => Int,
    f64 => Float,
    &str => Text,
    String => Text,
    &String => Text,
    Vec<u8> => Bytes,
    &[u8] => Bytes,
    BlobRef => Blob,
    jiff::Timestamp => Timestamp,
    Date => Date,
    uuid::Uuid => Uuid,
    serde_json::Value => Json,
    Vec<Value> => List,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl From<Vec<&str>> for Value {
    fn from(items: Vec<&str>) -> Value {
        Value::List(items.into_iter().map(Value::from).collect())
    }
}

impl From<Vec<String>> for Value {
    fn from(items: Vec<String>) -> Value {
        Value::List(items.into_iter().map(Value::from).collect())
    }
}
