//! What is done with bytes that anybody may give: the bodies of the fuzz
//! targets, which also run as bounded tests.
//!
//! Each takes any bytes and panics when a promise does not hold: what is refused leaves
//! nothing written, and what is accepted is there as it was given. Each says which it
//! was. This file depends on `dkdc-state` and little else, so that the fuzz targets
//! build it without DuckDB.

// The paths, since fuzz targets find this file by one.
#[path = "bodies/imported.rs"]
mod imported;
#[path = "bodies/kept.rs"]
mod kept;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use dkdc_state::{
    ColumnDef, ColumnType, Durability, ErrorKind, Idx, IndexDef, ListItem, Moment, Row, State,
    Table, TableDef, jiff,
};

/// What became of an input whose promises hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "of inputs that are all refused nothing is shown"]
pub enum Became {
    /// It is there, or means something.
    Accepted,
    /// It was refused, or found.
    Refused,
}

/// Time phrases: understood or refused, and understood alike when written again.
pub fn time(bytes: &[u8]) -> Became {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Became::Refused;
    };
    let now = jiff::Timestamp::from_microsecond(1_795_341_600_000_000).expect("a time");
    match Moment::parse(text, now) {
        Ok(moment) => {
            let shown = moment.to_string();
            let again = Moment::parse(&shown, now).expect("what is shown is understood");
            assert_eq!(again, moment, "{text:?} is shown as {shown:?}");
            // What is a time to others is that time.
            if let Ok(time) = text.parse::<jiff::Timestamp>() {
                assert_eq!(Moment::from(time), moment, "{text:?}");
            }
            Became::Accepted
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Input, "{text:?}: {error}");
            Became::Refused
        }
    }
}

fn open(path: &Path) -> dkdc_state::Result<State> {
    let options = State::options().durability(Durability::Relaxed);
    options.seal_rows(20).open(path)
}

/// A table with a column of every type.
fn every_type() -> TableDef {
    use ColumnType::{Blob, Bool, Bytes, Date, Float, Int, Json, List, Text, Timestamp, Uuid};
    let types = [
        Text,
        Int,
        Float,
        Bool,
        Bytes,
        Timestamp,
        Date,
        Uuid,
        Json,
        List(ListItem::Text),
        Blob,
    ];
    let mut table = TableDef::new("t").index(IndexDef::new(["c0", "-idx"]));
    for (at, ty) in types.into_iter().enumerate() {
        table = table.column(ColumnDef::new(format!("c{at}"), ty));
    }
    table
}

/// A row in JSON: kept exactly, or refused by an error of the input's.
///
/// # Panics
/// When it is neither.
pub fn row(bytes: &[u8]) -> Became {
    static STORE: OnceLock<(tempfile::TempDir, State, Table<Row>)> = OnceLock::new();
    let (_, state, table) = STORE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let state = open(&folder.path().join("data.db")).expect("a store");
        let table = state.define(&every_type()).expect("a table");
        (folder, state, table)
    });
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Became::Refused;
    };
    let last = state.last().expect("a number");
    let refused = |error: &dkdc_state::Error| {
        let is_refusal = matches!(error.kind(), ErrorKind::Input | ErrorKind::NotFound);
        assert!(is_refusal, "{text:?}: {error}");
        let now = state.last().expect("a number");
        assert_eq!(now, last, "{text:?} is refused, and written");
        Became::Refused
    };
    let row = match table.row_from_json(text) {
        Ok(row) => row,
        Err(error) => return refused(&error),
    };
    match table.upsert(&row) {
        Ok(version) => {
            let found = table.get(&row.id).expect("a read").expect("just written");
            assert_eq!(found.version, version, "{text:?}");
            assert!(version.idx > last, "{text:?} is written before {last}");
            kept::declared(text, &found.record);
            let json = found.record.to_json().to_string();
            let again = table
                .row_from_json(&json)
                .expect("what is shown is understood");
            table.upsert(&again).expect("as it was");
            let found_again = table.get(&row.id).expect("a read").expect("just written");
            assert_eq!(
                found_again.record, found.record,
                "{text:?} is shown as {json}"
            );
            Became::Accepted
        }
        Err(error) => refused(&error),
    }
}

