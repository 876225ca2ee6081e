//! What was changed behind the store's back is found, and named by table,
//! version and record.
//!
//! The failure to prevent: somebody edits a row, a bit flips, an index entry is
//! lost; every read goes on answering, and nobody learns of it.

use dkdc_state::{BlobRef, ColumnDef, ColumnType, Idx, IndexDef, Nulls, State};

use crate::support::{Place, assert_sound, intruder, note, notes, refusal};

/// A store with something of everything, and the versions of `b`.
fn furnished(place: &Place) -> (State, Vec<Idx>) {
    let state = place.open();
    let blob = state.put_blob(&b"content"[..]).expect("content");
    let def = notes()
        .column(ColumnDef::new("data", ColumnType::Blob))
        .index(IndexDef::new(["body"]).unique(Nulls::Distinct));
    let table = state.define(&def).expect("a table");
    let mut versions = Vec::new();
    table
        .append_all(&[note("a", 1), note("c", 3).with("data", blob)])
        .expect("new");
    for n in 0..400 {
        versions.push(table.upsert(&note("b", 1000 + n)).expect("either").idx);
    }
    table.append(&note("gone", 4)).expect("new");
    table.delete("gone").expect("there");
    let column = ColumnDef::new("late", ColumnType::Int).default(1);
    state.define(&notes().column(column)).expect("a column");
    table.append(&note("d", 5)).expect("new");
    assert_sound(&state);
    // Closed once: then the head table has all heads.
    drop((table, state));
    (place.open(), versions)
}

/// What a check says after another program did this.
#[track_caller]
fn damage(change: impl Fn(&Idx) -> String) -> Vec<String> {
    let place = Place::new();
    let (state, versions) = furnished(&place);
    let statements = change(&versions[50]);
    intruder(&place.db())
        .execute_batch(&statements)
        .expect(&statements);
    let report = state
        .check()
        .unwrap_or_else(|error| panic!("{statements}: {error}"));
    assert!(!report.is_sound(), "not found: {statements}");
    // Also by a process that opens it afterwards, unless it cannot at all.
    drop(state);
    if let Ok(state) = State::open(place.db()) {
        let again = state
            .check()
            .unwrap_or_else(|error| panic!("{statements}: {error}"));
        assert_eq!(again.damage, report.damage);
    }
    report.damage
}

#[test]
fn an_edited_row_is_named_with_its_version_and_record() {
    let place = Place::new();
    let (state, versions) = furnished(&place);
    let idx = versions[50];
    let edit = format!("UPDATE notes SET body = 'what nobody wrote' WHERE idx = {idx}");
    intruder(&place.db()).execute_batch(&edit).expect("an edit");
    let report = state.check().expect("a check");
    assert_eq!(
        report.damage,
        [format!(
            "notes: version {idx} of \"b\" is not what was written"
        )]
    );
    assert_eq!(
        report.tables[0].damage,
        [format!("version {idx} of \"b\" is not what was written")]
    );
    assert_eq!(
        (report.tables[0].versions, report.tables[0].records),
        (405, 4)
    );
}

#[test]
fn every_cell_of_a_row_is_covered() {
    for set in [
        "body = body || ' '",
        "body = NULL",
        "n = n + 1",
        "n = NULL",
        "late = 1",
        "data = zeroblob(40)",
        "_seal = zeroblob(16)",
        "_hash = zeroblob(32)",
        "_prev = _prev - 1",
        "_prev = NULL",
        "_op = 1",
        "_op = 4",
        "_op = 3",
        "_op = 5",
        "_op = 9",
        "id = 'a'",
        "id = 'B'",
        "idx = idx + 0 * random() - 1000000000",
    ] {
        let lines = damage(|idx| format!("UPDATE notes SET {set} WHERE idx = {idx}"));
        let named = lines.iter().any(|line| line.starts_with("notes: version "));
        assert!(named, "{set}: {lines:?}");
    }
}

#[test]
fn rows_that_were_taken_out_or_put_in_are_missed_or_met() {
    let lines = damage(|idx| format!("DELETE FROM notes WHERE idx = {idx}"));
    assert!(
        lines.iter().any(|line| line.contains("of \"b\"")),
        "{lines:?}"
    );
    let lines = damage(|idx| {
        format!(
            "INSERT INTO notes(idx, id, body, _op, _seal, _hash) \
             SELECT idx + 1000000, 'new', 'x', 1, _seal, _hash FROM notes WHERE idx = {idx}"
        )
    });
    assert!(
        lines.iter().any(|line| line.contains("of \"new\"")),
        "{lines:?}"
    );
    // The newest version of all, which no later hash covers.
    let lines = damage(|_| "DELETE FROM notes WHERE id = 'd'".to_owned());
    assert!(
        lines.iter().any(|line| line.contains("the head of \"d\"")),
        "{lines:?}"
    );
    let lines = damage(|_| "DELETE FROM notes WHERE id = 'gone' AND _op = 3".to_owned());
    assert!(
        lines.iter().any(|line| line.contains("\"gone\"")),
        "{lines:?}"
    );
}

