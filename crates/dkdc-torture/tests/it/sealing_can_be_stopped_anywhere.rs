//! Writing the mirror's files is stopped at any of its system calls: by a kill,
//! or by an error of the system.
//!
//! The failure to prevent: half a file is taken for a file, a file is lost that
//! the manifest names and its rows with it, or a store whose mirror cannot be
//! written refuses to work.

use dkdc_torture::rounds::sealing::{CALLS, Template, can_be_stopped};

use crate::skipped::skipped;
use crate::support::run;

/// Every n-th call of each kind, up to the last that there is; counts how often it went
/// wrong.
fn stop_at(how: &str, calls: &[&str], step: usize, most: u64) -> u64 {
    let run = run();
    let template = Template::new(&run).expect("a store");
    let mut stopped = 0;
    for call in calls {
        for nth in (1..=most).step_by(step) {
            let wrong = template.seal(call, how, nth);
            if !wrong.unwrap_or_else(|error| panic!("{error}")) {
                break;
            }
            stopped += 1;
        }
    }
    stopped
}

/// Else says that a test does not run.
fn can() -> bool {
    let can = can_be_stopped();
    if !can {
        skipped("there is no strace on this machine");
    }
    can
}

#[test]
fn by_a_kill_at_its_system_calls() {
    if can() {
        let stopped = stop_at("signal=KILL", &CALLS, 3, 60);
        assert!(stopped >= 12, "only {stopped} kills");
    }
}

#[test]
fn by_errors_of_the_system() {
    if !can() {
        return;
    }
    let calls = ["fsync,fdatasync", "rename,renameat2", "fchmod", "flock"];
    for (how, calls, step, most, least) in [
        ("error=EIO", &calls[..], 3, 8, 4),
        ("error=ENOSPC", &["write,pwrite64"], 9, 40, 2),
        // Reads that are interrupted are taken up again, by SQLite and by us.
        ("error=EINTR", &["read,pread64"], 15, 60, 2),
        // Out of descriptors, as the library and its engines see it.
        ("error=EMFILE", &["openat"], 5, 60, 3),
    ] {
        let wrong = stop_at(how, calls, step, most);
        assert!(wrong >= least, "{how}: only {wrong} times");
    }
}

/// Each has the same rows to write; one is the first.
#[test]
fn by_other_processes_that_do_the_same() {
    let run = run();
    let template = Template::new(&run).expect("a store");
    for _ in 0..3 {
        template.race(4).unwrap_or_else(|error| panic!("{error}"));
    }
}
