//! A file that the original packages wrote opens with every version it has.
//!
//! The failure to prevent: somebody upgrades, opens the todos of two years, and
//! a version is gone, in another order, under another record, or current when
//! it was not; or half of the file is taken over and the rest is not.

mod order;
mod refused;
mod values;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use dkdc_state::{BlobRef, Clock, Error, EventKind, Idx, Moment, Op, Record, Row, Select, State};
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

/// As Ibis created the post's tables.
const TODOS: &str = r#"CREATE TABLE "todos" ("idx" TIMESTAMP, "id" TEXT, "user_id" TEXT,
    "subject" TEXT, "body" TEXT, "priority" INTEGER, "status" TEXT, "description" TEXT,
    "labels" TEXT);"#;
const LAKE: &str = r#"CREATE TABLE "lake" ("idx" TIMESTAMP, "id" TEXT, "user_id" TEXT, "path" TEXT,
    "filename" TEXT, "filetype" TEXT, "data" BLOB, "version" INTEGER, "status" TEXT,
    "description" TEXT, "labels" TEXT);"#;

/// The rows that the post shows.
const POST: &str = "
    INSERT INTO todos VALUES ('2024-11-27T18:02:45.321529', 'test', NULL, NULL,
        'do your homework', 100, NULL, NULL, NULL);
    INSERT INTO todos VALUES ('2024-11-27T18:02:45.373844', 'test', NULL, NULL,
        'do your homework!', 100, NULL, NULL, 'school,late');
    INSERT INTO lake VALUES ('2024-11-27T18:02:45.505331', '173273056550533-f0d929c0', NULL, NULL,
        'test.txt', 'txt', CAST('hello world' AS BLOB), NULL, NULL, NULL, NULL);
    INSERT INTO lake VALUES ('2024-11-27T18:02:45.586443', '173273056550533-f0d929c0', NULL, NULL,
        'test.txt', 'txt', CAST('hello world!' AS BLOB), NULL, NULL, NULL, '');";

/// What dkdc-todo declares.
#[derive(Record, Clone, Debug, PartialEq)]
#[record(table = "todos", index(priority, idx desc), index(user_id, priority, idx desc))]
struct Todo {
    #[record(id)]
    id: String,
    user_id: Option<String>,
    subject: Option<String>,
    body: Option<String>,
    #[record(default = 100)]
    priority: i64,
    status: Option<String>,
    description: Option<String>,
    labels: Option<Vec<String>>,
}

/// What dkdc-lake declares.
#[derive(Record, Clone, Debug, PartialEq)]
#[record(table = "lake", unique(user_id, path, filename, nulls = equal), index(path))]
struct File {
    #[record(id)]
    id: String,
    user_id: Option<String>,
    path: Option<String>,
    filename: String,
    filetype: Option<String>,
    data: BlobRef,
    version: Option<i64>,
    status: Option<String>,
    description: Option<String>,
    labels: Option<Vec<String>>,
    size: i64,
    hash: String,
    mode: Option<i64>,
    mtime: Option<Timestamp>,
}

/// A clock that stands still.
struct At(i64);

impl Clock for At {
    fn now(&self) -> i64 {
        self.0
    }
}

/// A connection as any other program's.
#[expect(
    clippy::disallowed_methods,
    reason = "the original packages, and other programs"
)]
fn plain(path: &Path) -> Connection {
    Connection::open(path).expect("SQLite opens the file")
}

/// A file that holds what these statements make.
fn file(statements: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.db");
    let conn = plain(&path);
    for sql in statements {
        conn.execute_batch(sql)
            .expect("the original's statements run");
    }
    (folder, path)
}

fn micros(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("a time").as_microsecond()
}

fn content(state: &State, blob: &BlobRef) -> String {
    let mut text = String::new();
    let mut reader = state.open_blob(blob).expect("the content is there");
    reader
        .read_to_string(&mut text)
        .expect("the content is text");
    text
}

fn assert_sound(state: &State) {
    let report = state.check().expect("check runs");
    assert!(report.is_sound(), "{report:#?}");
}

