//! Records as sheets: of a derived type or of any table, current or in all
//! their versions.

use dkdc_state::{Record, Row, TableSchema, ValueError, Version, Versioned};

use crate::exit::{Failure, Result};
use crate::output::{Cell, Column, Rows, Sheet, say};

/// `idx`, `id`, then the columns.
pub(crate) fn columns_of<R: Record>() -> Vec<Column> {
    let columns = R::table().columns;
    let columns = columns
        .into_iter()
        .map(|column| Column::of(column.name, column.ty));
    leading(&["idx", "id"]).chain(columns).collect()
}

/// Current records of a derived type.
pub(crate) fn sheet<'a, R: Record + 'a>(records: Vec<Versioned<R>>) -> Sheet<'a> {
    let total = records.len();
    let rows = records.into_iter().map(|record| {
        let start = [Cell::Idx(record.idx()), record.id().as_ref().into()];
        Ok(start.into_iter().chain(cells(&record.record)?).collect())
    });
    all_of(columns_of::<R>(), Box::new(rows), total)
}

/// Versions of a derived type: `op` beside `idx`, and only NULL in a delete.
/// `id`: of all of them, where that is one.
pub(crate) fn history<'a, R: Record + 'a>(
    id: Option<&'a str>,
    versions: Vec<Versioned<Option<R>>>,
) -> Sheet<'a> {
    let total = versions.len();
    let width = R::table().columns.len();
    let rows = versions.into_iter().map(move |version| {
        let mut row = start(&version);
        match &version.record {
            Some(record) => {
                row.push(record.id().as_ref().into());
                row.extend(cells(record)?);
            }
            None => {
                row.push(id.into());
                row.resize(row.len() + width, Cell::Null);
            }
        }
        Ok(row)
    });
    let mut columns = columns_of::<R>();
    columns.insert(1, Column::new("op", "string"));
    all_of(columns, Box::new(rows), total)
}

fn cells<R: Record>(record: &R) -> Result<impl Iterator<Item = Cell>> {
    let values = record
        .to_values()
        .map_err(|error: ValueError| Failure::usage(error.to_string()))?;
    Ok(values.into_iter().map(Cell::from))
}

/// `idx`, `id`, then the columns of a table.
pub(crate) fn columns_in(schema: &TableSchema) -> Vec<Column> {
    let columns = schema.columns.iter();
    let columns = columns.map(|column| Column::of(column.name.as_str(), column.ty));
    leading(&["idx", "id"]).chain(columns).collect()
}

/// Current records of any table.
pub(crate) fn rows<'a>(schema: &TableSchema, records: Vec<Versioned<Row>>) -> Sheet<'a> {
    let total = records.len();
    let rows = records.into_iter().map(|record| {
        let idx = Cell::Idx(record.idx());
        let Row { id, fields } = record.record;
        let values = fields.into_iter().map(|(_, value)| Cell::from(value));
        Ok([idx, Cell::Text(id)].into_iter().chain(values).collect())
    });
    all_of(columns_in(schema), Box::new(rows), total)
}

/// Versions of one record of any table.
pub(crate) fn row_history<'a>(
    schema: &TableSchema,
    id: &'a str,
    versions: Vec<Versioned<Option<Row>>>,
) -> Sheet<'a> {
    let total = versions.len();
    let mut columns = columns_in(schema);
    columns.insert(1, Column::new("op", "string"));
    let width = columns.len();
    let rows = versions.into_iter().map(move |version| {
        let mut row = start(&version);
        row.push(id.into());
        let fields = version.record.map(|row| row.fields).unwrap_or_default();
        row.extend(fields.into_iter().map(|(_, value)| Cell::from(value)));
        row.resize(width, Cell::Null);
        Ok(row)
    });
    all_of(columns, Box::new(rows), total)
}

fn start<T>(version: &Versioned<T>) -> Vec<Cell> {
    vec![
        Cell::Idx(version.version.idx),
        version.version.op.name().into(),
    ]
}

fn leading(names: &'static [&'static str]) -> impl Iterator<Item = Column> {
    names.iter().map(|name| match *name {
        "idx" => Column::new("idx", "timestamp(6)"),
        name => Column::new(name, "string"),
    })
}

fn all_of<'a>(columns: Vec<Column>, rows: Rows<'a>, total: usize) -> Sheet<'a> {
    Sheet {
        columns,
        rows,
        total: Some(total),
    }
}

/// Says that a record is gone, and the command that brings it back.
pub(crate) fn say_deleted(what: &str, restore: &str, deleted: &Version) {
    match deleted.prev {
        Some(idx) => say(&format!(
            "{what} is deleted; {restore} --version {idx} brings it back"
        )),
        None => say(&format!("{what} is deleted")),
    }
}

/// A word as a shell takes it.
pub(crate) fn in_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_more_into_them() {
        for (word, quoted) in [
            ("x7k", "x7k"),
            ("a/b-c.txt", "a/b-c.txt"),
            ("two words", "'two words'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(in_shell(word), quoted);
        }
    }
}
