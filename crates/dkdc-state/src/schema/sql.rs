//! The mapping between values and what SQLite stores.
//!
//! The only place that knows how a [`Value`] lies in the log. A [`Cell`] is a
//! value in SQLite's own terms: what is bound, what is hashed, and what comes
//! back are the same bytes.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::civil::Date;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::{ColumnType, ListItem};
use crate::record::{BlobRef, Value};

/// Days from the first day that SQLite's integer counts, 1970-01-01.
const EPOCH: Date = Date::constant(1970, 1, 1);

/// The type in `CREATE TABLE ... STRICT`.
pub(crate) fn declared(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Text | ColumnType::Uuid | ColumnType::Json | ColumnType::List(_) => "TEXT",
        ColumnType::Int | ColumnType::Bool | ColumnType::Timestamp | ColumnType::Date => "INTEGER",
        ColumnType::Float => "REAL",
        ColumnType::Bytes | ColumnType::Blob => "BLOB",
    }
}

/// A value as SQLite holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(Cow<'a, str>),
    Blob(Cow<'a, [u8]>),
}

impl<'a> Cell<'a> {
    /// A value that [`Value::check`] has passed.
    pub(crate) fn of(value: &'a Value) -> Cell<'a> {
        match value {
            Value::Null => Cell::Null,
            Value::Bool(b) => Cell::Int(i64::from(*b)),
            Value::Int(i) => Cell::Int(*i),
            Value::Float(f) => Cell::Real(*f),
            Value::Text(t) => Cell::Text(Cow::Borrowed(t)),
            Value::Bytes(b) => Cell::Blob(Cow::Borrowed(b)),
            Value::Blob(b) => Cell::Blob(Cow::Owned(b.to_bytes().to_vec())),
            Value::Timestamp(t) => Cell::Int(t.as_microsecond()),
            Value::Date(d) => Cell::Int(days(*d)),
            Value::Uuid(u) => Cell::Text(Cow::Owned(u.hyphenated().to_string())),
            Value::Json(j) => Cell::Text(Cow::Owned(j.to_string())),
            Value::List(items) => Cell::Text(Cow::Owned(list_text(items))),
        }
    }

    /// What a row has in one column.
    ///
    /// # Errors
    /// The storage class, when the bytes are not UTF-8.
    pub(crate) fn of_ref(value: ValueRef<'a>) -> Result<Cell<'a>, &'static str> {
        Ok(match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(i) => Cell::Int(i),
            ValueRef::Real(f) => Cell::Real(f),
            ValueRef::Text(t) => Cell::Text(Cow::Borrowed(
                std::str::from_utf8(t).map_err(|_| "text that is not UTF-8")?,
            )),
            ValueRef::Blob(b) => Cell::Blob(Cow::Borrowed(b)),
        })
    }

    /// How much there is of it.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Cell::Null | Cell::Int(_) | Cell::Real(_) => 8,
            Cell::Text(text) => text.len(),
            Cell::Blob(bytes) => bytes.len(),
        }
    }

    /// The value of a column of this type.
    ///
    /// # Errors
    /// What was found instead: the file is damaged, or another program wrote.
    pub(crate) fn into_value(self, ty: ColumnType) -> Result<Value, String> {
        let value = match (self, ty) {
            (Cell::Null, _) => Some(Value::Null),
            (Cell::Text(t), ColumnType::Text) => Some(Value::Text(t.into_owned())),
            (Cell::Int(i), ColumnType::Int) => Some(Value::Int(i)),
            (Cell::Real(f), ColumnType::Float) => Some(Value::Float(f)),
            (Cell::Int(i @ 0..=1), ColumnType::Bool) => Some(Value::Bool(i == 1)),
            (Cell::Blob(b), ColumnType::Bytes) => Some(Value::Bytes(b.into_owned())),
            (Cell::Blob(b), ColumnType::Blob) => BlobRef::from_bytes(&b).map(Value::Blob),
            (Cell::Int(i), ColumnType::Timestamp) => timestamp(i),
            (Cell::Int(i), ColumnType::Date) => date(i).map(Value::Date),
            (Cell::Text(t), ColumnType::Uuid) => t.parse().ok().map(Value::Uuid),
            (Cell::Text(t), ColumnType::Json) => serde_json::from_str(&t).ok().map(Value::Json),
            (Cell::Text(t), ColumnType::List(item)) => list(&t, item),
            _ => None,
        };
        value.ok_or_else(|| format!("a value that is no {ty}"))
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Int(i) => ValueRef::Integer(*i),
            Cell::Real(f) => ValueRef::Real(*f),
            Cell::Text(t) => ValueRef::Text(t.as_bytes()),
            Cell::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

pub(crate) fn days(date: Date) -> i64 {
    i64::from((date - EPOCH).get_days())
}

pub(crate) fn date(days: i64) -> Option<Date> {
    let span = jiff::Span::new().try_days(days).ok()?;
    EPOCH.checked_add(span).ok()
}

/// True for a number of microseconds that is a time.
pub(crate) fn is_timestamp(micros: i64) -> bool {
    let (first, last) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    (first.as_microsecond()..=last.as_microsecond()).contains(&micros)
}

fn timestamp(micros: i64) -> Option<Value> {
    let timestamp = jiff::Timestamp::from_microsecond(micros).ok()?;
    Some(Value::Timestamp(timestamp))
}

/// A list as JSON. Timestamps and dates are numbers, as in columns of their own.
fn list_text(items: &[Value]) -> String {
    let mut text = String::from("[");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        push_item(&mut text, item);
    }
    text.push(']');
    text
}