#[test]
fn the_posts_file_opens_with_every_version() {
    let (_folder, path) = file(&[TODOS, LAKE, POST]);
    let state = State::open(&path).expect("it is adopted");
    assert_sound(&state);

    let todos = state.table::<Todo>().expect("dkdc-todo's table");
    let history = todos.history("test").expect("history");
    let seen: Vec<_> = history
        .iter()
        .map(|v| {
            (
                v.idx().as_micros(),
                v.version.op,
                v.record.as_ref().and_then(|t| t.body.clone()),
            )
        })
        .collect();
    let (first, second) = (1_732_730_565_321_529, 1_732_730_565_373_844);
    assert_eq!(
        seen,
        [
            (first, Op::Append, Some("do your homework".to_owned())),
            (second, Op::Update, Some("do your homework!".to_owned())),
        ]
    );
    let current = todos.list(&Select::new()).expect("list");
    assert_eq!(current.len(), 1);
    assert_eq!(
        current[0].labels,
        Some(vec!["school".to_owned(), "late".to_owned()])
    );
    assert_eq!(
        history[0].record.as_ref().and_then(|t| t.labels.clone()),
        None
    );

    let lake = state.table::<File>().expect("dkdc-lake's table");
    let files = lake.history("173273056550533-f0d929c0").expect("history");
    let texts = ["hello world", "hello world!"];
    for (file, text) in files.iter().zip(texts) {
        let file = file.record.as_ref().expect("a file");
        assert_eq!(content(&state, &file.data), text);
        assert_eq!(file.size, i64::try_from(text.len()).expect("short"));
        assert_eq!(file.hash, file.data.hex());
        assert_eq!((file.mode, file.mtime), (None, None));
    }
    let labels = files
        .iter()
        .map(|f| f.record.as_ref().and_then(|f| f.labels.clone()));
    assert_eq!(labels.collect::<Vec<_>>(), [None, Some(vec![])]);

    // As of any moment since the first, and not before it.
    let then = state
        .at(Moment::from(Idx::from_micros(first)))
        .expect("the first version");
    let body = then
        .table::<Todo>()
        .and_then(|t| t.get("test"))
        .expect("get")
        .expect("there");
    assert_eq!(body.body.as_deref(), Some("do your homework"));
    let before = Moment::parse("2024-11-27 18:02:45.321528", Timestamp::MAX).expect("a time");
    assert!(matches!(
        state.at(before),
        Err(Error::OutsideHistory { .. })
    ));
    assert_sound(&state);
}

#[test]
fn the_file_says_what_was_adopted_and_keeps_the_old_tables() {
    let (_folder, path) = file(&[TODOS, LAKE, POST]);
    let state = State::open(&path).expect("it is adopted");
    let events = state.events().expect("events");
    let last = order::versions(&state).last().expect("versions").0;
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].kind, events[0].table.as_ref()),
        (EventKind::Adopt, None)
    );
    assert!(events[0].idx.as_micros() > last);
    let tables = &events[0].detail["tables"];
    assert_eq!(tables[0]["table"], "todos");
    assert_eq!(tables[0]["original"], "todos_original");
    assert_eq!(tables[0]["versions"], 2);
    assert_eq!(tables[0]["records"], 1);
    assert_eq!(tables[1]["original"], "lake_original");
    drop(state);

    let conn = plain(&path);
    let count = |sql: &str| {
        conn.query_row(sql, [], |row| row.get::<_, i64>(0))
            .expect("a count")
    };
    assert_eq!(count("SELECT count(*) FROM todos_original"), 2);
    assert_eq!(
        count("SELECT count(*) FROM lake_original WHERE typeof(idx) = 'text'"),
        2
    );
    let message = conn
        .execute("DELETE FROM todos", [])
        .expect_err("guarded")
        .to_string();
    assert!(message.contains("only_dkdc_may_write"), "{message}");

    // Its event covers the schemas, too.
    let change = "UPDATE _dkdc_tables SET columns = replace(columns, '100', '101')";
    crate::support::intruder(&path)
        .execute_batch(change)
        .expect("a change");
    let state = State::open(&path).expect("a store");
    let line = "todos: its schema is not what was written";
    assert_eq!(state.check().expect("check runs").damage, [line]);
}

#[test]
fn of_two_files_with_one_name_the_newest_stays() {
    let (_folder, path) = file(&[
        LAKE,
        "INSERT INTO lake(idx, id, user_id, path, filename, data) VALUES
            ('2024-01-01', 'old', NULL, NULL, 'a', x'01'),
            ('2024-01-02', 'new', NULL, NULL, 'a', x'02'),
            ('2024-01-03', 'older', NULL, NULL, 'a', NULL),
            ('2024-01-04', 'new', NULL, NULL, 'a', x'01'),
            ('2024-01-05', 'ada', 'ada', NULL, 'a', x'05'),
            ('2024-01-06', 'moved', NULL, NULL, 'a', x'06'),
            ('2024-01-07', 'moved', NULL, '/p', 'a', x'07');",
    ]);
    let now = micros("2024-06-01T00:00:00Z");
    let state = State::options()
        .clock(Arc::new(At(now)))
        .open(&path)
        .expect("it is adopted");
    // The unique name of dkdc-lake holds.
    let lake = state.table::<File>().expect("dkdc-lake's table");
    let ids = lake.ids("", 10).expect("ids");
    assert_eq!(ids, ["ada", "moved", "new"]);
    let closed = &state.events().expect("events")[0].detail["closed"];
    let seen: Vec<_> = closed
        .as_array()
        .expect("a list")
        .iter()
        .map(|c| (c["version"].as_i64(), c["kept"].as_i64()))
        .collect();
    let kept = lake.get("new").expect("a read").expect("there").idx();
    let kept = Some(kept.as_micros());
    assert_eq!(seen, [(Some(now), kept), (Some(now + 1), kept)]);
    let old = lake.history("old").expect("history");
    assert_eq!(old.len(), 2);
    assert_eq!(
        (old[1].version.op, old[1].record.is_none()),
        (Op::Delete, true)
    );
    // The original could write NULL for content: an empty file.
    let older = lake.history("older").expect("history");
    let empty = older[0].record.as_ref().expect("a file");
    assert_eq!(
        (empty.size, content(&state, &empty.data)),
        (0, String::new())
    );
    // Adoption is one commit: at its first moment, both are closed.
    let then = state.at(Idx::from_micros(now).into()).expect("now");
    assert_eq!(
        then.table::<File>().and_then(|t| t.count()).expect("count"),
        3
    );
    let before = state.at(Idx::from_micros(now - 1).into()).expect("before");
    assert_eq!(
        before.rows("lake").and_then(|t| t.count()).expect("count"),
        5
    );
    assert_sound(&state);
}

