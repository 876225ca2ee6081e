//! What the values in an original table mean.
//!
//! SQLite let other programs put anything into any column, so each value is
//! judged by what it is: exact, or refused with the reason.

use jiff::civil::{DateTime, Time};
use rusqlite::types::ValueRef;

use super::original::{Take, made_id};
use crate::record::{BlobRef, Idx, Value, ValueError, shorten};
use crate::schema::{ColumnType, ID_LIMIT};
use crate::time::parse_timestamp;

/// Integers that can only be microseconds: 1973 to 2286. Seconds and
/// milliseconds of those years are below, nanoseconds above.
const MICROS: std::ops::Range<i64> = 100_000_000_000_000..10_000_000_000_000_000;

/// The time of a version, in whole microseconds after 1970.
///
/// Ibis writes `2024-11-27T18:02:45.321529`, without the fraction when it is
/// zero; other forms of RFC 3339 and whole microseconds are taken as well.
pub(super) fn idx(cell: ValueRef<'_>) -> Result<Idx, String> {
    match timestamp(cell) {
        Ok(Value::Null) => Err("its idx is NULL".to_owned()),
        Ok(Value::Timestamp(time)) if time.as_microsecond() > 0 => {
            Ok(Idx::from_micros(time.as_microsecond()))
        }
        Ok(other) => Err(format!("its idx is not after 1970: {other}")),
        Err(why) => Err(format!("its idx is no timestamp: {why}")),
    }
}

/// The record's key; a row without one gets one that says which row it is.
pub(super) fn id(cell: ValueRef<'_>, row: i64) -> Result<String, String> {
    match cell {
        ValueRef::Null => Ok(made_id(row)),
        ValueRef::Text(bytes) => match text(bytes) {
            Ok(id) if (1..=ID_LIMIT).contains(&id.len()) => Ok(id.to_owned()),
            Ok(id) => Err(format!(
                "its id has {} bytes; an id must have 1 to {ID_LIMIT}",
                id.len()
            )),
            Err(why) => Err(format!("its id is {why}")),
        },
        other => Err(format!("its id is {}, not text", describe(other))),
    }
}

/// A cell as a value of its new column. Content is a matter of its own:
/// [`content`].
pub(super) fn value(cell: ValueRef<'_>, take: Take) -> Result<Value, String> {
    match take {
        Take::As(ty) => plain(cell, ty),
        Take::Labels => match plain(cell, ColumnType::Text)? {
            Value::Text(text) => Ok(labels(&text)),
            other => Ok(other),
        },
        Take::Content => content(cell).map(|content| {
            Value::Blob(BlobRef {
                hash: blake3::hash(content).into(),
                size: content.len() as u64,
            })
        }),
    }
}

/// The bytes of a file. The original wrote NULL when it was updated without
/// any: an empty file.
pub(super) fn content(cell: ValueRef<'_>) -> Result<&[u8], String> {
    match cell {
        ValueRef::Null => Ok(&[]),
        ValueRef::Blob(bytes) => Ok(bytes),
        other => Err(expected(ColumnType::Blob, other)),
    }
}

fn labels(text: &str) -> Value {
    if text.is_empty() {
        return Value::List(Vec::new());
    }
    Value::List(text.split(',').map(Value::from).collect())
}

fn plain(cell: ValueRef<'_>, ty: ColumnType) -> Result<Value, String> {
    let value = match (cell, ty) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Text(t), ColumnType::Text) => Value::Text(text(t)?.to_owned()),
        // Other programs' integers in a column of floats; `check` keeps them exact.
        (ValueRef::Integer(i), ColumnType::Int | ColumnType::Float) => Value::Int(i),
        (ValueRef::Real(f), ColumnType::Float) => Value::Float(f),
        (ValueRef::Integer(i @ 0..=1), ColumnType::Bool) => Value::Bool(i == 1),
        (ValueRef::Blob(b), ColumnType::Bytes) => Value::Bytes(b.to_vec()),
        (cell, ColumnType::Timestamp) => timestamp(cell)?,
        (ValueRef::Text(t), ColumnType::Date) => date(text(t)?)?,
        (ValueRef::Text(t), ColumnType::Uuid) => text(t)?
            .parse()
            .map(Value::Uuid)
            .map_err(|error| malformed(t, ty, error))?,
        // SQLite turns JSON that is a number into one.
        (ValueRef::Integer(i), ColumnType::Json) => Value::Json(i.into()),
        (ValueRef::Real(f), ColumnType::Json) if f.is_finite() => Value::Json(f.into()),
        (ValueRef::Text(t), ColumnType::Json) => serde_json::from_str(text(t)?)
            .map(Value::Json)
            .map_err(|error| malformed(t, ty, error))?,
        (other, ty) => return Err(expected(ty, other)),
    };
    value
        .check(ty)
        .map_err(|error: ValueError| error.to_string())
}

fn timestamp(cell: ValueRef<'_>) -> Result<Value, String> {
    match cell {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Text(bytes) => {
            let text = text(bytes)?;
            let time = parse_timestamp(text);
            time.map(Value::Timestamp)
                .map_err(|why| format!("{:?}: {why}", shorten(text)))
        }
        ValueRef::Integer(micros) if MICROS.contains(&micros) => {
            Ok(Value::Timestamp(Idx::from_micros(micros).timestamp()))
        }
        ValueRef::Integer(other) => Err(format!(
            "the integer {other} cannot be told to be microseconds"
        )),
        other => Err(expected(ColumnType::Timestamp, other)),
    }
}

