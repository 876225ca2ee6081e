//! Who may only read, reads what there is, and is read-only for that reason
//! alone.
//!
//! The failure to prevent: a dashboard on a read-only folder shows for ever what
//! was there when it started; a busy server runs out of descriptors, and its
//! store refuses every write from then on.

use std::fs::File;
use std::process::Command;

use dkdc_state::{ErrorKind, State};

use crate::skipped::skipped;
use crate::support::{Place, assert_sound, note, notes, permit};
use crate::workers::{Worker, listen, say};

/// Worker: reads whenever it is told to.
pub(crate) fn read_again(args: &[String]) {
    let state = State::open(&args[0]).expect("a store");
    say(state.is_read_only());
    while listen() == "read" {
        let ids = state.rows("notes").and_then(|table| table.ids("", 9));
        match ids {
            Ok(ids) => say(ids.join(",")),
            Err(error) => say(format!("{:?}", error.kind())),
        }
    }
}

#[test]
fn a_reader_that_cannot_lock_the_file_sees_what_others_write() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    drop((table, state));
    let writable = |may: bool| {
        permit(&place.db(), if may { 0o644 } else { 0o444 });
        permit(place.folder(), if may { 0o755 } else { 0o555 });
    };
    writable(false);
    let Some(mut reader) = Worker::start_as_nobody("read-again", &place.db()) else {
        skipped("this user cannot start a process of another one");
        return;
    };
    assert_eq!(reader.answer(), "true", "it is read-only");
    let mut read = || {
        reader.tell("read");
        reader.answer()
    };
    assert_eq!(read(), "a");
    let mut expected = "a".to_owned();
    for id in ["b", "c", "d"] {
        // The name of the table is known by now: one statement is enough.
        writable(true);
        let state = place.open();
        let table = state.rows("notes").expect("a table");
        table.append(&note(id, 1)).expect("new");
        writable(false);
        expected = format!("{expected},{id}");
        // In the -wal: either it can be read there, or that is said.
        let answer = read();
        assert!(answer == expected || answer == "Failure", "{answer}");
        drop((table, state));
        assert_eq!(read(), expected, "in the file");
    }
    writable(true);
    assert_sound(&place.open());
}

/// The failure to prevent: somebody who may only read leaves a `-wal` of their own, and
/// the store's owner cannot write any more.
#[test]
fn a_reader_leaves_nothing_that_its_owner_cannot_write() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    drop((table, state));
    permit(&place.db(), 0o644);
    permit(place.folder(), 0o777);
    let Some(mut reader) = Worker::start_as_nobody("read-again", &place.db()) else {
        skipped("this user cannot start a process of another one");
        return;
    };
    assert_eq!(reader.answer(), "true", "it is read-only");
    reader.tell("read");
    assert_eq!(reader.answer(), "a");
    for ending in ["-wal", "-shm"] {
        assert!(!place.at(&format!("data.db{ending}")).exists(), "{ending}");
    }
    let state = place.open();
    let table = state.rows("notes").expect("a table");
    table.append(&note("b", 1)).expect("the owner writes");
    reader.tell("read");
    let answer = reader.answer();
    assert!(answer == "a,b" || answer == "Failure", "{answer}");
    reader.tell("read");
    assert_eq!(reader.answer(), "a,b");
    drop((table, state));
    assert_sound(&place.open());
}

#[cfg(unix)]
#[test]
fn a_new_store_is_for_those_whom_the_umask_lets() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let mode = |path: &std::path::Path| path.metadata().expect("a file").mode() & 0o777;
    let other = place.folder().join("other");
    std::fs::write(&other, "").expect("a file");
    drop(place.open());
    assert_eq!(mode(&place.db()), mode(&other));
}

/// Worker: opens a store with hardly a descriptor left.
pub(crate) fn short_of_files(args: &[String]) {
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    for _ in 0..12 {
        match State::open(&args[0]) {
            Ok(state) => say(if state.is_read_only() {
                "read-only"
            } else {
                "writable"
            }),
            Err(error) if error.kind() == ErrorKind::Failure => say(format!("failed: {error}")),
            Err(error) => say(format!("{error:?}")),
        }
        taken.pop();
    }
}

#[test]
fn a_process_out_of_descriptors_is_not_told_that_the_store_is_read_only() {
    let place = Place::new();
    let state = place.open();
    state
        .define(&notes())
        .expect("a table")
        .append(&note("a", 1))
        .expect("new");
    drop(state);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"));
    let answers = Worker::start_by(limited, "short-of-files", &place.db(), &[]).finish();
    assert!(answers[0].starts_with("failed: "), "{answers:?}");
    assert_eq!(answers.last().map(String::as_str), Some("writable"));
    let wrong = |answer: &&String| *answer != "writable" && !answer.starts_with("failed: ");
    assert_eq!(answers.iter().find(wrong), None, "{answers:?}");
    let misled = |answer: &&String| answer.contains("cannot be written");
    assert_eq!(answers.iter().find(misled), None, "{answers:?}");
    assert_sound(&place.open());
}
