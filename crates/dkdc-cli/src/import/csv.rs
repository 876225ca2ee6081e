//! CSV and TSV: a line of names, then a line a record.
//!
//! An empty field is NULL. One in quotes, `""`, is an empty text, or empty
//! bytes; in a column that can hold neither it is NULL, too.

use std::fs::File;
use std::io::{BufReader, Chain, Cursor};

use dkdc_state::{ColumnType, TableSchema};

use super::infer::Guess;
use super::records::{Field, Records, Wrong};
use super::{Columns, Source};
use crate::exit::{Failure, Result};
use crate::output::counted;
use crate::write::Numbered;

pub(super) fn columns(source: &Source<'_>, delimiter: u8) -> Result<Columns> {
    let mut file = Csv::open(source, delimiter)?;
    let names = file.names.iter();
    let mut guesses: Vec<(String, Guess)> =
        names.map(|name| (name.clone(), Guess::default())).collect();
    while let Some((_, fields)) = file.next()? {
        let fields = guesses.iter_mut().zip(&fields);
        fields
            .filter(|(_, field)| field.quoted || !field.text.is_empty())
            .for_each(|((_, guess), field)| guess.text(&field.text));
    }
    let columns = source.besides_id(guesses)?;
    Ok(columns
        .into_iter()
        .map(|(name, guess)| (name, guess.ty()))
        .collect())
}

pub(super) fn rows<'s>(
    source: &'s Source<'_>,
    delimiter: u8,
    table: &'s TableSchema,
) -> Result<impl Iterator<Item = Numbered> + Send + 's> {
    let mut file = Csv::open(source, delimiter)?;
    let columns: Vec<(String, bool)> = file
        .names
        .iter()
        .map(|name| {
            let name = source.renamed(name);
            (name.to_owned(), may_be_empty(table, name))
        })
        .collect();
    let names = file.names.iter().map(|name| (name.clone(), ()));
    source.besides_id(names.collect())?;
    Ok(std::iter::from_fn(move || {
        let (number, fields) = match file.next() {
            Ok(record) => record?,
            Err(error) => return Some(Err(error)),
        };
        let fields: Vec<(&str, Option<&str>)> = columns
            .iter()
            .zip(&fields)
            .map(|((name, may_be_empty), field)| {
                let is_null = field.text.is_empty() && !(field.quoted && *may_be_empty);
                (name.as_str(), (!is_null).then_some(field.text.as_str()))
            })
            .collect();
        let row = table.row_from_text(&fields);
        let row =
            row.map_err(|error| Failure::from(error).at(&format!("{} {number}", source.place())));
        Some(row.map(|row| (number, row)))
    }))
}

/// True for a column in which something may have no characters.
fn may_be_empty(table: &TableSchema, name: &str) -> bool {
    let column = table.columns.iter().find(|column| column.name == name);
    name == "id" || column.is_some_and(|c| matches!(c.ty, ColumnType::Text | ColumnType::Bytes))
}

type Input = Chain<Cursor<Vec<u8>>, BufReader<File>>;

/// A file, behind its line of names.
struct Csv<'s, 'a> {
    source: &'s Source<'a>,
    records: Records<Input>,
    names: Vec<String>,
}

impl<'s, 'a> Csv<'s, 'a> {
    fn open(source: &'s Source<'a>, delimiter: u8) -> Result<Csv<'s, 'a>> {
        let input = BufReader::with_capacity(1 << 16, source.open()?);
        let mut records =
            Records::new(input, delimiter).map_err(|error| Failure::file(source.path, &error))?;
        let header = records.next().map_err(|wrong| refused(source, wrong))?;
        let (line, header) = header.unwrap_or((1, Vec::new()));
        let names: Vec<String> = header.into_iter().map(|field| field.text).collect();
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                return Err(source.wrong(line, format_args!("the column {name:?} is named twice")));
            }
        }
        Ok(Csv {
            source,
            records,
            names,
        })
    }

    /// A record, and the number of the line that it begins in.
    fn next(&mut self) -> Result<Option<(u64, Vec<Field>)>> {
        let record = self.records.next();
        let record = record.map_err(|wrong| refused(self.source, wrong))?;
        if let Some((line, fields)) = &record
            && fields.len() != self.names.len()
        {
            let found = counted(fields.len() as u64, "field");
            let expected = self.names.len();
            let why = format_args!("{found}, where the first line has {expected}");
            return Err(self.source.wrong(*line, why));
        }
        Ok(record)
    }
}

fn refused(source: &Source<'_>, wrong: Wrong) -> Failure {
    match wrong {
        Wrong::Io(error) => Failure::file(source.path, &error),
        Wrong::At(line, why) => source.wrong(line, why),
    }
}
