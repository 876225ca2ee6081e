//! NDJSON: a JSON object a line.

use std::io::BufReader;

use dkdc_state::TableSchema;
use serde_json::{Map, Value as Json};

use super::infer::Guess;
use super::{Columns, Source};
use crate::exit::{Failure, Result};
use crate::input;
use crate::write::Numbered;

pub(super) fn columns(source: &Source<'_>) -> Result<Columns> {
    let mut guesses: Vec<(String, Guess)> = Vec::new();
    for line in input::lines(BufReader::new(source.open()?), &source.name) {
        let (number, line) = line?;
        for (name, json) in object(source, number, &line)? {
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
    let lines = input::lines(BufReader::new(source.open()?), &source.name);
    Ok(lines.map(|line| {
        let (number, line) = line?;
        let row = match renamed(source, number, &line)? {
            Some(line) => table.row_from_json(&line),
            None => table.row_from_json(&line),
        };
        let place = || format!("{} {number}", source.place());
        let row = row.map_err(|error| Failure::from(error).at(&place()))?;
        Ok((number, row))
    }))
}

/// The line with its id as a text called id; `None`: it is like that already.
fn renamed(source: &Source<'_>, number: u64, line: &str) -> Result<Option<String>> {
    let mut object = object(source, number, line)?;
    match object.get(source.id) {
        None => Err(source.wrong(number, source.no_id())),
        Some(Json::String(_)) if source.id == "id" => Ok(None),
        Some(_) if source.id != "id" && object.contains_key("id") => {
            let why = format_args!("it has an \"id\" beside {:?}", source.id);
            Err(source.wrong(number, why))
        }
        Some(_) => {
            // A whole number is an id in other programs; here ids are text.
            let id = match object.remove(source.id) {
                Some(Json::Number(id)) if !id.is_f64() => Json::String(id.to_string()),
                id => id.unwrap_or_default(),
            };
            object.insert("id".to_owned(), id);
            Ok(Some(Json::Object(object).to_string()))
        }
    }
}

fn object(source: &Source<'_>, number: u64, line: &str) -> Result<Map<String, Json>> {
    match serde_json::from_str(line) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(source.wrong(number, "expected a JSON object, such as {\"id\": \"a\"}")),
        Err(error) => Err(source.wrong(number, error)),
    }
}
