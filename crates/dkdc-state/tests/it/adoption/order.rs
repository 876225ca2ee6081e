//! Adopted versions come in the order in which they happened.
//!
//! The failure to prevent: times written in two forms, or the same time twice,
//! put a version before the one it replaced, and "as of" shows a past that
//! never was.

use std::sync::Arc;

use dkdc_state::{ChangeKind, Idx, Moment, Op, Row, State, Value};
use jiff::Timestamp;

use super::{At, TODOS, Todo, assert_sound, file, micros, plain};

/// Every version of every table: (idx, table, id, prev, op).
pub(super) fn versions(state: &State) -> Vec<(i64, String, String, Option<i64>, Op)> {
    let changes = state.changes(Idx::ZERO).expect("changes");
    changes
        .filter_map(|change| match change.expect("a change").kind {
            ChangeKind::Version {
                table, id, version, ..
            } => Some((
                version.idx.as_micros(),
                table,
                id,
                version.prev.map(Idx::as_micros),
                version.op,
            )),
            _ => None,
        })
        .collect()
}

#[test]
fn rows_of_all_tables_are_merged_by_time_and_ties_move_on() {
    let (_folder, path) = file(&[
        r#"CREATE TABLE b ("idx" TIMESTAMP, "id" TEXT, v INTEGER);"#,
        r#"CREATE TABLE a ("idx" TIMESTAMP, "id" TEXT, v INTEGER);"#,
        "INSERT INTO a VALUES ('2024-01-01T00:00:00.000001', 'x', 1),
                              ('2024-01-01 00:00:00', 'y', 2),
                              ('2024-01-01T00:00:00+00:00', 'x', 3);
         INSERT INTO b VALUES (1704067200000000, 'x', 4),
                              ('2023-12-31T23:00:00-01:00', 'x', 5),
                              ('2023-12-31T23:59:59.999999Z', 'z', 6);",
    ]);
    let state = State::open(&path).expect("it is adopted");
    let zero = micros("2024-01-01T00:00:00Z");
    let seen: Vec<_> = versions(&state)
        .into_iter()
        .map(|(idx, table, id, prev, op)| {
            (
                idx - zero,
                table + "/" + &id,
                prev.map(|prev| prev - zero),
                op,
            )
        })
        .collect();
    let row = |idx, name: &str, prev, op| (idx, name.to_owned(), prev, op);
    assert_eq!(
        seen,
        [
            row(-1, "b/z", None, Op::Append),
            row(0, "b/x", None, Op::Append),
            row(1, "b/x", Some(0), Op::Update),
            row(2, "a/y", None, Op::Append),
            row(3, "a/x", None, Op::Append),
            // A microsecond later by its own time, pushed on by those before.
            row(4, "a/x", Some(3), Op::Update),
        ]
    );
    assert_sound(&state);
}

#[test]
fn a_long_history_is_read_as_of_any_version() {
    let (_folder, path) = file(&[
        TODOS,
        "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 4999)
         INSERT INTO todos(idx, id, body, priority)
         SELECT strftime('%Y-%m-%dT%H:%M:%S', 1700000000 + n, 'unixepoch'),
                iif(n % 5 = 0, 'often', 'seldom-' || (n % 1000)), 'version ' || n, n FROM n;",
    ]);
    let state = State::open(&path).expect("it is adopted");
    let todos = state.table::<Todo>().expect("the table");
    assert_eq!(todos.history("often").expect("history").len(), 1000);
    assert_eq!(todos.history("seldom-7").expect("history").len(), 5);
    for n in [0, 5, 160, 2500, 2501, 4990, 4995, 4999] {
        let then = Idx::from_micros((1_700_000_000 + n) * 1_000_000);
        let then = state.at(then.into()).expect("within history");
        let often = then
            .table::<Todo>()
            .and_then(|t| t.get("often"))
            .expect("get");
        assert_eq!(
            often.map(|todo| todo.priority),
            Some(n - n % 5),
            "as of {n}"
        );
    }
    assert_sound(&state);
    // One in 32 versions, or so, is where such a read may start.
    drop((todos, state));
    let sql = "SELECT count(*) FROM _dkdc_waypoints WHERE id = 'often'";
    let waypoints: i64 = plain(&path)
        .query_row(sql, [], |row| row.get(0))
        .expect("a count");
    assert!((16..64).contains(&waypoints), "{waypoints}");
}

#[test]
fn rows_from_the_future_do_not_move_the_present() {
    let (_folder, path) = file(&[
        TODOS,
        "INSERT INTO todos(idx, id, body) VALUES ('2024-01-01', 'a', 'then'),
            ('2100-01-01T00:00:00', 'a', 'a clock was wrong');",
    ]);
    let now = micros("2024-06-01T00:00:00Z");
    let state = State::options()
        .clock(Arc::new(At(now)))
        .open(&path)
        .expect("it is adopted");
    let body_at = |text: &str| {
        let now = Timestamp::from_microsecond(now).expect("a time");
        let then = state
            .at(Moment::parse(text, now).expect("a moment"))
            .expect("in history");
        let todo = then.rows("todos").and_then(|t| t.get("a")).expect("get");
        todo.and_then(|row| row.get("body").map(Value::to_string))
    };
    assert_eq!(body_at("5 minutes ago").as_deref(), Some("then"));
    assert_eq!(body_at("now").as_deref(), Some("a clock was wrong"));
    let todos = state.rows("todos").expect("the table");
    let version = todos
        .update(&Row::new("a").with("body", "now"))
        .expect("update");
    assert!(version.idx.as_micros() > micros("2100-01-01T00:00:00Z"));
    assert_sound(&state);
}

#[test]
fn a_row_of_this_very_microsecond_is_before_its_adoption() {
    let (_folder, path) = file(&[
        TODOS,
        "INSERT INTO todos(idx, id, body) VALUES ('2024-06-01T00:00:00', 'a', 'just now');",
    ]);
    let now = micros("2024-06-01T00:00:00Z");
    let state = State::options()
        .clock(Arc::new(At(now)))
        .open(&path)
        .expect("it is adopted");
    let row = versions(&state).first().expect("a version").0;
    let adopted = state.last().expect("last").as_micros();
    assert!((now..now + 3).contains(&row) && row < adopted);
    assert_sound(&state);
}
