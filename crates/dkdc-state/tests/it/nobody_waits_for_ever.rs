//! Writers wait for each other and nobody else, and not for ever.
//!
//! The failure to prevent: a process is stopped inside its transaction, and
//! every other one hangs; or readers come and go without a gap, and the log
//! beside the file grows until the disk is full.

use std::path::Path;
use std::time::{Duration, Instant};

use dkdc_state::{Error, Row, Select};

use crate::support::{
    Place, assert_sound, copy_outside, note, notes, other_program, quick, refusal, until, within,
};
use crate::workers::{Worker, listen, say};

/// Worker: holds SQLite's write lock, by no code of ours, until told.
pub(crate) fn hold_lock(args: &[String]) {
    let conn = other_program(Path::new(&args[0]));
    conn.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    say("held");
    listen();
}

#[test]
fn a_writer_that_is_kept_waiting_is_told_so_and_reading_goes_on() {
    let place = Place::new();
    let options = quick().busy_timeout(Duration::from_millis(100));
    let state = options.open(place.db()).expect("a store");
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    let mut holder = Worker::start("hold-lock", &place.db(), &[]);
    assert_eq!(holder.answer(), "held");
    let error = table.update(&note("a", 2)).expect_err("the lock is taken");
    assert!(
        matches!(&error, Error::Busy { path, .. } if path == state.path()),
        "{error}"
    );
    assert_eq!(
        refusal(table.append_all(&[note("b", 1), note("c", 1)])),
        "Busy"
    );
    assert_eq!(
        refusal(state.transaction(|tx| tx.rows("notes").map(|_| ()))),
        "Busy"
    );
    assert_eq!(refusal(state.clear(&[])), "Busy");
    // All of them are told, also those that wait for another thread first.
    std::thread::scope(|scope| {
        let tell = |n: i64| refusal(table.append(&note(&n.to_string(), n)));
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || tell(n))).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("an answer"), "Busy");
        }
    });
    assert_eq!(
        table
            .get("a")
            .expect("reading goes on")
            .expect("there")
            .record,
        note("a", 1)
    );
    assert_eq!(
        table.list(&Select::new()).expect("reading goes on").len(),
        1
    );
    holder.tell("let go");
    holder.finish();
    table.update(&note("a", 2)).expect("the lock is free");
    assert_eq!(
        table.count().expect("a count"),
        1,
        "what was told Busy is not there"
    );
    assert_sound(&state);
}

/// Worker: is inside a transaction of its own until told, and says what it wrote.
pub(crate) fn stay_inside(args: &[String]) {
    let state = quick().open(&args[0]).expect("the store");
    let version = state.transaction(|tx| {
        let version = tx.rows("notes")?.append(&note("theirs", 1))?;
        say("inside");
        listen();
        Ok::<_, Error>(version)
    });
    say(version.expect("it goes on").idx);
}

#[test]
fn a_process_that_is_stopped_inside_its_transaction_keeps_nobody_for_ever() {
    let place = Place::new();
    let options = quick().busy_timeout(Duration::from_millis(100));
    let state = options.open(place.db()).expect("a store");
    let table = state.define(&notes()).expect("a table");
    let mut other = Worker::start("stay-inside", &place.db(), &[]);
    assert_eq!(other.answer(), "inside");
    other.signal("STOP");
    let busy = table.append(&note("mine", 1)).map(|_| ());
    assert_eq!(refusal(busy), "Busy");
    // Who comes new is not kept either.
    let fresh = Worker::start("open-and-tell", &place.db(), &["100"]).finish();
    assert_eq!(fresh, ["read false", "then true", "sound true", "Busy"]);
    assert_eq!(table.count().expect("reading goes on"), 0);
    other.signal("CONT");
    other.tell("go on");
    let idx = other.finish().pop().expect("what it wrote");
    let found = table.get("theirs").expect("a read").expect("acknowledged");
    assert_eq!(found.idx().to_string(), idx);
    table.append(&note("mine", 1)).expect("the lock is free");
    assert_eq!(
        table.count().expect("a count"),
        2,
        "what was told Busy is not there"
    );
    assert_sound(&state);
}

#[test]
fn a_writer_that_dies_with_the_lock_leaves_it() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let mut holder = Worker::start("hold-lock", &place.db(), &[]);
    assert_eq!(holder.answer(), "held");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| table.append(&note("a", 1)));
        drop(holder); // killed
        waits.join().expect("an answer").expect("the lock is free");
    });
    assert_sound(&state);
}

#[test]
fn following_sees_other_processes_commits() {
    let place = Place::new();
    let state = place.open();
    state.define(&notes()).expect("a table");
    let mut follow = state
        .follow(state.last().expect("a read"))
        .expect("changes");
    let deadline = || Some(Instant::now() + Duration::from_secs(60));
    for n in 0..3 {
        let mut writer = Worker::start("write-one", &place.db(), &[&n.to_string()]);
        writer.tell("go");
        let change = follow
            .next_before(deadline())
            .expect("a read")
            .expect("in a minute");
        assert_eq!(writer.finish(), [change.idx.to_string()]);
    }
}

/// Worker: keeps a read transaction open at all times, each overlapping the
/// one before, until its input ends.
pub(crate) fn read_on(args: &[String]) {
    let path = Path::new(&args[0]);
    let reader = || {
        let conn = other_program(path);
        conn.execute_batch("BEGIN; SELECT count(*) FROM notes")
            .expect("a read");
        let count = conn.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0));
        count.expect("a read");
        conn
    };
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            listen();
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        let mut held = reader();
        say("reading");
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            let next = reader();
            std::thread::sleep(Duration::from_millis(5));
            held = next;
        }
        drop(held);
    });
}

#[test]
fn readers_that_are_always_there_neither_stop_writers_nor_swell_the_file() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 0)).expect("new");
    let mut reader = Worker::start("read-on", &place.db(), &[]);
    assert_eq!(reader.answer(), "reading");
    let body = "x".repeat(20_000);
    let rows: Vec<Row> = (0..20)
        .map(|i| note(&i.to_string(), i).with("body", body.as_str()))
        .collect();
    let (mut versions, mut size, mut begun_anew) = (1, 0, 0);
    // A busy machine's readers let it happen at one of the tries, ten seconds apart.
    within(5, "the -wal is begun anew", || {
        let written = table.upsert_all(&rows);
        versions += written.expect("readers do not stop writers").len();
        let now = state.status().expect("a status").wal_bytes;
        begun_anew += usize::from(now < size);
        size = now;
        begun_anew == 2
    });
    reader.tell("stop");
    reader.finish();
    until("the -wal is in the file", || {
        let copy = place.at("copy.db");
        copy_outside(&place.db(), &copy);
        let conn = other_program(&copy);
        let count = conn.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0));
        count.is_ok_and(|count| usize::try_from(count) == Ok(versions))
    });
    assert_sound(&state);
}
