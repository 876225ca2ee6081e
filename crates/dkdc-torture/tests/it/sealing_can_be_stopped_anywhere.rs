//! Writing the mirror's files is stopped at any of its system calls: by a kill,
//! or by an error of the system.
//!
//! The failure to prevent: half a file is taken for a file, a file is lost that
//! the manifest names and its rows with it, or a store whose mirror cannot be
//! written refuses to work.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use dkdc_state::{Durability, Row, State};
use dkdc_torture::work::{self, Tables};

use crate::support::{PROGRAM, has};

const ROWS: i64 = 240;

fn open(path: &Path) -> State {
    let options = work::options(Durability::Full).seal_rows(20);
    options.open(path).expect("a store")
}

/// A store with files of all kinds, and a tail that is due.
fn template(folder: &Path) {
    let state = open(&folder.join("data.db"));
    let notes = Tables::define(&state).expect("tables").notes;
    for n in 0..ROWS {
        let row = Row::new(n.to_string()).with("token", n);
        notes.append(&row).expect("new");
        if n < ROWS - 60 && n % 60 == 59 {
            state.keep_mirror().expect("sealed");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success());
}

/// Runs the sealing with one system call, by number, going wrong. True: it came
/// to its end by itself.
fn sealed(template: &Path, place: &Path, calls: &str, how: &str, nth: u64) -> bool {
    copy(template, place);
    let store = place.join("data.db");
    let output = Command::new("strace")
        .args(["-f", "-qqq", "-o", "/dev/null", "-e"])
        .arg(format!("trace={calls}"))
        .arg("-e")
        .arg(format!("inject={calls}:{how}:when={nth}"))
        .args([PROGRAM, "seal"])
        .arg(&store)
        .output()
        .expect("strace runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let what = format!("{calls} {how} {nth}: {said}");
    let state = open(&store);
    let notes = state.rows("notes").expect("the table");
    let there = notes.contains("sealed").expect("a read");
    assert!(there || !said.contains("\nwrote "), "{what}");
    let rows = ROWS + i64::from(there);
    let asked = |query: &str| -> usize {
        let batches = state.sql(query).expect("an answer");
        batches.map(|batch| batch.expect("rows").num_rows()).sum()
    };
    for query in ["from notes", "from history.notes"] {
        assert_eq!(i64::try_from(asked(query)), Ok(rows), "{what}: {query}");
    }
    if let Some((_, read)) = said.split_once("read ") {
        assert_eq!(read.trim(), rows.to_string(), "{what}");
    }
    state
        .keep_mirror()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let report = state.check().expect("a check");
    assert!(report.is_sound(), "{what}: {:?}", report.damage);
    assert!(report.mirror.is_empty(), "{what}: {:?}", report.mirror);
    drop(state);
    std::fs::remove_dir_all(place).expect("removed");
    let killed = output.status.signal() == Some(9) || output.status.code() == Some(137);
    assert!(
        killed == how.contains("KILL") || output.status.success() || !how.contains("KILL"),
        "{what}: {}",
        output.status
    );
    !killed
}

/// Every n-th call of each kind, up to the last; counts how often it went wrong.
fn stop_at(how: &str, calls: &[&str], step: u64, most: u64) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("template");
    std::fs::create_dir(&from).expect("a folder");
    template(&from);
    let mut stopped = 0;
    for call in calls {
        for nth in (1..=most).step_by(usize::try_from(step).expect("small")) {
            let ended = sealed(&from, &folder.path().join("place"), call, how, nth);
            if how.contains("KILL") && ended {
                break;
            }
            stopped += 1;
        }
    }
    stopped
}

#[test]
fn by_a_kill_at_its_system_calls() {
    if !has("strace") {
        return;
    }
    let calls = [
        "write,pwrite64",
        "fsync,fdatasync",
        "rename,renameat2",
        "unlink",
        "flock",
        "fchmod",
    ];
    let stopped = stop_at("signal=KILL", &calls, 3, 60);
    assert!(stopped >= 12, "only {stopped} kills");
}

#[test]
fn by_errors_of_the_system() {
    if !has("strace") {
        return;
    }
    let calls = ["fsync,fdatasync", "rename,renameat2", "fchmod", "flock"];
    assert_eq!(stop_at("error=EIO", &calls, 3, 8), 12);
    // Reads that are interrupted are taken up again, by SQLite and by us.
    assert_eq!(stop_at("error=EINTR", &["read,pread64"], 30, 60), 2);
    // Out of descriptors, as the library and its engines see it.
    assert_eq!(stop_at("error=EMFILE", &["openat"], 12, 60), 5);
}
