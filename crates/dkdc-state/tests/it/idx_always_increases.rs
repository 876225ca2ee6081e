//! A version's number is greater than every number before it.
//!
//! The failure to prevent: the original took `idx` from the wall clock. Two
//! writes in one microsecond tied, a clock that was set back numbered new
//! versions below old ones, and "latest" was not the latest.

use std::sync::Mutex;

use dkdc_state::{Idx, Moment, Select};

use crate::support::{DAY, MINUTE, NOON, Place, TestClock, assert_sound, note, notes, refusal};

#[test]
fn ten_thousand_writes_in_one_microsecond_are_in_order() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    let mut last = state.last().expect("a read");
    for batch in 0..100 {
        let rows: Vec<_> = (0..99).map(|n| note(&format!("{batch}/{n}"), n)).collect();
        let mut versions = notes.append_all(&rows).expect("new");
        versions.push(notes.upsert(&note("one", batch)).expect("either"));
        for version in versions {
            assert_eq!(version.idx.as_micros(), last.as_micros() + 1);
            last = version.idx;
        }
    }
    let newest = notes
        .list(&Select::new().order_desc("idx").limit(1))
        .expect("a list");
    assert_eq!(newest[0].idx(), last);
    assert_eq!(
        notes.get("one").expect("a read").expect("there").get("n"),
        Some(&99.into())
    );
    assert_sound(&state);
}

#[test]
fn a_clock_set_back_a_day_changes_no_order() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    let before = notes.append(&note("a", 1)).expect("new").idx;
    clock.step(-DAY);
    let after = notes.update(&note("a", 2)).expect("there").idx;
    assert!(after > before, "{after} {before}");
    // Also by a process that never saw the right time.
    drop((notes, state));
    clock.step(-DAY);
    let state = place.open_at(&clock);
    let notes = state.rows("notes").expect("a table");
    let later = notes.update(&note("a", 3)).expect("there").idx;
    assert!(later > after, "{later} {after}");
    clock.set(NOON + DAY);
    let right = notes.update(&note("a", 4)).expect("there").idx;
    assert_eq!(right.as_micros(), NOON + DAY, "the right time again");
    assert_eq!(
        notes.get("a").expect("a read").expect("there").get("n"),
        Some(&4.into())
    );
    assert_sound(&state);
}

#[test]
fn a_clock_that_jumps_while_threads_write_changes_no_order() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    // Each write happens under the lock, so that their real order is known.
    let seen = Mutex::new(Idx::ZERO);
    std::thread::scope(|scope| {
        for thread in 0..8i64 {
            let (notes, clock, seen) = (&notes, &clock, &seen);
            scope.spawn(move || {
                for n in 0..40 {
                    clock.step([MINUTE, -2 * MINUTE, 0, 1][usize::try_from(n % 4).expect("few")]);
                    let own = notes
                        .append(&note(&format!("{thread}/{n}"), n))
                        .expect("new")
                        .idx;
                    let mut seen = seen.lock().expect("no panic");
                    let next = notes.upsert(&note("shared", n)).expect("either").idx;
                    assert!(next > *seen && next > own, "{next} {seen} {own}");
                    *seen = next;
                }
            });
        }
    });
    assert_sound(&state);
}

#[test]
fn at_the_end_of_all_numbers_a_write_is_refused_and_reading_goes_on() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    clock.set(i64::MAX - 2);
    let early = notes.append(&note("a", 1)).expect("new");
    assert_eq!(early.idx.as_micros(), i64::MAX - 2);
    // Three are asked for, two are left: none is written.
    let rows = ["b", "c", "d"].map(|id| note(id, 1));
    let refused = notes.append_all(&rows).expect_err("no number is left");
    assert!(
        refused.to_string().contains("clock is at its end"),
        "{refused}"
    );
    assert_eq!(notes.count().expect("a count"), 1);
    clock.set(NOON);
    notes.append_all(&rows[..2]).expect("two are left");
    assert_eq!(state.last().expect("a read").as_micros(), i64::MAX);
    for _ in 0..2 {
        assert_eq!(refusal(notes.append(&rows[2])), "Sqlite");
        assert_eq!(refusal(notes.delete("a")), "Sqlite");
        assert_eq!(refusal(state.clear(&[])), "Sqlite");
        assert_eq!(refusal(state.rename_column("notes", "n", "m")), "Sqlite");
    }
    assert_eq!(notes.ids("", 9).expect("ids"), ["a", "b", "c"]);
    assert_eq!(notes.history("c").expect("a history").len(), 1);
    let end = state
        .at(Idx::from_micros(i64::MAX).into())
        .expect("the newest");
    assert_eq!(
        end.rows("notes")
            .expect("a table")
            .count()
            .expect("a count"),
        3
    );
    let early = state.at(early.idx.into()).expect("history");
    assert_eq!(
        early
            .rows("notes")
            .expect("a table")
            .count()
            .expect("a count"),
        1
    );
    let now = Moment::Time(Idx::from_micros(NOON + 1).timestamp());
    let then = state.at(now).expect("history");
    // The batch was written when the clock was right again: it is seen by then,
    // and everything before it.
    assert_eq!(
        then.rows("notes")
            .expect("a table")
            .count()
            .expect("a count"),
        3
    );
    let changes = state.changes(Idx::ZERO).expect("changes").count();
    assert_eq!(changes, 2 + 3);
    assert_eq!(
        state
            .changes(Idx::from_micros(i64::MAX))
            .expect("changes")
            .count(),
        0
    );
    assert!(state.status().is_ok());
    assert_sound(&state);
}

#[test]
fn a_clock_before_the_epoch_does_not_spoil_a_store() {
    let place = Place::new();
    let clock = TestClock::new(-DAY);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    let first = notes.append(&note("a", 1)).expect("new").idx;
    assert!(first > Idx::ZERO, "{first} is before where changes start");
    clock.set(i64::MIN);
    let second = notes.update(&note("a", 2)).expect("there").idx;
    assert!(second > first);
    drop((notes, state));
    clock.set(NOON);
    let state = place.open_at(&clock);
    let notes = state.rows("notes").expect("a table");
    assert!(notes.update(&note("a", 3)).expect("there").idx > second);
    assert_eq!(state.changes(Idx::ZERO).expect("changes").count(), 2 + 3);
    assert_sound(&state);
}
