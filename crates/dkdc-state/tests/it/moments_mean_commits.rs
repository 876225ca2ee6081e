//! A moment means what had been committed by then: all of a commit or none of
//! it, whatever the clock did.
//!
//! The failure to prevent: one machine writes in the year 2100, the clock is
//! put right, and from then on "5 minutes ago" means before everything, or
//! after; or a moment that history does not cover gives an empty answer that
//! looks like one.

use dkdc_state::{Error, Idx, Moment, Select, State};

use crate::support::{
    DAY, MINUTE, NOON, Place, SECOND, TestClock, assert_sound, note, notes, refusal,
};

fn time(micros: i64) -> Moment {
    Moment::Time(Idx::from_micros(micros).timestamp())
}

/// The ids that were there.
fn ids(state: &State, when: Moment) -> Vec<String> {
    let then = state.at(when).expect("within history");
    let rows = then.rows("notes").expect("a table");
    rows.ids("", 99).expect("ids")
}

#[test]
fn five_minutes_ago_still_means_that_after_a_write_in_2100() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    let write = |id: &str| notes.append(&note(id, 1)).expect("new").idx;
    write("before");
    clock.set(4_102_444_800_000_000); // 2100-01-01
    write("in 2100");
    for (minute, id) in [(10, "10"), (20, "20"), (30, "30")] {
        clock.set(NOON + minute * MINUTE);
        assert!(write(id).as_micros() > 4_102_444_800_000_000);
    }
    clock.set(NOON + 32 * MINUTE);
    let ago = |minutes: i64| time(NOON + 32 * MINUTE - minutes * MINUTE);
    assert_eq!(ids(&state, ago(30)), ["before"]);
    assert_eq!(ids(&state, ago(22)), ["10", "before", "in 2100"]);
    assert_eq!(ids(&state, ago(5)), ["10", "20", "before", "in 2100"]);
    assert_eq!(ids(&state, ago(2)), ["10", "20", "30", "before", "in 2100"]);
    assert_eq!(ids(&state, ago(0)), ["10", "20", "30", "before", "in 2100"]);
    // Another process reads it alike.
    drop((notes, state));
    let state = place.open_at(&clock);
    assert_eq!(ids(&state, ago(5)), ["10", "20", "before", "in 2100"]);
    let phrase = Moment::parse(
        "5 minutes ago",
        Idx::from_micros(NOON + 32 * MINUTE).timestamp(),
    );
    assert_eq!(
        ids(&state, phrase.expect("a time")),
        ["10", "20", "before", "in 2100"]
    );
}

#[test]
fn a_clock_set_back_a_day_leaves_its_commits_where_they_happened() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    clock.step(2 * DAY);
    notes.append(&note("a", 1)).expect("new");
    clock.step(-DAY);
    notes
        .append_all(&[note("b", 1), note("c", 1)])
        .expect("new");
    clock.step(MINUTE);
    notes.append(&note("d", 1)).expect("new");
    // At the wall time of the second commit it was there, the third was not.
    assert_eq!(ids(&state, time(NOON + DAY)), ["a", "b", "c"]);
    assert_eq!(ids(&state, time(NOON + DAY + MINUTE)), ["a", "b", "c", "d"]);
    assert_eq!(ids(&state, time(NOON + DAY - 1)), [""; 0]);
    assert_sound(&state);
}

#[test]
fn a_moment_inside_a_transaction_includes_all_of_it() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    notes.append(&note("a", 1)).expect("new");
    clock.step(SECOND);
    let batch = notes
        .append_all(&["b", "c", "d"].map(|id| note(id, 1)))
        .expect("new");
    clock.step(SECOND);
    notes.append(&note("e", 1)).expect("new");
    for version in &batch {
        assert_eq!(ids(&state, version.idx.into()), ["a", "b", "c", "d"]);
        assert_eq!(
            ids(&state, time(version.idx.as_micros())),
            ["a", "b", "c", "d"]
        );
        assert_eq!(
            state.at(version.idx.into()).expect("history").idx(),
            batch[2].idx
        );
    }
    let before = Idx::from_micros(batch[0].idx.as_micros() - 1);
    assert_eq!(ids(&state, before.into()), ["a"]);
    // A batch that is refused in the middle of a group is no part of anything.
    assert!(notes.append_all(&[note("f", 1), note("a", 1)]).is_err());
    assert_eq!(
        ids(&state, state.last().expect("a read").into()),
        ["a", "b", "c", "d", "e"]
    );
}