/// A store with everything in it, closed.
struct Template {
    _folder: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
    /// Files of the mirror, by name.
    mirror: Vec<(std::ffi::OsString, Vec<u8>)>,
    truth: Vec<(Idx, Option<Row>)>,
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.db");
        let state = open(&path).expect("a store");
        let table = state.define(&every_type()).expect("a table");
        for n in 0..60 {
            let body = "x".repeat(if n % 10 == 0 { 6_000 } else { 20 });
            let row = Row::new((n % 25).to_string())
                .with("c0", body)
                .with("c1", n);
            table.upsert(&row).expect("written");
        }
        state.keep_mirror().expect("sealed");
        let truth = read(&state).expect("everything");
        drop((table, state));
        let mirror = folder.path().join("data.db-mirror");
        let files = std::fs::read_dir(mirror).expect("a mirror").map(|file| {
            let file = file.expect("a file");
            (file.file_name(), std::fs::read(file.path()).expect("bytes"))
        });
        let mut mirror: Vec<_> = files.collect();
        mirror.sort();
        Template {
            bytes: std::fs::read(&path).expect("a file"),
            path,
            _folder: folder,
            mirror,
            truth,
        }
    })
}

fn read(state: &State) -> dkdc_state::Result<Vec<(Idx, Option<Row>)>> {
    let mut rows = Vec::new();
    for change in state.changes(Idx::ZERO)? {
        let change = change?;
        if let dkdc_state::ChangeKind::Version { row, .. } = change.kind {
            rows.push((change.idx, row));
        }
    }
    Ok(rows)
}

/// Bytes as changes: five of them are a place and a value.
fn change(content: &mut [u8], bytes: &[u8]) -> bool {
    let mut changed = false;
    for change in bytes.chunks_exact(5) {
        let place = u32::from_le_bytes([change[0], change[1], change[2], change[3]]);
        let place = place as usize % content.len().max(1);
        if let Some(byte) = content.get_mut(place) {
            changed |= *byte != change[4];
            *byte = change[4];
        }
    }
    changed
}

/// A copy of the template in a new folder, perhaps with its mirror.
fn copy(
    template: &Template,
    bytes: &[u8],
    mirror: &[(std::ffi::OsString, Vec<u8>)],
) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.db");
    std::fs::write(&path, bytes).expect("a file");
    if !mirror.is_empty() {
        let into = folder.path().join("data.db-mirror");
        std::fs::create_dir(&into).expect("a folder");
        for (name, bytes) in mirror {
            std::fs::write(into.join(name), bytes).expect("a file");
        }
    }
    debug_assert!(template.path != path);
    (folder, path)
}

/// A database file with bytes changed: refused, or found by a check, or what was
/// written.
///
/// # Panics
/// When a check calls it sound and it is not what was written.
pub fn database(bytes: &[u8]) -> Became {
    let template = template();
    let mut content = template.bytes.clone();
    change(&mut content, bytes);
    let (_folder, path) = copy(template, &content, &[]);
    let Ok(state) = open(&path) else {
        let now = std::fs::read(&path).expect("a file");
        assert!(now == content, "refused, and written");
        return Became::Refused;
    };
    let rows = read(&state);
    if !state.check().is_ok_and(|report| report.is_sound()) {
        return Became::Refused;
    }
    assert!(
        rows.expect("sound") == template.truth,
        "sound, and not what was written"
    );
    Became::Accepted
}

