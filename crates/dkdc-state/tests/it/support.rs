//! What the tests share: places to put a store, a clock that obeys, another
//! program's connection, and how to wait for something.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use dkdc_state::{
    Clock, ColumnDef, ColumnType, Durability, IndexDef, OpenOptions, Row, State, TableDef,
};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tempfile::TempDir;

/// A folder with a path for a store in it; gone when dropped.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the store goes.
    pub(crate) fn db(&self) -> PathBuf {
        self.at("data.db")
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The store, without waiting for the disk at each commit.
    pub(crate) fn open(&self) -> State {
        quick().open(self.db()).expect("a store")
    }

    /// The same, with a clock that the test sets.
    pub(crate) fn open_at(&self, clock: &TestClock) -> State {
        let options = quick().clock(Arc::new(clock.clone()));
        options.open(self.db()).expect("a store")
    }
}

/// Options of a store that need not survive a power loss.
pub(crate) fn quick() -> OpenOptions {
    State::options().durability(Durability::Relaxed)
}

/// 2026-11-22T10:00:00Z.
pub(crate) const NOON: i64 = 1_795_341_600_000_000;
pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const DAY: i64 = 24 * 60 * MINUTE;

/// A clock that stands still until it is set.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(crate) fn new(micros: i64) -> TestClock {
        TestClock(Arc::new(AtomicI64::new(micros)))
    }

    pub(crate) fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }

    pub(crate) fn step(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A table `notes` with a text, a number, and an index over the number.
pub(crate) fn notes() -> TableDef {
    TableDef::new("notes")
        .column(ColumnDef::new("body", ColumnType::Text))
        .column(ColumnDef::new("n", ColumnType::Int))
        .index(IndexDef::new(["n", "-idx"]))
}

/// A row of [`notes`].
pub(crate) fn note(id: &str, n: i64) -> Row {
    Row::new(id).with("body", format!("body {n}")).with("n", n)
}

/// A plain SQLite connection, as other programs open one.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests play the other programs"
)]
pub(crate) fn other_program(path: &Path) -> Connection {
    Connection::open(path).expect("a connection")
}

/// Another program that is bent on changing the file: it switches the guards
/// off first.
pub(crate) fn intruder(path: &Path) -> Connection {
    let conn = other_program(path);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
        .expect("triggers off");
    conn
}

/// Waits until something is so, and fails when it is not so after a minute.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) {
    within(1, what, is_so);
}

/// The same, for what takes its turns: so many minutes.
#[track_caller]
pub(crate) fn within(minutes: u64, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60 * minutes);
    while !is_so() {
        assert!(
            Instant::now() < deadline,
            "not in {minutes} minutes: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says who may do what with a file or folder.
pub(crate) fn permit(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}

/// Copies a file in another process: opening a store's file in this one would
/// drop its locks.
pub(crate) fn copy_outside(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success(), "cp failed");
}

/// The store is what was written to it.
#[track_caller]
pub(crate) fn assert_sound(state: &State) {
    let report = state.check().expect("a check");
    assert!(report.is_sound(), "damage: {:#?}", report.damage);
}

/// The variant's name and no more: for `assert_eq` on what kind of error it is.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(result: dkdc_state::Result<T>) -> String {
    let error = result.expect_err("it must be refused");
    let name = format!("{error:?}");
    let end = name.find([' ', '(']).unwrap_or(name.len());
    name[..end].to_owned()
}
