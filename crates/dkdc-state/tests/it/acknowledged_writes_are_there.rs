//! A write that was answered is there: now, after the store is opened again,
//! and whatever other threads were doing.
//!
//! The failure to prevent: under group commit one thread's write is answered
//! with another's result, or is taken back with a neighbour's that was refused.

use std::collections::BTreeSet;
use std::sync::Barrier;

use dkdc_state::{
    ColumnDef, ColumnType, Durability, Error, Idx, IndexDef, Nulls, Op, Row, Select, State,
    TableDef,
};

use crate::support::{NOON, Place, TestClock, assert_sound, copy_outside, note, notes, refusal};

#[test]
fn each_operation_says_what_it_did() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");

    let v1 = notes.append(&note("a", 1)).expect("new");
    assert_eq!((v1.prev, v1.op), (None, Op::Append));
    let v2 = notes.update(&note("a", 2)).expect("there");
    assert_eq!((v2.prev, v2.op), (Some(v1.idx), Op::Update));
    let v3 = notes.upsert(&note("a", 3)).expect("either");
    assert_eq!((v3.prev, v3.op), (Some(v2.idx), Op::Update));
    let v4 = notes
        .update_if(&note("a", 4), v3.idx)
        .expect("nobody wrote");
    let v5 = notes.delete_if("a", v4.idx).expect("nobody wrote");
    assert_eq!((v5.prev, v5.op), (Some(v4.idx), Op::Delete));
    let v6 = notes.restore("a", v2.idx).expect("it had it");
    assert_eq!((v6.prev, v6.op), (Some(v5.idx), Op::Restore));
    let idxs = [v1, v2, v3, v4, v5, v6].map(|v| v.idx);
    assert!(idxs.is_sorted_by(|a, b| a < b), "{idxs:?}");

    let there = notes.get("a").expect("a read").expect("restored");
    assert_eq!((there.version, &there.record), (v6, &note("a", 2)));
    drop((notes, state));
    let state = place.open();
    let notes = state.rows("notes").expect("a table");
    assert_eq!(notes.get("a").expect("a read").expect("kept"), there);
    assert_eq!(notes.history("a").expect("a history").len(), 6);
    assert_sound(&state);
}

#[test]
fn what_is_refused_says_why_and_leaves_nothing() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    let v1 = notes.append(&note("a", 1)).expect("new");
    let gone = notes.append(&note("gone", 1)).expect("new");
    let deleted = notes.delete("gone").expect("there").idx;
    let last = state.last().expect("a read");

    let exists = notes.append(&note("a", 2)).expect_err("it is there");
    assert!(matches!(exists, Error::AlreadyExists { idx, .. } if idx == v1.idx));
    assert_eq!(refusal(notes.update(&note("b", 1))), "NotFound");
    assert_eq!(refusal(notes.delete("b")), "NotFound");
    assert_eq!(refusal(notes.delete("gone")), "NotFound");
    assert_eq!(refusal(notes.update(&note("gone", 2))), "NotFound");
    let conflicts = [
        (notes.update_if(&note("a", 2), gone.idx), Some(v1.idx)),
        (notes.delete_if("a", Idx::ZERO), Some(v1.idx)),
        (notes.update_if(&note("gone", 2), gone.idx), Some(deleted)),
        (notes.update_if(&note("never", 2), v1.idx), None),
    ];
    for (conflict, newest) in conflicts {
        let error = conflict.expect_err("somebody wrote");
        assert!(
            matches!(error, Error::Conflict { actual, .. } if actual == newest),
            "{error}"
        );
    }
    // Neither another record's version nor a delete can be restored.
    for (id, idx) in [("a", gone.idx), ("gone", deleted), ("never", v1.idx)] {
        assert_eq!(refusal(notes.restore(id, idx)), "NoSuchVersion");
    }
    // The third refuses the batch; the first two are not written.
    let batch = [note("b", 1), note("c", 1), note("a", 1), note("d", 1)];
    assert_eq!(refusal(notes.append_all(&batch)), "AlreadyExists");
    assert_eq!(
        refusal(notes.append_all([&note("b", 1), &note("b", 2)])),
        "AlreadyExists"
    );
    assert_eq!(
        refusal(notes.update_all([&note("a", 9), &note("b", 2)])),
        "NotFound"
    );

    assert_eq!(state.last().expect("a read"), last, "something was written");
    assert_eq!(notes.ids("", 9).expect("ids"), ["a"]);
    assert_eq!(notes.append_all([]).expect("nothing to do"), []);
    assert_sound(&state);
}

