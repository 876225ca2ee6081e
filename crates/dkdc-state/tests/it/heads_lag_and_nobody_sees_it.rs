//! Heads are folded into their tables now and then, and somebody sees it: a
//! record that was written is not there, one that was deleted is, a list has it
//! twice, or a process that was killed leaves heads behind that nobody finds.

use std::time::{Duration, Instant};

use dkdc_state::{Error, Row, Select, State};

use crate::support::{
    MINUTE, NOON, Place, TestClock, assert_sound, intruder, note, notes, quick, until,
};
use crate::workers::Worker;

/// More than are folded at once.
const MANY: i64 = 132_000;

/// What the store answers, in every way that goes by heads.
fn answers(state: &State) -> Result<Answers, Error> {
    let table = state.rows("notes")?;
    let ids =
        |rows: Vec<dkdc_state::Versioned<Row>>| rows.into_iter().map(|row| row.record.id).collect();
    Ok(Answers {
        count: table.count()?,
        got: table.get("k7")?.map(|row| row.version.idx.as_micros()),
        deleted: table.contains("k8")?,
        prefix: table.ids("k1", 5)?,
        by_index: ids(table.list(&Select::new().order("n").limit(5))?),
        newest: ids(table.list(&Select::new().order_desc("idx").limit(5))?),
        gone: ids(table.list_deleted(&Select::new())?),
    })
}

#[derive(Debug, PartialEq)]
struct Answers {
    count: u64,
    got: Option<i64>,
    deleted: bool,
    prefix: Vec<String>,
    by_index: Vec<String>,
    newest: Vec<String>,
    gone: Vec<String>,
}

/// How many heads the head table has.
fn folded(place: &Place) -> i64 {
    intruder(&place.db())
        .query_row("SELECT count(*) FROM _dkdc_head_notes", [], |row| {
            row.get(0)
        })
        .expect("a count")
}

/// A record that is there cannot be new.
fn assert_refused(state: &State, id: &str) {
    let table = state.rows("notes").expect("the table");
    let refused = table.append(&note(id, 0)).expect_err("it is there");
    assert!(matches!(refused, Error::AlreadyExists { .. }), "{refused}");
}

#[test]
fn many_heads_are_folded_and_answers_stay() {
    let place = Place::new();
    let state = quick().open(place.db()).expect("a store");
    let table = state.define(&notes()).expect("a table");
    let first: Vec<Row> = (0..MANY - 1000)
        .map(|n| note(&format!("k{n}"), n))
        .collect();
    table.append_all(&first).expect("new");
    table.delete("k8").expect("there");
    let before = answers(&state).expect("answers");
    assert_eq!(before.count, first.len() as u64 - 1);
    // A reader of another process, as it were: a connection that knows nothing.
    let unfolded = folded(&place);
    let more: Vec<Row> = (0..2000)
        .map(|n| note(&format!("m{n}"), MANY + n))
        .collect();
    table.append_all(&more).expect("new");
    assert!(
        folded(&place) >= MANY - 1000,
        "{unfolded}, {}",
        folded(&place)
    );
    let after = answers(&state).expect("answers");
    assert_eq!(after.count, before.count + 2000);
    assert_eq!((after.got, after.deleted), (before.got, false));
    assert_eq!((&after.prefix, &after.gone), (&before.prefix, &before.gone));
    assert_eq!(after.by_index, before.by_index);
    for id in ["k0", "k7", "m1999"] {
        assert_refused(&state, id);
    }
    table.append(&note("k8", 8)).expect("it was deleted");
    table.delete("k8").expect("there");
    assert_sound(&state);
    drop((table, state));

    // And so it is for who comes later.
    assert_eq!(folded(&place), MANY + 1000);
    let state = place.open();
    assert_eq!(answers(&state).expect("answers"), after);
}

#[test]
fn heads_of_a_process_that_was_killed_are_read_from_the_log() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    for n in 0..50 {
        table.append(&note(&format!("k{n}"), n)).expect("new");
    }
    table.update(&note("k7", 70)).expect("there");
    table.delete("k8").expect("there");
    let expected = answers(&state).expect("answers");
    drop((table, state));
    // As if nobody had folded them.
    intruder(&place.db())
        .execute_batch("DELETE FROM _dkdc_head_notes; UPDATE _dkdc_heads SET upto = 0")
        .expect("a change");
    let reader = State::options()
        .read_only(true)
        .open(place.db())
        .expect("a store");
    assert_eq!(answers(&reader).expect("answers"), expected);
    assert!(reader.check().expect("a check").is_sound());
    drop(reader);
    assert_eq!(folded(&place), 0, "a reader writes nothing");

    let state = place.open();
    assert_eq!(answers(&state).expect("answers"), expected);
    let table = state.rows("notes").expect("the table");
    assert_refused(&state, "k7");
    table.append(&note("k8", 1)).expect("deleted before");
    drop((table, state));
    assert_eq!(folded(&place), 50);
}

