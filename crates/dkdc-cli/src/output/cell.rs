//! One cell: a value of a record, or of an answer in SQL.
//!
//! More than [`Value`] can be: SQL has numbers that no column has. Whatever a
//! cell holds, JSON and CSV give it exactly.

use std::io::{self, Write};

use dkdc_state::{Idx, Value};
use jiff::Timestamp;
use serde_json::Value as Json;

use super::text::{bytes_literal, escaped};

/// One value of one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    /// A number that neither `i64` nor `f64` holds exactly, in digits.
    Digits(String),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// The number of a version: shown as the time that it is, to the last
    /// microsecond, so that it can be given back.
    Idx(Idx),
    Timestamp(Timestamp),
    Json(Json),
    List(Vec<Cell>),
    Struct(Vec<(String, Cell)>),
}

impl From<Value> for Cell {
    fn from(value: Value) -> Cell {
        match value {
            Value::Null => Cell::Null,
            Value::Bool(bool) => Cell::Bool(bool),
            Value::Int(int) => Cell::Int(int),
            Value::Float(float) => Cell::Float(float),
            Value::Text(text) => Cell::Text(text),
            Value::Bytes(bytes) => Cell::Bytes(bytes),
            Value::Timestamp(time) => Cell::Timestamp(time),
            Value::Json(json) => Cell::Json(json),
            Value::List(items) => Cell::List(items.into_iter().map(Cell::from).collect()),
            Value::Blob(blob) => Cell::Struct(vec![
                ("hash".to_owned(), Cell::Text(blob.hex())),
                ("size".to_owned(), exact(blob.size)),
            ]),
            other @ (Value::Date(_) | Value::Uuid(_)) => Cell::Text(other.to_string()),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<Idx> for Cell {
    fn from(idx: Idx) -> Cell {
        Cell::Idx(idx)
    }
}

impl From<bool> for Cell {
    fn from(bool: bool) -> Cell {
        Cell::Bool(bool)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Cell {
        exact(count)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}

fn exact(count: u64) -> Cell {
    i64::try_from(count).map_or_else(|_| Cell::Digits(count.to_string()), Cell::Int)
}

impl Cell {
    /// JSON that was text, in a list too.
    pub(super) fn parsed(self) -> Cell {
        match self {
            Cell::Text(text) => serde_json::from_str(&text).map_or(Cell::Text(text), Cell::Json),
            Cell::List(items) => Cell::List(items.into_iter().map(Cell::parsed).collect()),
            other => other,
        }
    }
}

/// Bytes that a table shows of one value.
const BYTES_SHOWN: usize = 40;

impl Cell {
    /// As a table shows it: one line that a terminal obeys in nothing.
    pub(super) fn shown(&self) -> String {
        match self {
            Cell::Null => "NULL".to_owned(),
            Cell::Bytes(bytes) => bytes_literal(bytes, BYTES_SHOWN),
            Cell::Idx(idx) => match idx_text(*idx) {
                Some(text) => spaced(&text),
                None => idx.to_string(),
            },
            Cell::Timestamp(time) => spaced(&time_text(*time)),
            other => escaped(&other.plain()).to_string(),
        }
    }

    /// As CSV has it, before quotes; the same that `import` reads.
    pub(crate) fn plain(&self) -> String {
        match self {
            Cell::Null => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Json(_) | Cell::List(_) | Cell::Struct(_) => self.to_json_text(),
            // Times, bytes, infinities: text in JSON, without anything to escape.
            other => other.to_json_text().trim_matches('"').to_owned(),
        }
    }

    fn to_json_text(&self) -> String {
        let mut out = Vec::new();
        // Writing to memory cannot fail, and JSON is UTF-8.
        let _ = self.json(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// As JSON has it: numbers exactly, times as ISO 8601, bytes in
    /// hexadecimal.
    pub(super) fn json(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Cell::Null => out.write_all(b"null"),
            Cell::Bool(bool) => write!(out, "{bool}"),
            Cell::Int(int) => write!(out, "{int}"),
            Cell::Digits(digits) => out.write_all(digits.as_bytes()),
            Cell::Float(float) => match serde_json::Number::from_f64(*float) {
                Some(number) => write!(out, "{number}"),
                None => write!(out, "\"{}\"", endless(*float)),
            },
            Cell::Text(text) => string(out, text),
            Cell::Bytes(bytes) => {
                out.write_all(b"\"")?;
                bytes
                    .iter()
                    .try_for_each(|byte| write!(out, "{byte:02x}"))?;
                out.write_all(b"\"")
            }
            Cell::Idx(idx) => match idx_text(*idx) {
                Some(text) => write!(out, "\"{text}\""),
                None => write!(out, "{idx}"),
            },
            Cell::Timestamp(time) => write!(out, "\"{}\"", time_text(*time)),
            Cell::Json(json) => Ok(serde_json::to_writer(out, json)?),
            Cell::List(items) => {
                out.write_all(b"[")?;
                for (at, item) in items.iter().enumerate() {
                    comma(out, at)?;
                    item.json(out)?;
                }
                out.write_all(b"]")
            }
            Cell::Struct(fields) => object(out, fields.iter().map(|(n, c)| (n.as_str(), c))),
        }
    }
}

/// Writes an object of cells.
pub(super) fn object<'a>(
    out: &mut impl Write,
    fields: impl Iterator<Item = (&'a str, &'a Cell)>,
) -> io::Result<()> {
    out.write_all(b"{")?;
    for (at, (name, cell)) in fields.enumerate() {
        comma(out, at)?;
        string(out, name)?;
        out.write_all(b":")?;
        cell.json(out)?;
    }
    out.write_all(b"}")
}

fn comma(out: &mut impl Write, at: usize) -> io::Result<()> {
    if at > 0 { out.write_all(b",") } else { Ok(()) }
}

fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

/// What JSON has no number for.
fn endless(float: f64) -> &'static str {
    if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// All six digits, so that text sorts as time does; more where SQL has more.
fn time_text(time: Timestamp) -> String {
    if time.subsec_nanosecond() % 1000 == 0 {
        format!("{time:.6}")
    } else {
        format!("{time:.9}")
    }
}

/// `None` outside the years that a timestamp can have.
fn idx_text(idx: Idx) -> Option<String> {
    let time = idx.timestamp();
    (time.as_microsecond() == idx.as_micros()).then(|| time_text(time))
}

/// `2024-11-27 18:02:45.321529`, as the post shows it.
fn spaced(iso: &str) -> String {
    iso.trim_end_matches('Z').replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn every_cell_is_exact_in_json_and_csv_and_readable_in_a_table() {
        let digits = "170141183460469231731687303715884105727";
        let list = Cell::List(vec![Cell::from("a,\"b"), Cell::Null, Cell::Int(1)]);
        let idx = Idx::from_micros(1_732_730_565_320_000);
        for (cell, json, csv, shown) in [
            (Cell::Null, "null", "", "NULL"),
            (Cell::Bool(true), "true", "true", "true"),
            (
                Cell::Int(i64::MIN),
                "-9223372036854775808",
                "-9223372036854775808",
                "-9223372036854775808",
            ),
            (Cell::Digits(digits.to_owned()), digits, digits, digits),
            (Cell::Float(1.0), "1.0", "1.0", "1.0"),
            (Cell::Float(1e300), "1e+300", "1e+300", "1e+300"),
            (Cell::Float(f64::NAN), "\"NaN\"", "NaN", "NaN"),
            (
                Cell::from("\"a\"\n"),
                "\"\\\"a\\\"\\n\"",
                "\"a\"\n",
                "\"a\"\\n",
            ),
            (
                Cell::Bytes(b"hi\xff".to_vec()),
                "\"6869ff\"",
                "6869ff",
                "b'hi\\xff'",
            ),
            (
                Cell::Idx(idx),
                "\"2024-11-27T18:02:45.320000Z\"",
                "2024-11-27T18:02:45.320000Z",
                "2024-11-27 18:02:45.320000",
            ),
            (
                Cell::Idx(Idx::from_micros(i64::MAX)),
                "9223372036854775807",
                "9223372036854775807",
                "9223372036854775807",
            ),
            (
                Cell::Timestamp(time("2024-11-27T18:02:45.5Z")),
                "\"2024-11-27T18:02:45.500000Z\"",
                "2024-11-27T18:02:45.500000Z",
                "2024-11-27 18:02:45.500000",
            ),
            (
                list,
                "[\"a,\\\"b\",null,1]",
                "[\"a,\\\"b\",null,1]",
                "[\"a,\\\"b\",null,1]",
            ),
            (
                Cell::Json(serde_json::json!({"a": null})),
                "{\"a\":null}",
                "{\"a\":null}",
                "{\"a\":null}",
            ),
        ] {
            assert_eq!(cell.to_json_text(), json);
            assert_eq!(cell.plain(), csv);
            assert_eq!(cell.shown(), shown);
        }
    }
}
