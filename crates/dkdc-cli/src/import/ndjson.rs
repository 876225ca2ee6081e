//! NDJSON, a JSON object a line; and JSON, an array of objects, which is read
//! whole.

use std::collections::BTreeMap;
use std::io::BufReader;

use dkdc_state::TableSchema;
use serde_json::Value as Json;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::infer::Guess;
use super::{Columns, Kind, Source};
use crate::exit::{Failure, Result};
use crate::input;
use crate::write::Numbered;

pub(super) fn columns(source: &Source<'_>) -> Result<Columns> {
    let mut guesses: Vec<(String, Guess)> = Vec::new();
    for line in objects(source)? {
        let (number, line) = line?;
        for (name, json) in object::<Json>(source, number, serde_json::from_str(&line))? {
            match guesses.iter_mut().find(|(known, _)| *known == name) {
                Some((_, guess)) => guess.json(&json),
                None => {
                    let mut guess = Guess::default();
                    guess.json(&json);
                    guesses.push((name, guess));
                }
            }
        }
    }
    let columns = source.besides_id(guesses)?;
    Ok(columns
        .into_iter()
        .map(|(name, guess)| (name, guess.ty()))
        .collect())
}

pub(super) fn rows<'s>(
    source: &'s Source<'_>,
    table: &'s TableSchema,
) -> Result<impl Iterator<Item = Numbered> + Send + 's> {
    Ok(objects(source)?.map(|line| {
        let (number, line) = line?;
        check_id(source, number, &line)?;
        let place = || format!("{} {number}", source.place());
        let row = table.row_from_json_by(&line, source.id);
        let row = row.map_err(|error| Failure::from(error).at(&place()))?;
        Ok((number, row))
    }))
}

/// Texts of objects, numbered.
type Objects<'s> = Box<dyn Iterator<Item = Result<(u64, String)>> + Send + 's>;

fn objects<'s>(source: &'s Source<'_>) -> Result<Objects<'s>> {
    let content = BufReader::new(source.open()?);
    if source.kind != Kind::Json {
        return Ok(Box::new(input::lines(content, &source.name)));
    }
    let text = std::io::read_to_string(content);
    let text = text.map_err(|error| Failure::file(source.path, &error))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let parsed = serde_json::from_str::<Vec<Box<RawValue>>>(text);
    let objects = parsed.map_err(|error| {
        let why = match error.classify() {
            Category::Data => "expected an array of JSON objects".to_owned(),
            _ => format!("it is no array of JSON objects: {}", mistake(&error)),
        };
        Failure::usage(format!("{}: {why}", source.name))
    })?;
    let objects = objects.into_iter().map(|json| json.get().to_owned());
    Ok(Box::new((1..).zip(objects).map(Ok)))
}

/// Refuses a line that has no id, or two.
fn check_id(source: &Source<'_>, number: u64, line: &str) -> Result<()> {
    // The values are the table's to judge.
    let object = object::<Box<RawValue>>(source, number, serde_json::from_str(line))?;
    if !object.contains_key(source.id) {
        return Err(source.wrong(number, source.no_id()));
    }
    if source.id != "id" && object.contains_key("id") {
        let why = format_args!("it has an \"id\" beside {:?}", source.id);
        return Err(source.wrong(number, why));
    }
    Ok(())
}

/// Keys and values of a line.
fn object<T>(
    source: &Source<'_>,
    number: u64,
    parsed: serde_json::Result<BTreeMap<String, T>>,
) -> Result<BTreeMap<String, T>> {
    parsed.map_err(|error| match error.classify() {
        Category::Data => source.wrong(number, "expected a JSON object, such as {\"id\": \"a\"}"),
        _ => source.wrong(number, format!("it is no JSON object: {}", mistake(&error))),
    })
}

/// Where a text is no JSON, without the parser's words.
fn mistake(error: &serde_json::Error) -> String {
    let place = format!("at line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => format!("it ends too early, {place}"),
        _ => format!("the mistake is {place}"),
    }
}