#[test]
fn what_is_erased_is_gone_from_the_original_tables_too() {
    let (folder, path) = file(&[
        TODOS,
        LAKE,
        POST,
        "INSERT INTO todos(idx, id, body) VALUES ('2025-01-01', NULL, 'without an id'),
            ('2025-01-02', 'kept', 'kept body')",
    ]);
    let state = State::open(&path).expect("it is adopted");
    let lake = state.table::<File>().expect("a table");
    let file = lake.ids("", 1).expect("ids").remove(0);
    assert_eq!(state.erase("todos", &["test"]).expect("there").versions, 2);
    let nameless = state.rows("todos").expect("a table").ids("original-", 2);
    let nameless = nameless.expect("ids").remove(0);
    assert_eq!(
        state.erase("todos", &[&nameless]).expect("there").versions,
        1
    );
    let erased = state.erase("lake", &[&file]).expect("there");
    assert_eq!((erased.blobs, erased.left.len()), (2, 0));
    for secret in ["homework", "without an id", "hello world", &file] {
        let mut grep = Command::new("grep");
        grep.arg("-rl").arg(secret).arg(folder.path());
        let found = grep.output().expect("grep runs").stdout;
        assert_eq!(String::from_utf8_lossy(&found), "", "{secret}");
    }
    assert_sound(&state);
    let kept = plain(&path).query_row("SELECT body FROM todos_original", [], |row| row.get(0));
    assert_eq!(kept, Ok("kept body".to_owned()));
}

/// The failure to prevent: a column with the name of SQLite's row number is taken for
/// it, another row is deleted, and the erased one stays.
#[test]
fn what_is_erased_is_told_by_the_number_that_its_adoption_took() {
    let (_folder, path) = file(&[
        r#"CREATE TABLE "t" ("idx" TIMESTAMP, "id" TEXT, "body" TEXT, "rowid" INTEGER)"#,
        "INSERT INTO t VALUES ('2025-01-01', NULL, 'first', 2), ('2025-01-02', NULL, 'second', 1)",
    ]);
    let state = State::open(&path).expect("it is adopted");
    let table = state.rows("t").expect("a table");
    let first = table
        .list(&Select::new().eq("body", "first"))
        .expect("a list");
    let id = &first.first().expect("there").record.id;
    assert_eq!(state.erase("t", &[id]).expect("there").left, [""; 0]);
    let left = plain(&path).query_row("SELECT group_concat(body) FROM t_original", [], |row| {
        row.get::<_, String>(0)
    });
    assert_eq!(left, Ok("second".to_owned()));
    state.vacuum().expect("it is vacuumed");
    let number = table.ids("", 9).expect("ids").remove(0);
    let named = plain(&path).query_row("SELECT id FROM t_original", [], |row| row.get(0));
    assert_eq!(named, Ok(number));
    assert_sound(&state);
}

#[test]
fn an_adopted_store_goes_on_as_any_other() {
    let (_folder, path) = file(&[TODOS, LAKE]);
    let state = State::open(&path).expect("empty tables are adopted too");
    assert_eq!(
        state
            .table::<Todo>()
            .and_then(|t| t.count())
            .expect("count"),
        0
    );
    assert_eq!(
        state
            .table::<File>()
            .and_then(|t| t.count())
            .expect("count"),
        0
    );
    let todos = state.rows("todos").expect("the table");
    todos
        .append(&Row::new("new").with("body", "later"))
        .expect("append");
    drop((todos, state));

    let state = State::open(&path).expect("it is a store now");
    let todo = state
        .table::<Todo>()
        .and_then(|t| t.get("new"))
        .expect("get")
        .expect("there");
    assert_eq!((todo.body.as_deref(), todo.priority), (Some("later"), 100));
    let adopted = |event: &&dkdc_state::Event| event.kind == EventKind::Adopt;
    assert_eq!(
        state
            .events()
            .expect("events")
            .iter()
            .filter(adopted)
            .count(),
        1
    );
    assert_sound(&state);
}
