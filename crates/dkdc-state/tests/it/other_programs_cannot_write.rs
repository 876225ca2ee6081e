//! Other programs read everything and change nothing by accident.
//!
//! The failure to prevent: somebody opens the file with the `sqlite3` shell,
//! mends a typo with UPDATE, and the history says what nobody wrote.

use std::sync::Arc;

use dkdc_state::{ColumnDef, ColumnType, TableDef};
use rusqlite::Connection;

use crate::support::{
    MINUTE, NOON, Place, TestClock, assert_sound, intruder, note, notes, other_program,
};

/// Every table there is.
fn tables(conn: &Connection) -> Vec<String> {
    let mut statement = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .expect("the schema");
    let names = statement.query_map([], |row| row.get(0)).expect("names");
    names.collect::<rusqlite::Result<_>>().expect("names")
}

fn count(conn: &Connection, table: &str) -> i64 {
    conn.query_row(&format!("SELECT count(*) FROM \"{table}\""), [], |row| {
        row.get(0)
    })
    .expect("a count")
}

#[test]
fn every_table_refuses_every_statement_and_says_who_may() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = crate::support::quick().clock(Arc::new(clock.clone()));
    let state = state.open(place.db()).expect("a store");
    let table = state.define(&notes()).expect("a table");
    let odd = TableDef::new("o'dd \"table\"").column(ColumnDef::new("select", ColumnType::Int));
    let odd = state.define(&odd).expect("a table");
    odd.append(&dkdc_state::Row::new("a").with("select", 1))
        .expect("new");
    // A row in each table of the store's own: commits, waypoints, contents, requests,
    // and what is kept of versions that were pruned.
    table
        .append_all(&[note("a", 1), note("b", 1)])
        .expect("new");
    for n in 0..400 {
        table.update(&note("a", n)).expect("there");
    }
    state.put_blob(&b"content"[..]).expect("content");
    clock.step(60 * MINUTE);
    state.put_blob(&b"content"[..]).expect("put again");
    let request = table.request("key").update(&note("b", 2));
    request.expect("there");
    let keep = dkdc_state::Keep::Versions(300.try_into().expect("some"));
    assert!(state.prune("notes", keep).expect("pruned").versions > 0);
    // Heads are in their tables at the latest when the store is closed.
    drop((table, odd, state));
    let state = place.open_at(&clock);

    state.seal_mirror().expect("a mirror");

    let conn = other_program(&place.db());
    let names = tables(&conn);
    assert_eq!(names.len(), 11 + 3 + 2, "{names:?}");
    for name in &names {
        let quoted = name.replace('"', "\"\"");
        let rows = count(&conn, &quoted);
        assert!(rows > 0, "{name} is empty: nothing would fire");
        let column: String = conn
            .query_row(
                "SELECT name FROM pragma_table_info(?1) LIMIT 1",
                [name],
                |row| row.get(0),
            )
            .expect("a column");
        let name = &quoted;
        for statement in [
            format!("INSERT INTO \"{name}\" SELECT * FROM \"{name}\""),
            format!("INSERT OR IGNORE INTO \"{name}\" SELECT * FROM \"{name}\""),
            format!("REPLACE INTO \"{name}\" SELECT * FROM \"{name}\""),
            format!("UPDATE \"{name}\" SET \"{column}\" = \"{column}\""),
            format!("DELETE FROM \"{name}\""),
            format!("DELETE FROM \"{name}\" WHERE 1"),
        ] {
            let error = conn
                .execute(&statement, [])
                .expect_err(&statement)
                .to_string();
            assert!(
                error.contains("only_dkdc_may_write"),
                "{statement}: {error}"
            );
        }
        assert_eq!(count(&conn, name), rows);
    }
    let body: String = conn
        .query_row("SELECT body FROM notes WHERE id = 'b'", [], |row| {
            row.get(0)
        })
        .expect("anybody may read");
    assert_eq!(body, "body 1");
    assert_sound(&state);
}

#[test]
fn a_table_that_grows_an_index_guards_it() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    let index = dkdc_state::IndexDef::new(["body"]);
    state.define(&notes().index(index)).expect("an index");
    let conn = other_program(&place.db());
    let error = conn
        .execute("DELETE FROM _dkdc_index_notes_2", [])
        .expect_err("guarded");
    assert!(error.to_string().contains("only_dkdc_may_write"), "{error}");
}

#[test]
fn what_our_own_writes_need_is_no_guard() {
    // The guards do not fire for the store, whatever another program defines.
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let conn = intruder(&place.db());
    conn.execute_batch(
        "CREATE TRIGGER spy AFTER INSERT ON notes BEGIN SELECT raise(ABORT, 'no'); END",
    )
    .expect("a trigger");
    table.append(&note("a", 1)).expect("the trigger is not run");
    let report = state.check().expect("a check");
    assert_eq!(
        report.damage,
        ["another program put the trigger spy on table notes"]
    );
}
