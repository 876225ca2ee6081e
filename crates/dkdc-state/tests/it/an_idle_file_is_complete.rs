//! When writes pause, the `.db` file alone is everything.
//!
//! The failure to prevent: somebody copies `data.db`, as anybody would, and
//! not the `-wal` beside it, which has the last hour.

use dkdc_state::State;

use crate::support::{Place, assert_sound, copy_outside, note, notes, other_program, quick, until};

/// Copies the file alone until the copy, opened as a store, has `count` notes.
#[track_caller]
fn has_all(place: &Place, count: u64) {
    let mut copies = 0;
    let mut opened: Option<State> = None;
    until("the copy has everything", || {
        copies += 1;
        let copy = place.at(&format!("copy-{copies}.db"));
        copy_outside(&place.db(), &copy);
        // A copy made in the middle of a checkpoint may be torn.
        let Ok(state) = quick().open(&copy) else {
            return false;
        };
        let found = state.rows("notes").and_then(|table| table.count());
        let complete = found.is_ok_and(|found| found == count);
        opened = Some(state);
        complete
    });
    assert_sound(&opened.expect("a copy"));
}

#[test]
fn after_each_pause_while_it_is_open() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    for round in 1..=3u64 {
        let rows: Vec<_> = (0..50).map(|n| note(&format!("{round}/{n}"), n)).collect();
        table.append_all(&rows).expect("new");
        table.append(&note(&format!("{round}"), 1)).expect("new");
        has_all(&place, round * 51);
    }
    assert_sound(&state);
}

#[test]
fn after_a_reader_that_was_in_the_way_is_gone() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let reader = other_program(&place.db());
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM notes")
        .expect("a read");
    let held = reader.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0));
    assert_eq!(held.expect("a read"), 0);
    table.append(&note("a", 1)).expect("new");
    reader.execute_batch("ROLLBACK").expect("the end");
    has_all(&place, 1);
}

#[test]
fn after_it_is_closed_at_once() {
    let place = Place::new();
    // Somebody else has it open, so that closing is not the last one's.
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    drop((table, state));
    let other = other_program(&place.db());
    let count = || other.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0));
    count().expect("a read");
    let state = place.open();
    state
        .rows("notes")
        .expect("a table")
        .append(&note("a", 1))
        .expect("new");
    drop(state);
    copy_outside(&place.db(), &place.at("copy.db"));
    let copy = State::open(place.at("copy.db")).expect("a store");
    assert_eq!(
        copy.rows("notes")
            .expect("a table")
            .count()
            .expect("a count"),
        1
    );
    assert_eq!(count().expect("a read"), 1);
    assert_sound(&copy);
}