#[test]
fn heads_that_do_not_fit_the_log_are_named() {
    for change in [
        "UPDATE _dkdc_head_notes SET idx = (SELECT min(idx) FROM notes WHERE id = 'b') WHERE id = 'b'",
        "UPDATE _dkdc_head_notes SET idx = (SELECT idx FROM notes WHERE id = 'a') WHERE id = 'b'",
        "UPDATE _dkdc_head_notes SET deleted = 1 WHERE id = 'b'",
        "DELETE FROM _dkdc_head_notes WHERE id = 'b'",
        "INSERT INTO _dkdc_head_notes VALUES ('b2', 1, 0)",
    ] {
        let lines = damage(|_| change.to_owned());
        let named = lines
            .iter()
            .any(|line| line.starts_with("notes: the head of \"b"));
        assert!(named, "{change}: {lines:?}");
    }
}

#[test]
fn waypoints_that_lead_astray_are_named() {
    for change in [
        "UPDATE _dkdc_waypoints SET idx = idx + 1",
        "UPDATE _dkdc_waypoints SET idx = (SELECT idx FROM notes WHERE id = 'a')
           WHERE idx = (SELECT min(idx) FROM _dkdc_waypoints)",
        "UPDATE _dkdc_waypoints SET id = 'a'",
        "DELETE FROM _dkdc_waypoints WHERE idx = (SELECT min(idx) FROM _dkdc_waypoints)",
        "INSERT INTO _dkdc_waypoints SELECT 1, 'b', min(idx) FROM notes WHERE id = 'b'",
        "INSERT INTO _dkdc_waypoints SELECT 1, 'a', min(idx) FROM notes WHERE id = 'b'",
        "INSERT INTO _dkdc_waypoints VALUES (9, 'a', 5)",
    ] {
        let lines = damage(|_| change.to_owned());
        assert!(
            lines.iter().any(|line| line.contains("waypoint")),
            "{change}: {lines:?}"
        );
    }
}

#[test]
fn index_entries_that_do_not_fit_the_records_are_named() {
    for change in [
        "DELETE FROM _dkdc_index_notes_1 WHERE id = 'b'",
        "UPDATE _dkdc_index_notes_1 SET id = 'a2' WHERE id = 'b'",
        "UPDATE _dkdc_index_notes_2 SET key = x'0161000000' WHERE id = 'b'",
        "INSERT INTO _dkdc_index_notes_2 VALUES (x'01', 'gone')",
    ] {
        let lines = damage(|_| change.to_owned());
        let named = lines.iter().any(|line| line.starts_with("notes: index "));
        assert!(named, "{change}: {lines:?}");
    }
}

#[test]
fn commits_that_do_not_follow_each_other_are_named() {
    for (change, named) in [
        ("SET last = first - 1 WHERE first = ?1", 0),
        ("SET last = ?2 WHERE first = ?1", 1),
        ("SET first = ?1 + 1 WHERE first = ?2", 1),
        ("SET last = last + 1000000000000 WHERE first = ?3", 2),
    ] {
        let place = Place::new();
        let state = place.open();
        let table = state.define(&notes()).expect("a table");
        for n in 0..3 {
            let pair = ["a", "b", "c", "d", "e", "f"].map(|id| note(&format!("{id}{n}"), n));
            table.append_all(&pair).expect("new");
        }
        assert_sound(&state);
        let conn = intruder(&place.db());
        let mut commits = conn
            .prepare("SELECT first FROM _dkdc_commits ORDER BY first")
            .expect("commits");
        let commits = commits.query_map([], |row| row.get(0)).expect("commits");
        let mut commits: Vec<i64> = commits.collect::<Result<_, _>>().expect("commits");
        assert_eq!(commits.len(), 3);
        let sql = format!("UPDATE _dkdc_commits {change} AND ?1 < ?2 AND ?2 < ?3");
        let changed = conn.execute(&sql, [commits[0], commits[1], commits[2]]);
        assert_eq!(changed, Ok(1), "{change}");
        if change.starts_with("SET first") {
            commits[1] = commits[0] + 1;
        }
        let line = format!(
            "the commit that begins at {} is not what was written",
            commits[named]
        );
        assert_eq!(state.check().expect("a check").damage, [line], "{change}");
    }
}

#[test]
fn events_are_chained_like_rows() {
    for change in [
        "UPDATE _dkdc_events SET detail = '{}' WHERE kind = 'alter'",
        "UPDATE _dkdc_events SET kind = 'alter' WHERE kind = 'create' AND \"table\" = 1",
        "UPDATE _dkdc_events SET \"table\" = NULL WHERE kind = 'alter'",
        "UPDATE _dkdc_events SET idx = idx + 1 WHERE kind = 'alter'",
        "DELETE FROM _dkdc_events WHERE \"table\" IS NULL",
    ] {
        let lines = damage(|_| change.to_owned());
        assert!(
            lines.iter().any(|line| line.starts_with("event ")),
            "{change}: {lines:?}"
        );
    }
}

