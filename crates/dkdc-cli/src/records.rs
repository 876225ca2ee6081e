//! Records as sheets: of a derived type or of any table, current or in all
//! their versions.

use dkdc_state::{Idx, Record, Row, TableSchema, ValueError, Version, Versioned};

use crate::exit::{Failure, Result};
use crate::output::{Cell, Column, Output, Rows, Sheet, escaped, say};
use crate::store::Stores;

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
    let rows = records.into_iter().map(|record| current(&record));
    all_of(columns_of::<R>(), Box::new(rows), total)
}

/// The same, as they are read.
pub(crate) fn streamed<'a, R, E>(
    records: impl Iterator<Item = Result<Versioned<R>, E>> + 'a,
) -> Sheet<'a>
where
    R: Record + 'a,
    Failure: From<E>,
{
    let rows = records.map(|record| current(&record?));
    Sheet::streamed(columns_of::<R>(), Box::new(rows))
}

/// `idx`, `id`, then the values.
fn current<R: Record>(record: &Versioned<R>) -> Result<Vec<Cell>> {
    let start = [Cell::Idx(record.idx()), record.id().as_ref().into()];
    Ok(start.into_iter().chain(cells(&record.record)?).collect())
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

/// The command that brings a deleted record back.
pub(crate) struct Restore {
    /// `dkdc todo restore`, on the store in use.
    start: String,
    /// What is restored.
    words: Vec<String>,
    user: Option<String>,
}

impl Restore {
    /// For `dkdc <of> restore <words>`.
    pub(crate) fn new(stores: &Stores, of: &str, words: &[&str]) -> Restore {
        Restore {
            start: format!("{} {of} restore", stores.dkdc()),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            user: None,
        }
    }

    /// The same for this user's.
    pub(crate) fn user(mut self, user: Option<&str>) -> Restore {
        self.user = user.map(str::to_owned);
        self
    }

    /// The command, as a shell takes it.
    fn line(&self, version: Idx) -> String {
        let mut line = self.start.clone();
        let user = self.user.iter().map(|user| format!("--user={user}"));
        let options = user.chain([format!("--version={}", version.shown())]);
        let is_option = self.words.iter().any(|word| word.starts_with('-'));
        let end = is_option.then(|| "--".to_owned());
        for word in options.chain(end).chain(self.words.iter().cloned()) {
            line.push(' ');
            line.push_str(&in_shell(&word));
        }
        line
    }
}

/// Says that a record is gone, and the command that brings it back. `key`: what
/// it is called in a result for programs, and its id.
pub(crate) fn say_deleted(
    output: &mut Output,
    what: &str,
    key: (&str, &str),
    restore: &Restore,
    deleted: &Version,
) -> Result<()> {
    match deleted.prev {
        Some(idx) => say(&format!(
            "{what} is deleted; to bring it back: {}",
            restore.line(idx)
        )),
        None => say(&format!("{what} is deleted")),
    }
    output.report([
        ("idx", deleted.idx.into()),
        ("op", deleted.op.name().into()),
        (key.0, key.1.into()),
    ])
}

/// A word as a shell takes it. What [`say`] would show as an escape is one to
/// the shell, too: bash, zsh and ksh know `$'...'`.
pub(crate) fn in_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if escaped(word).to_string() == word {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let mut quoted = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if escaped(c.encode_utf8(&mut [0; 4])).to_string() == c.to_string() => quoted.push(c),
            c if c.is_ascii() => quoted += &format!("\\x{:02x}", u32::from(c)),
            c => quoted += &format!("\\U{:08x}", u32::from(c)),
        }
    }
    quoted.push('\'');
    quoted
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
            ("日本", "'日本'"),
            ("a\nb'\\", "$'a\\x0ab\\'\\\\'"),
            ("\u{202e}é", "$'\\U0000202eé'"),
        ] {
            assert_eq!(in_shell(word), quoted);
        }
    }
}
