//! What cannot be taken over is refused as a whole, named, and left as it was.
//!
//! The failure to prevent: a bad row is dropped or bent in silence; or dkdc
//! renames the tables of a program that it has never heard of.

use super::{LAKE, POST, TODOS, file, plain};
use dkdc_state::{Error, ErrorKind, State};
use std::path::Path;

/// Everything in the file, as text.
fn dump(path: &Path) -> Vec<String> {
    let conn = plain(path);
    let lines = |sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).expect("SQLite reads the file");
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells = (0..columns).map(|at| format!("{:?}", row.get_ref(at)));
            Ok(cells.collect::<Vec<_>>().join("|"))
        });
        rows.and_then(Iterator::collect).expect("rows")
    };
    let mut all = lines("SELECT type, name, sql FROM sqlite_schema ORDER BY rowid");
    all.extend(lines("PRAGMA application_id"));
    all.extend(lines("PRAGMA user_version"));
    for table in ["todos", "lake"] {
        if all
            .iter()
            .any(|line| line.contains(&format!("CREATE TABLE \"{table}\"")))
        {
            all.extend(lines(&format!("SELECT rowid, * FROM {table}")));
        }
    }
    all
}

/// Opens the file, which must be refused and stay as it is.
fn refusal(path: &Path) -> Error {
    let before = dump(path);
    let error = State::open(path).expect_err("it cannot be adopted");
    assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
    assert_eq!(dump(path), before, "{error}");
    error
}

/// Rows that cannot be taken over: (table, values, what the error says).
const BAD_ROWS: [(&str, &str, &str); 17] = [
    ("todos", "NULL, 'a', 1, 'b')", "its idx is NULL"),
    ("todos", "'soon', 'a', 1, 'b')", "soon"),
    ("todos", "'', 'a', 1, 'b')", "no timestamp"),
    (
        "todos",
        "'2024-01-01T00:00:00.1234567', 'a', 1, 'b')",
        "finer than a microsecond",
    ),
    ("todos", "1732730565, 'a', 1, 'b')", "microseconds"),
    ("todos", "'1969-12-31', 'a', 1, 'b')", "not after 1970"),
    (
        "todos",
        "x'00', 'a', 1, 'b')",
        "expected timestamp, found 1 bytes",
    ),
    ("todos", "$time, '', 1, 'b')", "its id has 0 bytes"),
    ("todos", "$time, '$long', 1, 'b')", "its id has 1025 bytes"),
    (
        "todos",
        "$time, x'61', 1, 'b')",
        "its id is 1 bytes, not text",
    ),
    ("todos", "$time, CAST(x'ff' AS TEXT), 1, 'b')", "not UTF-8"),
    (
        "todos",
        "$time, 'a', 'high', 'b')",
        "column priority: expected int, found text",
    ),
    (
        "todos",
        "$time, 'a', 1.5, 'b')",
        "column priority: expected int, found float 1.5",
    ),
    (
        "todos",
        "$time, 'a', 1, x'62')",
        "column body: expected text, found 1 bytes",
    ),
    (
        "todos",
        "$time, 'a', 1, CAST(x'ff' AS TEXT))",
        "column body: text that is not UTF-8",
    ),
    (
        "lake",
        "$time, 'a', NULL, x'01')",
        "column filename: it has no value",
    ),
    (
        "lake",
        "$time, 'a', 'f', 'text')",
        "column data: expected blob, found text",
    ),
];

#[test]
fn one_bad_row_refuses_the_file_and_is_named() {
    let todo = "INSERT INTO todos(rowid, idx, id, priority, body) VALUES (77, ";
    let lake = "INSERT INTO lake(rowid, idx, id, filename, data) VALUES (77, ";
    let time = "'2024-01-01T00:00:00'";
    let long = "x".repeat(1025);
    for (table, row, says) in BAD_ROWS {
        let start = if table == "todos" { todo } else { lake };
        let row = row.replace("$time", time).replace("$long", &long);
        let (_folder, path) = file(&[TODOS, LAKE, POST, &format!("{start}{row};")]);
        match refusal(&path) {
            Error::NotAdopted {
                table: named,
                row: 77,
                why,
                ..
            } => {
                assert_eq!(named, table, "{row}: {why}");
                assert!(why.contains(says), "{row}: {why}");
            }
            other => panic!("{row}: {other}"),
        }
    }
}

