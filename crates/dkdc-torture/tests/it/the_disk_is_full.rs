//! The disk is full, in earnest: a small file system of its own.
//!
//! The failure to prevent: a write is acknowledged that did not fit, a store
//! that was full once stays unusable, or a mirror that does not fit stops
//! writing. And a disk that only reads.

use dkdc_state::{Durability, ErrorKind, Row, State};
use dkdc_torture::random::Random;
use dkdc_torture::rounds::disk;
use dkdc_torture::small::Small;
use dkdc_torture::work::{self, Tables};

use crate::seed::seed;
use crate::skipped::skipped;

/// A file system of so many KiB, if this user may mount one.
fn small(kib: u64) -> Option<Small> {
    let small = Small::mount(kib).expect("a folder");
    if small.is_none() {
        skipped("no file system can be mounted by this user");
    }
    small
}

#[test]
fn what_was_acknowledged_is_there_and_freed_space_is_used() {
    let Some(small) = small(6_000) else { return };
    let filled = disk::fill(small.path(), &mut Random::new(seed()));
    let filled = filled.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        filled.acknowledged > 100 && filled.refused >= 5,
        "{filled:?}"
    );
}

#[test]
fn a_mirror_that_does_not_fit_stops_no_writer_and_no_answer() {
    let Some(small) = small(400) else { return };
    let place = tempfile::tempdir().expect("a folder");
    let options = work::options(Durability::Full).seal_rows(50);
    let state = options.open(place.path().join("data.db")).expect("a store");
    // The mirror alone is on the small file system, and that is full.
    std::os::unix::fs::symlink(small.path(), place.path().join("data.db-mirror")).expect("a link");
    std::fs::write(small.path().join("ballast"), vec![0; 400 << 10]).expect("it fits");
    let notes = Tables::define(&state).expect("tables").notes;
    for n in 0..300 {
        let row = Row::new(n.to_string()).with("token", n);
        notes.append(&row).expect("the log has room");
    }
    assert!(state.keep_mirror().is_err(), "a full disk takes no file");
    let batches = state.sql("from notes").expect("an answer from the log");
    let rows: usize = batches.map(|batch| batch.expect("rows").num_rows()).sum();
    assert_eq!(rows, 300);
    std::fs::remove_file(small.path().join("ballast")).expect("removed");
    state.keep_mirror().expect("there is room");
    assert!(state.check().expect("a check").is_sound());
}

/// The failure to prevent: the mirror's disk is full, and a check or a question that has
/// the log to read from is refused for it.
#[test]
fn a_full_disk_of_the_mirror_hinders_no_check_and_no_question() {
    let Some(small) = small(600) else { return };
    let place = tempfile::tempdir().expect("a folder");
    let options = || work::options(Durability::Full).seal_rows(50);
    let path = place.path().join("data.db");
    let state = options().open(&path).expect("a store");
    std::os::unix::fs::symlink(small.path(), place.path().join("data.db-mirror")).expect("a link");
    let notes = Tables::define(&state).expect("tables").notes;
    let mut written = 0;
    let mut write = |count: i64| {
        for n in written..written + count {
            let row = Row::new((n % 200).to_string()).with("token", n);
            notes.upsert(&row).expect("the log has room");
        }
        written += count;
    };
    write(300);
    state.keep_mirror().expect("it has room");
    let full = std::fs::write(small.path().join("ballast"), vec![0; 600 << 10]);
    assert!(full.is_err(), "a small file system took all of it");
    let judge = |state: &State, versions: usize| {
        let report = state.check().expect("a check");
        assert!(report.is_sound(), "{:?}", report.damage);
        for (query, expected) in [("from notes", 200), ("from history.notes", versions)] {
            let batches = state.sql(query).expect("an answer");
            let rows: usize = batches.map(|batch| batch.expect("rows").num_rows()).sum();
            assert_eq!(rows, expected, "{query}");
        }
        report.mirror.len()
    };
    write(300);
    assert!(state.keep_mirror().is_err(), "a full disk takes no file");
    assert_eq!(judge(&state, 600), 0, "files of the mirror are lost");
    // A process that has verified nothing yet, and cannot record that it did.
    let file = std::fs::read_dir(small.path()).expect("a folder");
    let mut files: Vec<_> = file.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "parquet"));
    std::fs::remove_file(files.first().expect("a file")).expect("removed");
    let full = std::fs::write(small.path().join("more"), vec![0; 600 << 10]);
    assert!(full.is_err(), "a small file system took all of it");
    drop((notes, state));
    let state = options().open(&path).expect("a store");
    assert_eq!(judge(&state, 600), 1, "the file that was removed");
}

/// A medium that can only be read, whoever asks: not a matter of permissions, by
/// which the system would stop nobody who may do everything.
#[test]
fn a_store_on_a_read_only_medium_is_read_and_a_write_is_the_error() {
    let Some(small) = small(32_000) else { return };
    let path = small.path().join("data.db");
    let options = || work::options(Durability::Full);
    let state = options().open(&path).expect("a store");
    let notes = Tables::define(&state).expect("tables").notes;
    for n in 0..300 {
        let row = Row::new(n.to_string()).with("token", n);
        notes.append(&row).expect("it has room");
    }
    state.keep_mirror().expect("it has room");
    drop((notes, state));
    small.make_read_only().expect("nobody writes there");
    let state = options().open(&path).expect("it is read");
    let notes = state.rows("notes").expect("the table");
    assert_eq!(notes.count().expect("a count"), 300);
    let batches = state.sql("from notes").expect("an answer");
    let rows: usize = batches.map(|batch| batch.expect("rows").num_rows()).sum();
    assert_eq!(rows, 300);
    let error = notes
        .append(&Row::new("new"))
        .expect_err("nobody writes there");
    assert_eq!(error.kind(), ErrorKind::Failure, "{error}");
    assert!(error.to_string().contains("cannot be written"), "{error}");
    assert!(state.check().expect("a check").is_sound());
}
