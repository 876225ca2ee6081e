//! Which statements are answered: one, that reads. DuckDB's parser decides, not
//! the beginning of the text.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use duckdb::Connection;
use serde_json::Value;

use super::engine::refused;
use crate::error::{Error, Result};

/// Statements that are remembered, and their length at most.
const KNOWN: usize = 256;
const KNOWN_LENGTH: usize = 4096;

/// What a statement that is answered asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// Names that it uses as those of tables of current rows.
    pub(super) tables: Vec<String>,
    /// It reads from something else besides.
    pub(super) others: bool,
}

/// The judge, who remembers.
#[derive(Default)]
pub(super) struct Judge {
    known: Mutex<HashMap<String, Arc<Judged>>>,
}

impl Judge {
    /// Refuses what is not one statement that reads.
    pub(super) fn only_reads(&self, connection: &Connection, query: &str) -> Result<Arc<Judged>> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(judged) = known().get(query) {
            return Ok(Arc::clone(judged));
        }
        let judged = Arc::new(judge(connection, query)?);
        if query.len() <= KNOWN_LENGTH {
            let mut known = known();
            if known.len() >= KNOWN {
                known.clear();
            }
            known.insert(query.to_owned(), Arc::clone(&judged));
        }
        Ok(judged)
    }
}

fn judge(connection: &Connection, query: &str) -> Result<Judged> {
    let json: Option<String> = connection
        .prepare_cached("SELECT json_serialize_sql(?::VARCHAR)")
        .and_then(|mut s| s.query_row([explained(query)], |row| row.get(0)))
        .map_err(refused)?;
    let parsed: Value = serde_json::from_str(json.as_deref().unwrap_or("null"))
        .map_err(|error| Error::Query(format!("the statement is not understood: {error}")))?;
    if parsed["error"] == Value::Bool(true) {
        let why = parsed["error_message"].as_str().unwrap_or_default();
        return Err(Error::Query(if why.contains("Only SELECT") {
            "only statements that read are answered, such as SELECT, FROM or DESCRIBE".to_owned()
        } else {
            why.to_owned()
        }));
    }
    match parsed["statements"].as_array().map(Vec::len) {
        Some(1) => {
            let mut judged = Judged::default();
            judged.collect(&parsed["statements"]);
            Ok(judged)
        }
        None | Some(0) => Err(Error::Query("there is no question in it".to_owned())),
        Some(_) => Err(Error::Query(
            "one statement at a time is answered".to_owned(),
        )),
    }
}

impl Judged {
    /// True when it uses a name as that of a table of current rows.
    pub(super) fn names(&self, table: &str) -> bool {
        self.tables
            .iter()
            .any(|name| name.eq_ignore_ascii_case(table))
    }

    /// Finds the tables in a part of a statement.
    fn collect(&mut self, part: &Value) {
        match part {
            Value::Array(parts) => parts.iter().for_each(|part| self.collect(part)),
            Value::Object(parts) => {
                let text = |key| parts.get(key).and_then(Value::as_str).unwrap_or_default();
                match (text("type"), text("schema_name")) {
                    ("BASE_TABLE", "" | "main") => {
                        let name = text("table_name").to_owned();
                        if !self.tables.contains(&name) {
                            self.tables.push(name);
                        }
                    }
                    ("BASE_TABLE" | "TABLE_FUNCTION" | "SHOW_REF", _) => self.others = true,
                    _ => {}
                }
                parts.values().for_each(|part| self.collect(part));
            }
            _ => {}
        }
    }
}

/// What EXPLAIN or EXPLAIN ANALYZE is asked of: DuckDB's function takes the
/// statement alone, and explaining one that reads only reads.
fn explained(query: &str) -> &str {
    let after = |text: &str, word: &str| {
        let (first, rest) = text.trim_start().split_at_checked(word.len())?;
        let ends = rest.starts_with(char::is_whitespace);
        (first.eq_ignore_ascii_case(word) && ends).then(|| text.len() - rest.len())
    };
    let Some(at) = after(query, "explain") else {
        return query;
    };
    let rest = &query[at..];
    after(rest, "analyze").map_or(rest, |at| &rest[at..])
}