#[test]
fn a_table_begins_where_an_event_says_so() {
    // Emptied as `clear` does it, but without its event, or with it taken away.
    for change in [
        "DELETE FROM _dkdc_events WHERE kind = 'clear'",
        "UPDATE _dkdc_tables SET floor = floor + 1",
        "UPDATE _dkdc_tables SET floor = 0",
        "UPDATE _dkdc_tables SET anchor = zeroblob(32)",
    ] {
        let place = Place::new();
        let (state, _) = furnished(&place);
        state.clear(&["notes"]).expect("a table");
        assert_sound(&state);
        intruder(&place.db()).execute_batch(change).expect(change);
        let damage = state.check().expect("a check").damage;
        let named = |line: &String| line.starts_with("notes: its ") && line.contains("clear");
        assert!(damage.iter().any(named), "{change}: {damage:?}");
    }
    for change in [
        "DELETE FROM notes; DELETE FROM _dkdc_head_notes; DELETE FROM _dkdc_waypoints;
         DELETE FROM _dkdc_index_notes_1; DELETE FROM _dkdc_index_notes_2;
         UPDATE _dkdc_tables SET floor = 5, anchor = zeroblob(32)",
        "UPDATE _dkdc_tables SET floor = 5",
    ] {
        let lines = damage(|_| change.to_owned());
        assert!(
            lines.iter().any(|line| line.starts_with("notes: its ")),
            "{change}: {lines:?}"
        );
    }
}

#[test]
fn a_table_that_was_cleared_again_and_again_is_sound() {
    let place = Place::new();
    let (state, _) = furnished(&place);
    let table = state.rows("notes").expect("a table");
    for n in 0..3 {
        state.clear(&["notes"]).expect("a table");
        assert_sound(&state);
        table.append(&note("again", n)).expect("new");
        assert_sound(&state);
    }
    state.clear(&[]).expect("all tables");
    assert_sound(&state);
}

#[test]
fn tables_and_guards_that_are_gone_are_named() {
    for (change, name) in [
        (
            "DROP TRIGGER _dkdc_guard_delete_notes",
            "_dkdc_guard_delete_notes",
        ),
        (
            "DROP TRIGGER _dkdc_guard_insert__dkdc_store",
            "_dkdc_guard_insert__dkdc_store",
        ),
        (
            "DROP TRIGGER _dkdc_guard_update_notes;
             CREATE TRIGGER _dkdc_guard_update_notes BEFORE UPDATE ON notes BEGIN SELECT 1; END",
            "_dkdc_guard_update_notes",
        ),
        ("DROP TABLE _dkdc_index_notes_2", "_dkdc_index_notes_2"),
        ("DROP TABLE _dkdc_head_notes", "_dkdc_head_notes"),
        ("DROP TABLE _dkdc_waypoints", "_dkdc_waypoints"),
        ("DROP TABLE _dkdc_chunks", "_dkdc_chunks"),
        ("ALTER TABLE notes RENAME TO other", "notes"),
        ("CREATE INDEX mine ON notes(body)", "mine"),
        (
            "CREATE TRIGGER mine AFTER INSERT ON _dkdc_head_notes BEGIN SELECT 1; END",
            "mine",
        ),
    ] {
        let lines = damage(|_| change.to_owned());
        assert!(
            lines.iter().any(|line| line.contains(name)),
            "{change}: {lines:?}"
        );
    }
}

#[test]
fn a_column_that_another_program_changed_is_damage() {
    for change in [
        "ALTER TABLE notes DROP COLUMN body",
        "ALTER TABLE notes RENAME COLUMN body TO text",
    ] {
        let lines = damage(|_| change.to_owned());
        assert!(
            lines.iter().any(|line| line.contains("body")),
            "{change}: {lines:?}"
        );
    }
}

#[test]
fn content_that_changed_is_named_and_not_handed_out() {
    for change in [
        "UPDATE _dkdc_chunks SET data = x'00'",
        "UPDATE _dkdc_chunks SET data = CAST('Content' AS BLOB)",
        "UPDATE _dkdc_chunks SET size = 6",
        "UPDATE _dkdc_chunks SET hash = zeroblob(32)",
    ] {
        let lines = damage(|_| change.to_owned());
        assert!(
            lines.iter().any(|line| line.contains("content 1")),
            "{change}: {lines:?}"
        );
    }
    let lines = damage(|_| "DELETE FROM _dkdc_chunks".to_owned());
    assert!(
        lines.iter().any(|line| line.contains("\"c\"")),
        "a record without its content: {lines:?}"
    );

    let place = Place::new();
    let (state, _) = furnished(&place);
    let row = state
        .rows("notes")
        .expect("a table")
        .get("c")
        .expect("a read")
        .expect("there");
    let Some(dkdc_state::Value::Blob(blob)) = row.get("data") else {
        panic!("{row:?}");
    };
    let flipped = "UPDATE _dkdc_chunks SET data = CAST('Content' AS BLOB)";
    intruder(&place.db())
        .execute_batch(flipped)
        .expect("an edit");
    assert_eq!(refusal(state.open_blob(blob)), "Damaged");
    let other = BlobRef {
        hash: [0; 32],
        ..*blob
    };
    assert_eq!(refusal(state.open_blob(&other)), "NoSuchBlob");
}