/// A file of the mirror with bytes changed: not read, and made anew from the
/// log. Accepted is one that is as it was.
///
/// # Panics
/// When it is believed.
pub fn mirror(bytes: &[u8]) -> Became {
    let template = template();
    let mut files = template.mirror.clone();
    let (which, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let count = files.len();
    let (harmed, file) = &mut files[usize::from(*which) % count];
    let harmed = harmed.to_string_lossy().into_owned();
    // The first change is where it ends.
    if let Some((end, _)) = bytes.split_first_chunk::<2>() {
        let end = usize::from(u16::from_le_bytes(*end));
        if end < file.len() {
            file.truncate(end);
        }
    }
    change(file, bytes);
    let became = if files == template.mirror {
        Became::Accepted
    } else {
        Became::Refused
    };
    let (_folder, path) = copy(template, &template.bytes, &files);
    let state = open(&path).expect("the log is whole");
    let table = state.rows("t").expect("the table");
    for n in 0..30 {
        let row = Row::new((n % 25).to_string()).with("c1", 100 + n);
        table.upsert(&row).expect("the log is whole");
    }
    state.keep_mirror().expect("it can be made again");
    let report = state.check().expect("a check");
    assert!(report.is_sound(), "{:?}", report.damage);
    // Of a file that was not asked for, nobody knows yet; no other is lost.
    let names = |line: &String| line.contains(&*harmed);
    assert!(report.mirror.iter().all(names), "{:?}", report.mirror);
    let rows = read(&state).expect("the log is whole");
    assert!(rows[..template.truth.len()] == template.truth[..]);
    // By the mirror's files, and what is newer.
    let now = state.snapshot().expect("a snapshot");
    let count = |scan: dkdc_state::Result<dkdc_state::Scan>| -> usize {
        let batches = scan.expect("a scan");
        batches.map(|batch| batch.expect("rows").num_rows()).sum()
    };
    assert_eq!(count(now.scan("t", Idx::ZERO)), rows.len());
    assert_eq!(count(now.current("t")), 25);
    became
}

/// A cell of a row, replaced by any value that SQLite lets stand there: an error that
/// names the row, or a value that can be shown, by every way of reading.
///
/// # Panics
/// When a check calls it sound, or reading panics.
pub fn record(bytes: &[u8]) -> Became {
    use rusqlite::types::Value as Sql;
    let [column, kind, rest @ ..] = bytes else {
        return Became::Refused;
    };
    let number = rest.first_chunk().copied().map_or(0, i64::from_le_bytes);
    let value = match kind % 4 {
        0 => Sql::Integer(number),
        1 => Sql::Real(f64::from_bits(number.cast_unsigned())),
        2 => Sql::Text(String::from_utf8_lossy(rest).into_owned()),
        _ => Sql::Blob(rest.to_vec()),
    };
    let template = template();
    let (_folder, path) = copy(template, &template.bytes, &[]);
    let columns = (0..11)
        .map(|n| format!("c{n}"))
        .chain(["_op".into(), "_prev".into()]);
    let columns: Vec<String> = columns.collect();
    let column = &columns[usize::from(*column) % columns.len()];
    let newest = "(SELECT max(idx) FROM t WHERE id = '1')";
    let conn = intruder(&path);
    let sql = format!("UPDATE t SET {column} = ?1 WHERE idx = {newest}");
    if conn.execute(&sql, [value]).is_err() {
        return Became::Refused; // Not even SQLite takes it.
    }
    drop(conn);
    let state = open(&path).expect("the rest is sound");
    let table = state.rows("t").expect("the table");
    for error in [
        table
            .get("1")
            .map(|found| drop(found.map(|found| found.record.to_json().to_string()))),
        table.list(&dkdc_state::Select::new()).map(drop),
        table.history("1").map(drop),
        read(&state).map(drop),
    ] {
        if let Err(error) = error {
            assert_eq!(error.kind(), ErrorKind::Damaged, "{column}: {error}");
        }
    }
    let same = read(&state).is_ok_and(|rows| rows == template.truth);
    let sound = state.check().expect("a check").is_sound();
    // What SQLite shows as it was, may be as it was.
    assert!(
        !sound || same,
        "{column} is not what was written, and sound"
    );
    // A write that keeps what cannot be read is refused, and leaves nothing.
    let (there, last) = (table.get("1"), state.last().expect("a number"));
    let other = if column == "c1" { "c2" } else { "c1" };
    match table.update(&Row::new("1").with(other, 7)) {
        Ok(_) => assert!(there.is_ok(), "{column} cannot be read, and is kept"),
        Err(error) => {
            let kinds = [ErrorKind::Damaged, ErrorKind::NotFound];
            assert!(kinds.contains(&error.kind()), "{column}: {error}");
            assert_eq!(state.last().expect("a number"), last, "{column}");
        }
    }
    if sound {
        Became::Accepted
    } else {
        Became::Refused
    }
}

/// The schema that a store keeps, replaced: refused, found, or as it was; no panic.
///
/// # Panics
/// When a check calls another one sound, or reading on panics.
pub fn schema(bytes: &[u8]) -> Became {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Became::Refused;
    };
    let template = template();
    let (_folder, path) = copy(template, &template.bytes, &[]);
    let was = replace_schema(&path, text);
    let before = stored(&path);
    let state = open(&path);
    let sound = state
        .as_ref()
        .is_ok_and(|state| state.check().is_ok_and(|report| report.is_sound()));
    assert!(!sound || was == text, "another schema, and sound");
    assert_eq!(stored(&path), before, "read or refused, and written");
    let Ok(state) = state else {
        return Became::Refused;
    };
    let rows = read(&state);
    let found = state.rows("t").and_then(|table| table.get("1"));
    if !sound {
        return Became::Refused;
    }
    assert!(rows.expect("sound") == template.truth);
    let found = found.expect("sound");
    assert!(found.is_some(), "sound, and a record is gone");
    Became::Accepted
}

