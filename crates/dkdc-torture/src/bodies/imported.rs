//! What an import must have made of a file: read from the file once more, by nobody
//! whom the import uses.

use std::path::Path;

use dkdc_state::serde_json::Value as Json;
use dkdc_state::{ColumnType, Error, Row, Select, State, Table};

use super::kept::is_number;

/// Nothing was written: there is no store, or no table in it.
///
/// # Panics
/// When something was, as every body of these does.
pub(super) fn nothing(store: &Path) {
    match State::options().create(false).open(store) {
        Ok(state) => {
            let tables = state.tables().expect("the tables");
            assert!(tables.is_empty(), "refused, and there is {tables:?}");
        }
        Err(error) => {
            let never_came_to_be = matches!(error, Error::NoStore { .. } | Error::NotAStore { .. });
            assert!(never_came_to_be, "refused, and the store is {error}");
        }
    }
}

/// Each line of the file is a record of the table `t`, and there is no other.
pub(super) fn all(store: &Path, ending: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("imported, and not UTF-8");
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let state = State::options().create(false).open(store);
    let table = state.and_then(|state| state.rows("t"));
    let table = table.expect("imported, and there is no table");
    let versions = table.list(&Select::new()).expect("a list");
    match ending {
        "ndjson" => ndjson(&table, text, versions.len()),
        _ => csv(&table, text, versions.len()),
    }
}

fn ndjson(table: &Table<Row>, text: &str, records: usize) {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let lines: Vec<Json> = lines
        .map(|line| dkdc_state::serde_json::from_str(line).expect("imported, and no JSON"))
        .collect();
    assert_eq!(records, lines.len(), "imported are other records: {text:?}");
    for line in lines {
        let Some(id) = line["id"].as_str() else {
            continue;
        };
        let row = table.get(id).expect("a read").expect("it was imported");
        let shown = row.record.to_json();
        for (name, given) in line.as_object().into_iter().flatten() {
            let kept = shown.get(name).unwrap_or(&Json::Null);
            assert!(
                is_kept(table, name, given, kept),
                "{id:?}: {name} is {kept}, not {given}"
            );
        }
    }
}

/// Times are shown in one way, whatever the file's was; the others as they were given.
fn is_kept(table: &Table<Row>, name: &str, given: &Json, kept: &Json) -> bool {
    let schema = table.schema().expect("a schema");
    let column = schema.columns.iter().find(|column| column.name == name);
    match column.map(|column| column.ty) {
        Some(ColumnType::Float) => is_number(given, kept),
        Some(ColumnType::Text | ColumnType::Int | ColumnType::Bool | ColumnType::Json) | None => {
            given == kept
        }
        Some(_) => given.is_null() == kept.is_null(),
    }
}

fn csv(table: &Table<Row>, text: &str, records: usize) {
    let mut lines = lines(text).into_iter();
    let names = lines.next().unwrap_or_default();
    assert_eq!(records, lines.len(), "imported are other records: {text:?}");
    let id = names.iter().position(|name| name.text == "id");
    let id = id.expect("imported, and there is no id");
    let schema = table.schema().expect("a schema");
    for fields in lines {
        let row = table.get(&fields[id].text).expect("a read");
        let shown = row.expect("it was imported").record.to_json();
        for (name, given) in names.iter().zip(&fields) {
            let is_text = |column: &dkdc_state::Column| {
                column.name == name.text && column.ty == ColumnType::Text
            };
            if schema.columns.iter().any(is_text) {
                let kept = shown.get(&name.text).and_then(Json::as_str);
                let is_there = given.quoted || !given.text.is_empty();
                let given = is_there.then_some(given.text.as_str());
                assert_eq!(kept, given, "{} of {text:?}", name.text);
            }
        }
    }
}

/// A field of CSV.
#[derive(Default)]
struct Field {
    text: String,
    quoted: bool,
}

/// The lines of a text that was imported, field by field (RFC 4180): in quotes, a field
/// may go on behind the end of a line. Blank lines are none.
fn lines(text: &str) -> Vec<Vec<Field>> {
    let (mut lines, mut fields) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if fields.is_empty() && matches!(first, '\r' | '\n') {
            rest = &rest[1..];
            continue;
        }
        let (field, behind) = match rest.strip_prefix('"') {
            Some(rest) => quoted(rest),
            None => bare(rest),
        };
        fields.push(field);
        if let Some(next) = behind.strip_prefix(',') {
            rest = next;
            // Behind the last comma there is a field, too.
            if !rest.is_empty() {
                continue;
            }
            fields.push(Field::default());
        } else {
            let ends = behind.is_empty() || behind.starts_with(['\r', '\n']);
            assert!(ends, "imported, and behind a quote is {behind:?}");
            rest = behind.get(1..).unwrap_or_default();
        }
        lines.push(std::mem::take(&mut fields));
    }
    lines
}

/// A field whose first quote is before this text, and what is behind its last one.
fn quoted(text: &str) -> (Field, &str) {
    let mut end = 0;
    loop {
        let quote = text[end..]
            .find('"')
            .expect("imported, and a quote is open");
        end += quote;
        // Two of them are one that it holds.
        if !text[end + 1..].starts_with('"') {
            break;
        }
        end += 2;
    }
    let field = Field {
        text: text[..end].replace("\"\"", "\""),
        quoted: true,
    };
    (field, &text[end + 1..])
}

fn bare(text: &str) -> (Field, &str) {
    let (field, behind) = text.split_at(text.find([',', '\r', '\n']).unwrap_or(text.len()));
    let field = Field {
        text: field.to_owned(),
        quoted: false,
    };
    (field, behind)
}