#[test]
fn an_id_made_up_must_not_be_taken() {
    let (_folder, path) = file(&[
        TODOS,
        "INSERT INTO todos(rowid, idx, id) VALUES (7, '2024-01-01', NULL),
            (8, '2024-01-01', 'original-7'), (9, '2024-01-01', 'original-8');",
    ]);
    match refusal(&path) {
        Error::NotAdopted { row: 7, why, .. } => assert!(why.contains("original-7"), "{why}"),
        other => panic!("{other}"),
    }
}

#[test]
fn what_hangs_on_the_old_tables_is_not_cut_off() {
    for (more, says) in [
        ("CREATE VIEW open AS SELECT * FROM todos;", "the view open"),
        (
            "CREATE TRIGGER t AFTER INSERT ON todos BEGIN SELECT 1; END;",
            "the trigger t",
        ),
        (
            "CREATE TABLE todos_original(idx TIMESTAMP, id TEXT);",
            "todos_original, is taken",
        ),
    ] {
        let (_folder, path) = file(&[TODOS, POST.split("INSERT INTO lake").next().unwrap(), more]);
        match refusal(&path) {
            Error::NotAdopted { row: 0, why, .. } => assert!(why.contains(says), "{why}"),
            other => panic!("{more}: {other}"),
        }
    }
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    for (sql, says) in [
        (
            "CREATE TABLE people(name TEXT);",
            "table people has no column idx",
        ),
        (
            "CREATE TABLE people(idx TIMESTAMP, name TEXT);",
            "no column id",
        ),
        (
            "CREATE TABLE people(idx INTEGER, id TEXT);",
            "column idx of another type",
        ),
        (
            "CREATE TABLE people(idx TIMESTAMP, id INTEGER);",
            "column id of another type",
        ),
        (
            "CREATE TABLE people(idx TIMESTAMP, id TEXT, at TIME);",
            "type \"TIME\"",
        ),
        (
            "CREATE TABLE people(idx TIMESTAMP, id TEXT, any);",
            "type \"\"",
        ),
        (
            "CREATE TABLE people(idx TIMESTAMP, id TEXT, _op TEXT);",
            "_op",
        ),
        (
            "CREATE TABLE people(idx TIMESTAMP, id TEXT, n INTEGER AS (1));",
            "column n of table people is generated",
        ),
        (
            "CREATE TABLE people(idx TIMESTAMP, id TEXT PRIMARY KEY) WITHOUT ROWID;",
            "no ordinary table",
        ),
        ("CREATE TABLE _people(idx TIMESTAMP, id TEXT);", "reserved"),
        ("CREATE VIEW people AS SELECT 1;", "it has no tables"),
        (
            "CREATE TABLE p(idx TIMESTAMP, id TEXT); PRAGMA user_version = 3;",
            "user_version",
        ),
        (
            "PRAGMA encoding = 'UTF-16'; CREATE TABLE p(idx TIMESTAMP, id TEXT);",
            "UTF-8",
        ),
        (
            "CREATE TABLE p(idx TIMESTAMP, id TEXT); PRAGMA application_id = 9;",
            "another program",
        ),
    ] {
        let (_folder, path) = file(&[sql]);
        match refusal(&path) {
            Error::NotAStore { why, .. } => assert!(why.contains(says), "{sql} {why}"),
            other => panic!("{sql}: {other}"),
        }
    }
    // One such table among the post's is enough.
    let (_folder, path) = file(&[TODOS, LAKE, POST, "CREATE TABLE people(name TEXT);"]);
    assert!(matches!(refusal(&path), Error::NotAStore { .. }));
}

#[test]
fn adoption_needs_leave_to_write() {
    let (_folder, path) = file(&[TODOS, POST.split("INSERT INTO lake").next().unwrap()]);
    let before = dump(&path);
    let error = State::options()
        .read_only(true)
        .open(&path)
        .expect_err("nothing is written");
    assert!(
        error.to_string().contains("open it once for writing"),
        "{error}"
    );
    assert_eq!(dump(&path), before);
}
