//! Sheets for programs: JSON, NDJSON and CSV, row by row as they come.

use std::io::{self, Write};

use super::cell::{Cell, object};
use super::{Column, Sheet};
use crate::exit::{Failure, Result};

/// An array of objects, one a line.
pub(super) fn json(out: &mut impl Write, sheet: Sheet<'_>) -> Result<()> {
    let Sheet { columns, rows, .. } = sheet;
    let mut between: &[u8] = b"[";
    for row in rows {
        let row = row?;
        written(
            out.write_all(between)
                .and_then(|()| record(out, &columns, &row)),
        )?;
        between = b",\n ";
    }
    let end: &[u8] = if between == b"[" { b"[]\n" } else { b"]\n" };
    written(out.write_all(end))
}

/// One object a line; `live`: each handed over at once.
pub(super) fn ndjson(out: &mut impl Write, sheet: Sheet<'_>, live: bool) -> Result<()> {
    let Sheet { columns, rows, .. } = sheet;
    for row in rows {
        let row = row?;
        written(record(out, &columns, &row).and_then(|()| out.write_all(b"\n")))?;
        if live {
            written(out.flush())?;
        }
    }
    Ok(())
}

fn record(out: &mut impl Write, columns: &[Column], row: &[Cell]) -> io::Result<()> {
    let names = columns.iter().map(|column| column.name.as_str());
    object(out, names.zip(row))
}

/// A line of names, then a line a row. NULL is an empty field, an empty text is
/// `""`.
pub(super) fn csv(out: &mut impl Write, sheet: Sheet<'_>) -> Result<()> {
    let Sheet { columns, rows, .. } = sheet;
    let names = columns.iter().map(|column| field(&column.name));
    written(line(out, names, columns.len()))?;
    for row in rows {
        let row = row?;
        let fields = row.iter().map(|cell| match cell {
            Cell::Null => String::new(),
            cell => field(&cell.plain()),
        });
        written(line(out, fields, columns.len()))?;
    }
    Ok(())
}

fn line(
    out: &mut impl Write,
    fields: impl Iterator<Item = String>,
    count: usize,
) -> io::Result<()> {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        // A line without anything is no row to those who read CSV.
        let field = if count == 1 && field.is_empty() {
            "\"\""
        } else {
            &field
        };
        out.write_all(field.as_bytes())?;
    }
    out.write_all(b"\n")
}

/// A text as a field, in quotes where it needs them.
fn field(text: &str) -> String {
    let blank = text.is_empty() || text.starts_with(' ') || text.ends_with(' ');
    if blank || text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn written(result: io::Result<()>) -> Result<()> {
    result.map_err(|error| Failure::stdout(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(rows: Vec<Vec<Cell>>) -> Sheet<'static> {
        let columns = vec![Column::new("id", "string"), Column::new("n,\"m\"", "int64")];
        Sheet::of(columns, rows)
    }

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![Cell::from("a"), Cell::Int(i64::MAX)],
            vec![Cell::from(""), Cell::Null],
            vec![Cell::from("x\n\"y\", z"), Cell::Int(-1)],
        ]
    }

    fn text(write: impl Fn(&mut Vec<u8>, Sheet<'_>) -> Result<()>, rows: Vec<Vec<Cell>>) -> String {
        let mut out = Vec::new();
        write(&mut out, sheet(rows)).expect("memory does not fail");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn json_is_one_array_also_when_it_is_empty() {
        let found: serde_json::Value = serde_json::from_str(&text(json, rows())).expect("JSON");
        assert_eq!(found[0]["n,\"m\""], i64::MAX);
        assert_eq!(found[2]["id"], "x\n\"y\", z");
        assert_eq!(text(json, Vec::new()), "[]\n");
    }

    #[test]
    fn ndjson_is_a_line_for_each_row() {
        let found = text(|out, sheet| ndjson(out, sheet, false), rows());
        assert_eq!(found.lines().count(), 3);
        for line in found.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON");
        }
    }

    #[test]
    fn csv_tells_null_from_empty_text() {
        let found = text(csv, rows());
        let expected = "id,\"n,\"\"m\"\"\"\na,9223372036854775807\n\"\",\n\"x\n\"\"y\"\", z\",-1\n";
        assert_eq!(found, expected);
        let one = Sheet::of(vec![Column::new("x", "int64")], vec![vec![Cell::Null]]);
        let mut out = Vec::new();
        csv(&mut out, one).expect("memory does not fail");
        assert_eq!(out, b"x\n\"\"\n");
    }

    #[test]
    fn a_failure_in_the_middle_ends_the_output_there() {
        let failing: super::super::Rows<'_> =
            Box::new([Ok(vec![Cell::Null]), Err(Failure::usage("no"))].into_iter());
        let sheet = Sheet::streamed(vec![Column::new("x", "int64")], failing);
        let mut out = Vec::new();
        assert!(ndjson(&mut out, sheet, false).is_err());
        assert_eq!(out, b"{\"x\":null}\n");
    }
}