/// A day; as a time, which other programs write, it must be a midnight.
fn date(text: &str) -> Result<Value, String> {
    let at: DateTime = text
        .parse()
        .map_err(|error| malformed(text.as_bytes(), ColumnType::Date, error))?;
    if at.time() == Time::midnight() {
        Ok(Value::Date(at.date()))
    } else {
        Err(format!("{:?} is a time, not a day", shorten(text)))
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "text that is not UTF-8".to_owned())
}

fn malformed(bytes: &[u8], ty: ColumnType, error: impl std::fmt::Display) -> String {
    let text = String::from_utf8_lossy(bytes);
    format!("{:?} is no {ty}: {error}", shorten(&text))
}

fn expected(ty: ColumnType, found: ValueRef<'_>) -> String {
    format!("expected {ty}, found {}", describe(found))
}

fn describe(cell: ValueRef<'_>) -> String {
    let value = match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::Int(i),
        ValueRef::Real(f) => Value::Float(f),
        ValueRef::Text(t) => Value::Text(String::from_utf8_lossy(t).into_owned()),
        ValueRef::Blob(b) => return format!("{} bytes", b.len()),
    };
    value.describe()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_ibis_and_others_write_them() {
        for (text, micros) in [
            ("2024-11-27T18:02:45.321529", 1_732_730_565_321_529),
            ("2024-11-27 18:02:45.321529", 1_732_730_565_321_529),
            ("2024-11-27T18:02:45", 1_732_730_565_000_000),
            ("2024-11-27 18:02:45.3", 1_732_730_565_300_000),
            ("2024-11-27T18:02:45.321529+00:00", 1_732_730_565_321_529),
            ("2024-11-27T18:02:45.321529Z", 1_732_730_565_321_529),
            ("2024-11-27", 1_732_665_600_000_000),
        ] {
            let read = idx(ValueRef::Text(text.as_bytes()));
            assert_eq!(read, Ok(Idx::from_micros(micros)), "{text}");
        }
        let micros = 1_732_730_565_321_529;
        assert_eq!(idx(ValueRef::Integer(micros)), Ok(Idx::from_micros(micros)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for cell in [
            ValueRef::Null,
            ValueRef::Text(b""),
            ValueRef::Text(b"soon"),
            ValueRef::Text(b"2024-11-27T18:02:45.3215291"),
            ValueRef::Text(b"1969-12-31 23:59:59"),
            ValueRef::Text(b"\xff"),
            ValueRef::Integer(1_732_730_565),
            ValueRef::Integer(1_732_730_565_321),
            ValueRef::Integer(1_732_730_565_321_529_000),
            ValueRef::Integer(-1),
            ValueRef::Real(1_732_730_565.3),
            ValueRef::Blob(b"2024"),
        ] {
            assert!(idx(cell).is_err(), "{cell:?}");
        }
    }

    #[test]
    fn values_are_exact_or_refused() {
        use ColumnType as T;
        let taken = |cell, ty| value(cell, Take::As(ty));
        assert_eq!(taken(ValueRef::Integer(7), T::Float), Ok(Value::Float(7.0)));
        assert_eq!(taken(ValueRef::Integer(1), T::Bool), Ok(Value::Bool(true)));
        let day = jiff::civil::date(2024, 2, 29);
        for text in ["2024-02-29", "2024-02-29 00:00:00"] {
            let cell = ValueRef::Text(text.as_bytes());
            assert_eq!(taken(cell, T::Date), Ok(Value::Date(day)));
        }
        let json = taken(ValueRef::Text(br#"{"a":[1]}"#), T::Json);
        assert_eq!(json, Ok(Value::Json(serde_json::json!({"a": [1]}))));
        for (cell, ty) in [
            (ValueRef::Text(b"seven"), T::Int),
            (ValueRef::Real(1.5), T::Int),
            (ValueRef::Integer((1 << 53) + 1), T::Float),
            (ValueRef::Integer(2), T::Bool),
            (ValueRef::Text(b"\xff"), T::Text),
            (ValueRef::Blob(b"text"), T::Text),
            (ValueRef::Text(b"text"), T::Bytes),
            (ValueRef::Text(b"2024-02-29 10:00:00"), T::Date),
            (ValueRef::Text(b"{"), T::Json),
            (ValueRef::Real(f64::INFINITY), T::Json),
            (ValueRef::Text(b"no-uuid"), T::Uuid),
        ] {
            assert!(taken(cell, ty).is_err(), "{cell:?} as {ty}");
        }
    }

    #[test]
    fn labels_split_at_commas_as_the_original_split_them() {
        for (text, labels) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("a, b,", vec!["a", " b", ""]),
        ] {
            let taken = value(ValueRef::Text(text.as_bytes()), Take::Labels);
            assert_eq!(taken, Ok(Value::from(labels)));
        }
        assert_eq!(value(ValueRef::Null, Take::Labels), Ok(Value::Null));
    }
}
