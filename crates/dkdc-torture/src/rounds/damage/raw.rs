//! What SQLite says stands in a file, whatever the store would say of it: which rows a
//! flipped bit changed, and whether a check names each of them.

use std::collections::BTreeMap;
use std::path::Path;

use dkdc_state::CheckReport;
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use crate::Result;

/// Tables of [`crate::work`] that have rows here.
const TABLE: &str = "notes";

/// The rows of a table, by number, as far as they can be read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Raw {
    rows: BTreeMap<i64, Row>,
    /// The rows after these cannot be read.
    ends: bool,
}

/// Its id, and all that it has.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    id: String,
    values: Vec<Value>,
}

/// What became of rows that a flipped bit changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Rows that are others, each named by table, version and record.
    pub(super) rows: u64,
    /// Rows cannot be read, and the table is named.
    pub(super) unread: u64,
}

/// Nothing, when not even the list of tables can be read.
#[expect(
    clippy::disallowed_methods,
    reason = "who looks at the bytes is no part of the store"
)]
pub(super) fn read(path: &Path) -> Result<Option<Raw>> {
    let conn = Connection::open(path)?;
    let sql = format!("SELECT * FROM {TABLE} ORDER BY idx");
    let Ok(mut statement) = conn.prepare(&sql) else {
        return Ok(None);
    };
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let place = |name: &str| columns.iter().position(|column| column == name);
    let (Some(idx), Some(id)) = (place("idx"), place("id")) else {
        return Ok(None);
    };
    let mut raw = Raw {
        rows: BTreeMap::new(),
        ends: false,
    };
    let mut rows = statement.query([])?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Some(raw)),
            Err(_) => break,
        };
        let values = (0..columns.len()).map(|at| row.get_ref(at).map(value));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let number = match &values[idx] {
            Value::Integer(number) => *number,
            other => return Err(format!("a number that is {other:?}").into()),
        };
        let id = match &values[id] {
            Value::Text(text) => text.clone(),
            Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        };
        raw.rows.insert(number, Row { id, values });
    }
    raw.ends = true;
    Ok(Some(raw))
}

/// Text that is not UTF-8 is bytes.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(bytes.to_vec()),
        },
    }
}

impl Raw {
    /// Whether a row is what it was.
    pub(super) fn has(&self, idx: i64, sound: &Raw) -> bool {
        self.rows.get(&idx) == sound.rows.get(&idx)
    }
}

/// Each row of the harmed file that is not one of the sound file is named by a check; so
/// is the table of which some cannot be read.
pub(super) fn named(report: &CheckReport, sound: &Raw, harmed: &Raw) -> Result<Named> {
    let mut named = Named::default();
    let says = |beginning: &str| {
        let mut lines = report.damage.iter();
        lines.any(|line| line.starts_with(beginning))
    };
    for (idx, row) in &harmed.rows {
        if sound.rows.get(idx) == Some(row) {
            continue;
        }
        let version = format!("{TABLE}: version {idx} of {:?}", row.id);
        if !says(&version) {
            return Err(format!("{version} is not named: {:?}", report.damage).into());
        }
        named.rows += 1;
    }
    if harmed.ends {
        if !says(&format!("{TABLE}: ")) {
            let damage = &report.damage;
            return Err(format!("{TABLE} cannot be read, and is not named: {damage:?}").into());
        }
        named.unread += 1;
    }
    Ok(named)
}