#[test]
fn what_history_does_not_cover_is_an_error() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    clock.step(MINUTE);
    let last = notes.append(&note("a", 1)).expect("new").idx;
    let outside = |when: Moment| refusal(state.at(when).map(|s| s.idx()));
    assert_eq!(outside(time(NOON - 1)), "OutsideHistory");
    assert_eq!(outside(Idx::from_micros(NOON - 1).into()), "OutsideHistory");
    assert_eq!(outside(Idx::ZERO.into()), "OutsideHistory");
    assert_eq!(outside(Idx::from_micros(i64::MIN).into()), "OutsideHistory");
    assert_eq!(outside(Idx::from_micros(i64::MAX).into()), "OutsideHistory");
    assert_eq!(
        outside(Idx::from_micros(last.as_micros() + 1).into()),
        "OutsideHistory"
    );
    assert_eq!(outside(time(NOON + MINUTE + 1)), "OutsideHistory");
    assert_eq!(
        outside("0001-01-01".parse().expect("a time")),
        "OutsideHistory"
    );
    assert_eq!(
        outside("9999-12-30".parse().expect("a time")),
        "OutsideHistory"
    );
    let why = state
        .at(time(NOON - 1))
        .expect_err("before the store")
        .to_string();
    assert!(why.contains("history begins at"), "{why}");
    // Idle time after the newest version is covered: nothing happened.
    clock.step(DAY);
    assert_eq!(ids(&state, time(NOON + DAY)), ["a"]);
    assert_eq!(
        state
            .at(time(NOON))
            .expect("its first moment")
            .idx()
            .as_micros(),
        NOON
    );
}

#[test]
fn before_a_clear_there_is_no_history() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    let others = state
        .define(&dkdc_state::TableDef::new("others"))
        .expect("a table");
    clock.step(MINUTE);
    let v1 = notes.append(&note("a", 1)).expect("new").idx;
    let kept = others
        .append(&dkdc_state::Row::new("kept"))
        .expect("new")
        .idx;
    clock.step(MINUTE);
    let cleared = state.clear(&["notes"]).expect("a clear");
    assert_eq!(
        (cleared[0].table.as_str(), cleared[0].versions),
        ("notes", 1)
    );
    clock.step(MINUTE);
    notes.append(&note("b", 1)).expect("new");

    let then = state.at(kept.into()).expect("the store has history there");
    let rows = then.rows("notes").expect("a table");
    assert_eq!(refusal(rows.get("a")), "OutsideHistory");
    assert_eq!(refusal(rows.contains("a")), "OutsideHistory");
    assert_eq!(refusal(rows.list(&Select::new())), "OutsideHistory");
    assert_eq!(refusal(rows.count()), "OutsideHistory");
    assert_eq!(refusal(rows.ids("", 9)), "OutsideHistory");
    assert_eq!(refusal(rows.history("a")), "OutsideHistory");
    let others = then.rows("others").expect("a table");
    assert!(others.contains("kept").expect("not cleared"));
    assert!(
        ids(&state, time(NOON + 2 * MINUTE)).is_empty(),
        "at the clear, it is empty"
    );
    assert_eq!(ids(&state, time(NOON + 3 * MINUTE)), ["b"]);
    assert!(notes.history("a").expect("a read").is_empty());
    assert!(notes.version("a", v1).expect("a read").is_none());
    let event = state.events().expect("events").pop().expect("an event");
    assert_eq!(
        (event.kind, event.table.as_deref()),
        (dkdc_state::EventKind::Clear, Some("notes"))
    );
    assert_eq!(event.detail["versions"], 1);
    assert_eq!(refusal(state.clear(&["notes", "nowhere"])), "UnknownTable");
    assert_eq!(
        notes.count().expect("a count"),
        1,
        "nothing is cleared when one is unknown"
    );
    assert_sound(&state);
}

#[test]
fn a_snapshot_stays_what_it_was() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    notes.append(&note("a", 1)).expect("new");
    let then = state.snapshot().expect("a snapshot");
    let rows = then.rows("notes").expect("a table");
    notes.update(&note("a", 2)).expect("there");
    notes.append(&note("b", 1)).expect("new");
    state.rename_column("notes", "n", "m").expect("a new name");
    let found = rows.list(&Select::new()).expect("a list");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].get("m"), Some(&1.into()));
    state.clear(&[]).expect("a clear");
    assert!(matches!(rows.get("a"), Err(Error::OutsideHistory { .. })));
}

#[test]
fn ids_as_of_a_moment_are_those_that_were_and_no_more_than_asked_for() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let rows = ["a", "b1", "b2", "b3", "c"].map(|id| note(id, 1));
    table.append_all(&rows).expect("new");
    let then = state.snapshot().expect("a snapshot");
    table.delete("b1").expect("there");
    table.append(&note("b0", 1)).expect("new");
    let then = then.rows("notes").expect("a table");
    assert_eq!(then.ids("b", 9).expect("ids"), ["b1", "b2", "b3"]);
    assert_eq!(then.ids("b", 2).expect("ids"), ["b1", "b2"]);
    assert_eq!(then.ids("b", 0).expect("ids"), [""; 0]);
    assert_eq!(then.ids("", 1).expect("ids"), ["a"]);
}