/// The schema that the store for [`schema`] has.
#[must_use]
pub fn stored_schema() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.db");
    std::fs::write(&path, &template().bytes).expect("a file");
    stored(&path).0
}

#[expect(
    clippy::disallowed_methods,
    reason = "the intruder is no part of the store"
)]
fn intruder(path: &Path) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(path).expect("a connection");
    let triggers = rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER;
    conn.set_db_config(triggers, false).expect("no guards");
    conn
}

/// The schema's text, and which rows there are.
fn stored(path: &Path) -> (String, i64, i64) {
    let conn = intruder(path);
    let sql = "SELECT columns, (SELECT count(*) FROM t), (SELECT sum(idx % 1000) FROM t) \
               FROM _dkdc_tables";
    let row = conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    row.expect("one table")
}

/// Returns the text that it was.
fn replace_schema(path: &Path, text: &str) -> String {
    let conn = intruder(path);
    let was = conn.query_row("SELECT columns FROM _dkdc_tables", [], |row| row.get(0));
    let changed = conn.execute("UPDATE _dkdc_tables SET columns = ?1", [text]);
    assert_eq!(changed, Ok(1), "one table");
    was.expect("one table")
}

/// Records in NDJSON or CSV, imported by the program `dkdc`: all of them or
/// none, with one line that says why, and a store that is sound.
///
/// # Panics
/// When it is neither, or the program dies.
pub fn import(program: &Path, ending: &str, bytes: &[u8]) -> Became {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, file) = (
        folder.path().join("data.db"),
        folder.path().join("in").with_extension(ending),
    );
    std::fs::write(&file, bytes).expect("a file");
    let run = |arguments: &[&str]| {
        let output = Command::new(program)
            .arg("--db")
            .arg(&store)
            .args(arguments)
            .output();
        let output = output.expect("dkdc runs");
        let code = output.status.code();
        assert!(
            code.is_some_and(|code| code != 101),
            "{arguments:?} died: {output:?}"
        );
        (
            code == Some(0),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let file = file.to_str().expect("a path in UTF-8");
    let (done, said) = run(&["import", "t", file]);
    if done {
        assert!(run(&["check"]).0, "imported, and not sound");
        assert!(run(&["row", "ls", "t"]).0, "imported, and not to be read");
        imported::all(&store, ending, bytes);
        Became::Accepted
    } else {
        imported::nothing(&store);
        let lines = said
            .lines()
            .filter(|line| line.starts_with("dkdc:"))
            .count();
        assert_eq!(lines, 1, "{said}");
        Became::Refused
    }
}
