//! CSV and TSV: a line of names, then a line a record; an empty field is NULL.

use std::fs::File;
use std::io::Read;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use dkdc_state::TableSchema;

use super::infer::Guess;
use super::{Columns, Source};
use crate::exit::{Failure, Result};
use crate::write::Numbered;

pub(super) fn columns(source: &Source<'_>, delimiter: u8) -> Result<Columns> {
    let mut reader = reader(source, delimiter)?;
    let mut guesses: Vec<(String, Guess)> = header(source, &mut reader)?
        .into_iter()
        .map(|name| (name, Guess::default()))
        .collect();
    let mut record = StringRecord::new();
    while next(source, &mut reader, &mut record)?.is_some() {
        let fields = guesses.iter_mut().zip(&record);
        fields
            .filter(|(_, field)| !field.is_empty())
            .for_each(|((_, guess), field)| guess.text(field));
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
    let mut reader = reader(source, delimiter)?;
    let names = header(source, &mut reader)?;
    source.besides_id(names.iter().map(|name| (name.clone(), ())).collect())?;
    let mut record = StringRecord::new();
    Ok(std::iter::from_fn(move || {
        let number = match next(source, &mut reader, &mut record) {
            Ok(number) => number?,
            Err(error) => return Some(Err(error)),
        };
        let texts = record
            .iter()
            .map(|field| (!field.is_empty()).then_some(field));
        let names = names.iter().map(|name| source.renamed(name));
        let fields: Vec<(&str, Option<&str>)> = names.zip(texts).collect();
        let row = table.row_from_text(&fields);
        let row =
            row.map_err(|error| Failure::from(error).at(&format!("{} {number}", source.place())));
        Some(row.map(|row| (number, row)))
    }))
}

/// A file whose quotes are counted: an odd number of them means that the last
/// field, and so what came before the end of the file, is not all there.
struct Quotes {
    file: File,
    odd: bool,
}

impl Read for Quotes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        let quotes = buffer[..read].iter().filter(|byte| **byte == b'"').count();
        self.odd ^= quotes % 2 == 1;
        Ok(read)
    }
}

fn reader(source: &Source<'_>, delimiter: u8) -> Result<Reader<Quotes>> {
    let file = source.open()?;
    let mut builder = ReaderBuilder::new();
    let builder = builder.delimiter(delimiter);
    Ok(builder.from_reader(Quotes { file, odd: false }))
}

fn header(source: &Source<'_>, reader: &mut Reader<Quotes>) -> Result<Vec<String>> {
    let header = reader.headers().map_err(|error| refused(source, &error))?;
    let names: Vec<String> = header
        .iter()
        // Some programs put a mark before the first name.
        .map(|name| name.trim_start_matches('\u{feff}').to_owned())
        .collect();
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            return Err(source.wrong(1, format_args!("the column {name:?} is named twice")));
        }
    }
    Ok(names)
}

/// Reads a record; the number of the line that it begins in.
fn next(
    source: &Source<'_>,
    reader: &mut Reader<Quotes>,
    record: &mut StringRecord,
) -> Result<Option<u64>> {
    let read = reader.read_record(record);
    if !read.map_err(|error| refused(source, &error))? {
        if reader.get_ref().odd {
            let end = reader.position().line();
            return Err(source.wrong(end, "the file ends inside a quoted field"));
        }
        return Ok(None);
    }
    Ok(Some(record.position().map_or(0, csv::Position::line)))
}

fn refused(source: &Source<'_>, error: &csv::Error) -> Failure {
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        ErrorKind::Io(error) => Failure::file(source.path, error),
        ErrorKind::Utf8 { .. } => source.wrong(line, "it is not UTF-8"),
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => source.wrong(
            line,
            format_args!("{len} fields, where the first line has {expected_len}"),
        ),
        _ => source.wrong(line, error),
    }
}
