//! What an import must have made of a file: read from the file once more, by nobody
//! whom the import uses.

use std::path::Path;

use dkdc_state::serde_json::Value as Json;
use dkdc_state::{ColumnType, Row, Select, State, Table};

/// Nothing was written: there is no store, or no table in it.
pub(super) fn nothing(store: &Path) {
    if store.exists() {
        let state = State::options().create(false).open(store);
        // A store that never came to be, or one without anything in it.
        let tables = state.map_or_else(|_| Vec::new(), |s| s.tables().expect("the tables"));
        assert!(tables.is_empty(), "refused, and there is {tables:?}");
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
        // What quotes may do is not done again here.
        _ if text.contains(['"', '\r']) => {}
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
        Some(ColumnType::Float) => given.as_f64() == kept.as_f64(),
        Some(ColumnType::Text | ColumnType::Int | ColumnType::Bool | ColumnType::Json) | None => {
            given == kept
        }
        Some(_) => given.is_null() == kept.is_null(),
    }
}

fn csv(table: &Table<Row>, text: &str, records: usize) {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    assert_eq!(records, lines.len(), "imported are other records: {text:?}");
    let id = names.iter().position(|name| *name == "id");
    let id = id.expect("imported, and there is no id");
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let row = table
            .get(fields[id])
            .expect("a read")
            .expect("it was imported");
        let shown = row.record.to_json();
        for (name, given) in names.iter().zip(&fields) {
            let kept = shown.get(name).and_then(Json::as_str);
            let schema = table.schema().expect("a schema");
            let is_text = |column: &&dkdc_state::Column| {
                column.name == *name && column.ty == ColumnType::Text
            };
            if schema.columns.iter().any(|column| is_text(&column)) {
                let given = (!given.is_empty()).then_some(*given);
                assert_eq!(kept, given, "{name} of {line:?}");
            }
        }
    }
}