#[test]
fn of_a_hundred_writers_with_one_expected_version_one_wins() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    let v1 = notes.append(&note("a", 0)).expect("new");
    let start = Barrier::new(100);
    let won: Vec<i64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..100i64)
            .map(|n| {
                let (notes, start) = (&notes, &start);
                scope.spawn(move || {
                    start.wait();
                    match notes.update_if(&note("a", n), v1.idx) {
                        Ok(_) => Some(n),
                        Err(Error::Conflict { expected, .. }) if expected == v1.idx => None,
                        Err(error) => panic!("{error}"),
                    }
                })
            })
            .collect();
        let ended = writers.into_iter().map(|w| w.join().expect("a writer"));
        ended.flatten().collect()
    });
    assert_eq!(won.len(), 1, "{won:?}");
    let there = notes.get("a").expect("a read").expect("there").record;
    assert_eq!(there, note("a", won[0]));
    assert_eq!(notes.history("a").expect("a history").len(), 2);
}

/// Adds one until it succeeds.
fn increment(counters: &dkdc_state::Table<Row>) {
    loop {
        let now = counters.get("sum").expect("a read").expect("a counter");
        let n = now.get("n").and_then(|n| n.as_int()).expect("a number");
        match counters.update_if(&Row::new("sum").with("n", n + 1), now.idx()) {
            Ok(_) => return,
            Err(Error::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn eight_threads_lose_nothing() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    notes.append(&note("sum", 0)).expect("a counter");
    let versions: Vec<(Idx, String)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let notes = notes.clone();
                scope.spawn(move || {
                    let mut made = Vec::new();
                    for n in 0..100 {
                        let id = format!("{thread}/{n}");
                        made.push((notes.append(&note(&id, n)).expect("new").idx, id));
                        if n % 4 == 0 {
                            increment(&notes);
                        }
                    }
                    made
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().expect("a thread"))
            .collect()
    });
    let unique: BTreeSet<Idx> = versions.iter().map(|(idx, _)| *idx).collect();
    assert_eq!(unique.len(), 800, "two versions have one number");
    for (idx, id) in &versions {
        let there = notes.get(id).expect("a read").expect("it was acknowledged");
        assert_eq!(there.idx(), *idx, "{id}");
    }
    let sum = notes.get("sum").expect("a read").expect("a counter");
    assert_eq!(sum.get("n"), Some(&200.into()));
    assert_eq!(notes.history("sum").expect("a history").len(), 201);
    assert_sound(&state);
}

#[test]
fn one_callers_refusal_does_not_touch_the_others_of_its_group() {
    let place = Place::new();
    let state = place.open();
    let table = TableDef::new("slots")
        .column(ColumnDef::new("slot", ColumnType::Int))
        .index(IndexDef::new(["slot"]).unique(Nulls::Distinct));
    let slots = state.define(&table).expect("a table");
    slots
        .append(&Row::new("taken").with("slot", 0))
        .expect("new");
    let start = Barrier::new(16);
    // Half of the writers want what is taken, in the last row of their batch.
    std::thread::scope(|scope| {
        for writer in 0..16i64 {
            let (slots, start) = (&slots, &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..20 {
                    let own = 1 + writer * 100 + round;
                    let first = Row::new(format!("{writer}/{round}/a")).with("slot", own);
                    let wanted = if writer % 2 == 0 { 0 } else { 10_000 + own };
                    let second = Row::new(format!("{writer}/{round}/b")).with("slot", wanted);
                    match slots.append_all([&first, &second]) {
                        Ok(versions) => assert!(writer % 2 == 1 && versions.len() == 2),
                        Err(Error::NotUnique { other, .. }) => {
                            assert_eq!((writer % 2, other.as_str()), (0, "taken"));
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(slots.count().expect("a count"), 1 + 8 * 20 * 2);
    for writer in (0..16).step_by(2) {
        assert_eq!(slots.ids(&format!("{writer}/"), 9).expect("ids"), [""; 0]);
    }
    assert_sound(&state);
}

#[test]
fn threads_that_read_see_whole_commits() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    notes
        .append_all([&note("a", 0), &note("b", 0)])
        .expect("new");
    let n_of = |id: &str, rows: &[dkdc_state::Versioned<Row>]| {
        let row = rows
            .iter()
            .find(|row| row.id == id)
            .expect("both are there");
        row.get("n").and_then(|n| n.as_int()).expect("a number")
    };
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 1..300 {
                notes
                    .update_all([&note("a", n), &note("b", n)])
                    .expect("both");
            }
        });
        for _ in 0..3 {
            scope.spawn(|| {
                let mut newest = 0;
                while newest < 299 {
                    let rows = notes.list(&Select::new()).expect("a list");
                    let (a, b) = (n_of("a", &rows), n_of("b", &rows));
                    assert_eq!(a, b, "half a commit");
                    assert!(a >= newest, "{a} after {newest}");
                    newest = a;
                }
            });
        }
        writer.join().expect("a writer");
    });
}

#[test]
fn a_handle_that_is_shared_is_one_store() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let first = place.open_at(&clock);
    let notes = first.define(&notes()).expect("a table");
    notes.append(&note("a", 1)).expect("new");
    std::os::unix::fs::symlink(place.db(), place.at("link.db")).expect("a link");
    std::fs::hard_link(place.db(), place.at("hard.db")).expect("a link");
    let roundabout = place
        .at("../")
        .join(place.folder().file_name().expect("a name"));
    for path in [
        place.at("link.db"),
        place.at("hard.db"),
        roundabout.join("data.db"),
    ] {
        let again = State::open(&path).expect("the same store");
        assert_eq!(again.path(), first.path(), "{}", path.display());
        let rows = again.rows("notes").expect("a table");
        // Not seen through the file: a second store would have its own clock.
        let version = rows.update(&note("a", 2)).expect("there");
        assert!(
            version.idx.as_micros() < NOON + 100,
            "another clock wrote {version:?}"
        );
    }
    assert!(
        !place.at("hard.db-wal").exists(),
        "a second log beside the link"
    );
    assert_sound(&first);
}

/// A file that gets longer costs a sync twice: the `-wal` does by many commits at once,
/// and what is behind the last of them is nothing.
#[test]
fn the_wal_grows_ahead_and_nothing_is_read_there() {
    let place = Place::new();
    let options = State::options().durability(Durability::Full);
    let state = options.open(place.db()).expect("a store");
    let notes = state.define(&notes()).expect("a table");
    let wal = place.db().with_extension("db-wal");
    let lengths: BTreeSet<u64> = (0..400)
        .map(|n| {
            notes.append(&note(&format!("n{n}"), n)).expect("new");
            std::fs::metadata(&wal).expect("a -wal").len()
        })
        .collect();
    assert!(lengths.len() < 100, "{lengths:?}");
    // As a process that is killed leaves it.
    let copy = Place::new();
    copy_outside(&place.db(), &copy.db());
    copy_outside(&wal, &copy.db().with_extension("db-wal"));
    let copied = copy.open();
    assert_sound(&copied);
    let table = copied.rows("notes").expect("a table");
    let (kept, there) = (table.list(&Select::new()), notes.list(&Select::new()));
    assert_eq!(kept.expect("a list"), there.expect("a list"));
}
