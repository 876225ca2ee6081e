//! A write is acknowledged only into the file that the path names.
//!
//! The failure to prevent: a backup script replaces the file while it is open.
//! Every write goes on being acknowledged, into a file that has no name any
//! more, and is gone with the process.

use std::path::Path;
use std::process::Command;

use dkdc_state::{Error, Row, Select, State, Table};

use crate::support::{
    Place, assert_sound, copy_outside, intruder, note, notes, quick, refusal, until,
};

/// A store with one record, `name`, whose file alone is complete.
fn made(path: &Path, name: &str) {
    let state = quick().open(path).expect("a store");
    let table = state.define(&notes()).expect("a table");
    table.append(&note(name, 1)).expect("new");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests play the other programs"
)]
fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).expect("a rename");
}

/// Whatever it reads is its own; it writes nothing, and says why.
#[track_caller]
fn is_lost(state: &State, table: &Table<Row>) {
    for _ in 0..2 {
        for error in [
            table.append(&note("lost", 1)).map(|_| ()),
            table.delete("mine").map(|_| ()),
            state.transaction(|tx| tx.rows("notes").map(|_| ())),
            state.clear(&[]).map(|_| ()),
        ] {
            let error = error.expect_err("it must not be acknowledged");
            let lost = matches!(error, Error::Replaced { .. } | Error::Poisoned { .. });
            assert!(lost, "{error}");
        }
        for found in [
            table.get("theirs").map(|row| row.is_some()),
            table.contains("theirs"),
            table
                .list(&Select::new().eq("id", "theirs"))
                .map(|rows| !rows.is_empty()),
            std::thread::scope(|scope| {
                // Held by another thread meanwhile, the pool has no reader left.
                let rows = scope.spawn(|| table.ids("theirs", 1).map(|ids| !ids.is_empty()));
                rows.join().expect("an answer")
            }),
        ] {
            match found {
                Ok(found) => assert!(!found, "another store's record"),
                Err(Error::Replaced { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn replaced() {
    for read_before in [true, false] {
        let place = Place::new();
        made(&place.at("other.db"), "theirs");
        let state = place.open();
        let table = state.define(&notes()).expect("a table");
        if read_before {
            table.append(&note("mine", 1)).expect("new");
            assert!(table.contains("mine").expect("a read"));
        }
        rename(&place.at("other.db"), &place.db());
        is_lost(&state, &table);
        drop((table, state));
        let state = place.open();
        let ids = state
            .rows("notes")
            .expect("a table")
            .ids("", 9)
            .expect("ids");
        assert_eq!(ids, ["theirs"], "the file that took its place is as it was");
        assert_sound(&state);
    }
}

#[test]
fn replaced_and_put_back() {
    let place = Place::new();
    made(&place.at("other.db"), "theirs");
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("mine", 1)).expect("new");
    rename(&place.db(), &place.at("mine.db"));
    rename(&place.at("other.db"), &place.db());
    assert_eq!(refusal(table.append(&note("lost", 1))), "Replaced");
    rename(&place.db(), &place.at("other.db"));
    rename(&place.at("mine.db"), &place.db());
    table
        .append(&note("kept", 1))
        .expect("it is the file again");
    drop((table, state));
    let ids = place
        .open()
        .rows("notes")
        .expect("a table")
        .ids("", 9)
        .expect("ids");
    assert_eq!(ids, ["kept", "mine"]);
}

#[test]
fn removed() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("mine", 1)).expect("new");
    std::fs::remove_file(place.db()).expect("it goes");
    is_lost(&state, &table);
    assert!(!place.db().exists(), "nothing brings it back by itself");
    drop((table, state));
    for name in ["data.db-wal", "data.db-shm"] {
        let _ = std::fs::remove_file(place.at(name));
    }
    let state = place.open();
    assert_eq!(state.tables().expect("tables").len(), 0, "a new store");
}

#[test]
fn renamed() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("mine", 1)).expect("new");
    rename(&place.db(), &place.at("new name.db"));
    is_lost(&state, &table);
    drop((table, state));
    let state = quick().open(place.at("new name.db")).expect("a store");
    assert_sound(&state);
}

#[test]
fn the_log_was_removed_from_under_it() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("mine", 1)).expect("new");
    std::fs::remove_file(place.at("data.db-wal")).expect("it goes");
    assert_eq!(refusal(table.append(&note("lost", 1))), "Replaced");
    std::fs::write(place.at("data.db-wal"), "").expect("a file");
    assert_eq!(refusal(table.append(&note("lost", 1))), "Replaced");
}

#[test]
fn replaced_in_the_middle_of_a_transaction() {
    let place = Place::new();
    made(&place.at("other.db"), "theirs");
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("mine", 1)).expect("new");
    let ended = state.transaction(|tx| {
        tx.rows("notes")?.append(&note("lost", 1))?;
        rename(&place.at("other.db"), &place.db());
        Ok::<(), Error>(())
    });
    assert_eq!(refusal(ended), "Replaced");
    // Its durability is unknown, so this handle is at its end.
    assert_eq!(refusal(table.append(&note("more", 1))), "Poisoned");
}

#[test]
fn a_copy_that_took_its_place_is_another_file() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("mine", 1)).expect("new");
    until("the file alone is complete", || {
        copy_outside(&place.db(), &place.at("copy.db"));
        let count =
            intruder(&place.at("copy.db"))
                .query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0));
        count.is_ok_and(|count| count == 1)
    });
    // As `sed -i` and editors do it.
    let moved = Command::new("mv")
        .arg(place.at("copy.db"))
        .arg(place.db())
        .status();
    assert!(moved.expect("mv runs").success());
    assert_eq!(refusal(table.append(&note("lost", 1))), "Replaced");
    drop((table, state));
    let state = place.open();
    assert_eq!(
        state
            .rows("notes")
            .expect("a table")
            .count()
            .expect("a count"),
        1
    );
    assert_sound(&state);
}
