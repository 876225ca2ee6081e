//! What SQLite says stands in a file, whatever the store would say of it: which rows a
//! flipped bit changed, and whether a check names each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dkdc_state::CheckReport;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags};

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
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
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
            // As a check names the record.
            Value::Null | Value::Integer(_) | Value::Real(_) => "?".to_owned(),
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

    /// Whether the row before one, or the one before it of its record, is another there.
    fn is_behind(&self, idx: i64, other: &Raw) -> bool {
        let before = || self.rows.range(..idx).rev();
        let id = self.rows.get(&idx).map(|row| &row.id);
        let of_record = before().find(|(_, row)| Some(&row.id) == id);
        let mut rows = before().next().into_iter().chain(of_record);
        rows.any(|(idx, _)| !self.has(*idx, other))
    }
}

/// The versions that a check names.
pub(super) fn versions(report: &CheckReport) -> BTreeSet<i64> {
    let named = |line: &String| {
        let line = line.strip_prefix(TABLE)?.strip_prefix(": ")?;
        // As it is told of what cannot be read.
        let version = line.strip_prefix("version ");
        let version = version.or_else(|| line.split_once(", version ").map(|(_, it)| it))?;
        version.split_once([' ', ':'])?.0.parse::<i64>().ok()
    };
    report.damage.iter().filter_map(named).collect()
}

/// Each row of the harmed file that is not one of the sound file is named by a check; so
/// is the table of which some cannot be read. Of other rows, where the check finds
/// nothing but rows, it names at most those behind one, which say what they replace and
/// continue from.
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
    let of_rows = |line: &String| {
        let rest = line
            .strip_prefix(TABLE)
            .and_then(|line| line.strip_prefix(": "));
        rest.is_some_and(|rest| !rest.starts_with("its "))
    };
    if !harmed.ends && report.damage.iter().all(of_rows) {
        let as_it_was = |idx: &i64| {
            let behind = harmed.is_behind(*idx, sound) || sound.is_behind(*idx, harmed);
            harmed.has(*idx, sound) && !behind
        };
        if let Some(idx) = versions(report).into_iter().find(as_it_was) {
            let damage = &report.damage;
            return Err(format!("version {idx} is as it was, and named: {damage:?}").into());
        }
    }
    Ok(named)
}
