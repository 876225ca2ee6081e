//! The disk is full, in earnest: a small file system of its own.
//!
//! The failure to prevent: a write is acknowledged that did not fit, a store
//! that was full once stays unusable, or a mirror that does not fit stops
//! writing.

use std::path::Path;
use std::process::Command;

use dkdc_state::{Durability, ErrorKind, Row, State};
use dkdc_torture::work::{self, Tables};

use crate::support::has;

/// A file system of so many KiB, in memory; gone when dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(kib: u64) -> Option<Small> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Small(folder));
        }
        println!("SKIPPED: no file system can be mounted by this user");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "still mounted"
        );
    }
}

fn open(place: &Path) -> State {
    let options = work::options(Durability::Full).seal_rows(50);
    options.open(place.join("data.db")).expect("a store")
}

#[test]
fn what_was_acknowledged_is_there_and_freed_space_is_used() {
    if !has("mount") {
        return;
    }
    let Some(small) = Small::mount(6_000) else {
        return;
    };
    let ballast = small.path().join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20]).expect("it fits");
    let state = open(small.path());
    let notes = Tables::define(&state).expect("tables").notes;
    let body = "x".repeat(3_000);
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    let mut write = |notes: &dkdc_state::Table<Row>, n: i64| {
        let row = Row::new(n.to_string())
            .with("token", n)
            .with("body", body.as_str());
        match notes.append(&row) {
            Ok(version) => acknowledged.push((n, version.idx)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Failure, "{error}");
                assert!(error.to_string().contains("full"), "{error}");
                refused += 1;
            }
        }
        refused
    };
    let mut n = 0;
    while write(&notes, n) < 5 {
        n += 1;
        assert!(n < 10_000, "a file system that is never full");
    }
    // Reading goes on. The mirror cannot be written; nobody else minds.
    assert!(notes.contains("0").expect("a read"));
    let sealed = state.keep_mirror();
    assert!(sealed.is_err(), "a full disk takes no file");
    std::fs::remove_file(&ballast).expect("removed");
    drop((notes, state));
    let state = open(small.path());
    let notes = Tables::define(&state).expect("tables").notes;
    for more in 1..=50 {
        assert_eq!(write(&notes, n + more), 5, "there is room again");
    }
    for (n, idx) in &acknowledged {
        let found = notes
            .get(&n.to_string())
            .expect("a read")
            .expect("acknowledged");
        assert_eq!(found.idx(), *idx);
    }
    assert_eq!(notes.count().expect("a count"), acknowledged.len() as u64);
    state.keep_mirror().expect("there is room again");
    assert!(state.check().expect("a check").is_sound());
}

#[test]
fn a_mirror_that_does_not_fit_stops_no_writer_and_no_answer() {
    let Some(small) = Small::mount(400) else {
        return;
    };
    let place = tempfile::tempdir().expect("a folder");
    let state = open(place.path());
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