/// Appends one item.
pub(crate) fn push_item(list: &mut String, item: &Value) {
    // Writing to a String cannot fail.
    let _ = match item {
        Value::Timestamp(t) => write!(list, "{}", t.as_microsecond()),
        Value::Date(d) => write!(list, "{}", days(*d)),
        Value::Text(t) => {
            push_text(list, t);
            Ok(())
        }
        other => write!(list, "{}", other.to_json()),
    };
}

/// Appends text as JSON has it.
pub(crate) fn push_text(list: &mut String, text: &str) {
    let needs_escape = |byte: u8| byte == b'"' || byte == b'\\' || byte < 0x20;
    if text.bytes().any(needs_escape) {
        *list += &serde_json::Value::from(text).to_string();
    } else {
        list.push('"');
        *list += text;
        list.push('"');
    }
}

pub(crate) fn list(text: &str, item: ListItem) -> Option<Value> {
    if item == ListItem::Text {
        // The most frequent by far, and read straight into what it becomes.
        let items: Vec<Option<String>> = serde_json::from_str(text).ok()?;
        let value = |item: Option<String>| item.map_or(Value::Null, Value::Text);
        return Some(Value::List(items.into_iter().map(value).collect()));
    }
    let items: Vec<serde_json::Value> = serde_json::from_str(text).ok()?;
    let value = |json: serde_json::Value| {
        use serde_json::Value as Json;
        Some(match (json, item) {
            (Json::Null, _) => Value::Null,
            (json, ListItem::Json) => Value::Json(json),
            (Json::String(s), ListItem::Uuid) => Value::Uuid(s.parse().ok()?),
            (Json::Bool(b), ListItem::Bool) => Value::Bool(b),
            (Json::Number(n), ListItem::Int) => Value::Int(n.as_i64()?),
            (Json::Number(n), ListItem::Float) => Value::Float(n.as_f64()?),
            (Json::Number(n), ListItem::Timestamp) => timestamp(n.as_i64()?)?,
            (Json::Number(n), ListItem::Date) => Value::Date(date(n.as_i64()?)?),
            _ => return None,
        })
    };
    items
        .into_iter()
        .map(value)
        .collect::<Option<Vec<_>>>()
        .map(Value::List)
}

/// A name as SQL writes it.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_the_epoch_in_both_directions() {
        for (text, number) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-03-01", 11017),
            ("0001-01-01", -719_162),
            ("9999-12-31", 2_932_896),
        ] {
            let day: Date = text.parse().expect("a day");
            assert_eq!((days(day), date(number)), (number, Some(day)), "{text}");
        }
    }

    #[test]
    fn lists_come_back_as_they_were() {
        let moment: jiff::Timestamp = "1969-12-31T23:59:59.999999Z".parse().expect("a moment");
        let day: Date = "0001-01-01".parse().expect("a day");
        for (value, item) in [
            (Value::from(vec!["a,b", "", "\"", "é\u{0}"]), ListItem::Text),
            (
                Value::List(vec![Value::Int(i64::MIN), Value::Null]),
                ListItem::Int,
            ),
            (
                Value::List(vec![Value::Timestamp(moment)]),
                ListItem::Timestamp,
            ),
            (Value::List(vec![Value::Date(day)]), ListItem::Date),
            (
                Value::List(vec![Value::Float(0.1), Value::Float(1e300)]),
                ListItem::Float,
            ),
        ] {
            let ty = ColumnType::List(item);
            assert_eq!(Cell::of(&value).into_value(ty), Ok(value.clone()));
        }
    }
}