/// Up to where the head table is complete.
fn upto(conn: &rusqlite::Connection) -> i64 {
    let upto = "SELECT coalesce(max(upto), 0) FROM _dkdc_heads";
    conn.query_row(upto, [], |row| row.get(0))
        .expect("a number")
}

/// A process that has nothing to do waits for the pause of all, not for its own:
/// what it folded meanwhile, it would take from the one that writes.
#[test]
fn what_another_process_goes_on_writing_is_folded_when_it_pauses() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let other = intruder(&place.db());
    let before = upto(&other);
    let last = table.append(&note("a", 1)).expect("new").idx.as_micros();
    let mut written = Instant::now();
    let mut longest = Duration::ZERO;
    for _ in 0..100 {
        other
            .execute_batch("UPDATE _dkdc_store SET created = created + 1")
            .expect("a commit");
        longest = longest.max(written.elapsed());
        written = Instant::now();
        if upto(&other) != before {
            // Only after a pause, which a busy machine makes.
            assert!(longest >= Duration::from_millis(100), "{longest:?}");
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    until("the heads are folded", || upto(&other) == last);
    assert_sound(&state);
}

#[test]
fn a_transaction_sees_its_own_heads_and_takes_them_back() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    let before = answers(&state).expect("answers");
    let failed: Result<(), Error> = state.transaction(|tx| {
        let notes = tx.rows("notes")?;
        notes.append(&note("b", 2))?;
        notes.delete("a")?;
        assert!(notes.contains("b")? && !notes.contains("a")?);
        assert_eq!(notes.list(&Select::new())?.len(), 1);
        notes.append(&note("b", 3)).map(|_| ())
    });
    assert!(
        matches!(failed, Err(Error::AlreadyExists { .. })),
        "{failed:?}"
    );
    assert_eq!(answers(&state).expect("answers"), before);
    table.append(&note("b", 4)).expect("it was taken back");
    assert!(table.delete("a").is_ok());
    assert_sound(&state);
}

#[test]
fn counts_beside_a_writer_leave_no_old_heads_behind() {
    let place = Place::new();
    let state = quick().open(place.db()).expect("a store");
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 0)).expect("new");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(std::sync::atomic::Ordering::SeqCst) {
                        let count = table.count().expect("a count");
                        assert_eq!(count % 2, 1, "half a commit was counted");
                        assert!(table.ids("", 1).expect("ids") == ["a"]);
                    }
                })
            })
            .collect();
        for n in 1..2000 {
            let two = [note(&format!("x{n}"), n), note(&format!("y{n}"), n)];
            table.append_all(&two).expect("new");
            let at = table.update(&note("a", n)).expect("there").idx;
            let got = table.get("a").expect("a read").expect("there");
            assert_eq!(got.version.idx, at, "after {n} updates");
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        for reader in readers {
            reader.join().expect("every answer was right");
        }
    });
}

#[test]
fn what_was_folded_meanwhile_is_not_taken_for_new() {
    let place = Place::new();
    let state = quick().open(place.db()).expect("a store");
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    // By this process, in a pause.
    until("the head is folded", || folded(&place) == 1);
    assert_refused(&state, "a");
    // By another one, which folds when it closes.
    let mut other = Worker::start("write-one", &place.db(), &["b"]);
    other.tell("go");
    assert_eq!(other.finish().len(), 1);
    assert_eq!(folded(&place), 2);
    assert_refused(&state, "b");
    assert_refused(&state, "a");
    table.append(&note("c", 1)).expect("new");
    until("the next head is folded", || folded(&place) == 3);
    for id in ["a", "b", "c"] {
        assert_refused(&state, id);
    }
    assert_eq!(table.count().expect("a count"), 3);
    assert_sound(&state);
}

#[test]
fn numbers_that_were_taken_back_may_be_given_to_another_process() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    // The clock of the other process is behind this one's from here on.
    clock.set(NOON + 4_000_000 * MINUTE);
    let failed: Result<(), Error> = state.transaction(|tx| {
        tx.rows("notes")?.append(&note("b", 2))?;
        tx.rows("notes")?.append(&note("a", 2)).map(|_| ())
    });
    assert!(
        matches!(failed, Err(Error::AlreadyExists { .. })),
        "{failed:?}"
    );
    let mut other = Worker::start("write-one", &place.db(), &["b"]);
    other.tell("go");
    assert_eq!(other.finish().len(), 1);
    assert_refused(&state, "b");
    assert_refused(&state, "a");
    assert_eq!(table.count().expect("a count"), 2);
    assert_sound(&state);
}
