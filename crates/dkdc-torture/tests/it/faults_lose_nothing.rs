//! The process dies, is stopped, or is told that the disk failed, at moments
//! that nobody chose well.
//!
//! The failure to prevent: what was acknowledged is gone, there twice, or half
//! there; or the store does not open any more.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dkdc_torture::random::Random;
use dkdc_torture::rounds::keeping::{Death, Template};
use dkdc_torture::rounds::sealing::can_be_stopped;
use dkdc_torture::rounds::{Kind, Tally, requests, sweep, sweep_full};
use dkdc_torture::vfs::{self, Action, Plan};

use crate::seed::seed;
use crate::skipped::skipped;
use crate::support::{PROGRAM, command, run, said};

/// So many rounds of a kind.
#[track_caller]
fn rounds(kind: Kind, count: usize) -> Tally {
    let mut seeds = Random::new(seed());
    let mut tally = Tally::default();
    for _ in 0..count {
        match run().round(kind, seeds.number()) {
            Ok(round) => tally += round,
            Err(error) => panic!("{error}"),
        }
    }
    tally
}

/// On a machine that does much else, writers may be killed before they have written: so
/// there are rounds until there was enough of everything.
#[test]
fn writers_killed_at_random_beside_a_reader() {
    let deadline = Instant::now() + Duration::from_secs(20 * 60);
    let mut seeds = Random::new(seed());
    let mut tally = Tally::default();
    let enough =
        |tally: &Tally| tally.kills >= 50 && tally.acknowledged > 100 && tally.snapshots > 0;
    while !enough(&tally) {
        assert!(Instant::now() < deadline, "not in 20 minutes: {tally}");
        let round = run().round(Kind::Kills, seeds.number());
        tally += round.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Without the programs that they need, in a machine of which nothing can be mounted.
#[test]
fn rounds_that_cannot_be_run_are_not_counted() {
    for (kind, lacked) in [("sealing", "strace"), ("disk", "file system of its own")] {
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--seed", "1", "--only", kind]);
        let said = said(command.env("PATH", "/nowhere"));
        let says = |what: &str, of: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(what));
            assert_eq!(line.map(str::trim), Some(of), "{kind}, {what}: {said}");
        };
        says("rounds ", "0");
        says("rounds not run", "1");
        says("not run for lack of", lacked);
        says("judgements", "0");
    }
}

#[test]
fn a_writer_that_dies_at_a_change_of_its_files_and_again_while_it_recovers() {
    let tally = rounds(Kind::Deaths, 2);
    assert!(tally.deaths >= 24, "{tally}");
}

#[test]
fn a_writer_that_dies_at_its_nth_change_for_many_n() {
    let step = 9;
    let from = 1 + Random::new(seed()).below(step);
    let tally = sweep(&run(), None, (from, u64::MAX), step).expect("every store is whole");
    assert!(tally.deaths >= 20, "{tally}");
    assert_eq!(tally.judgements, tally.deaths + 1);
}

/// The fixture's own tables are judged by `check`.
#[test]
fn a_writer_that_dies_while_an_older_format_is_brought_up_to_date() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a folder");
    let older = crates.join("dkdc-state/tests/fixtures/format-1.sqlite");
    let tally = sweep(&run(), Some(&older), (1, 24), 1).expect("every store is whole");
    assert_eq!((tally.deaths, tally.judgements), (24, 24), "{tally}");
}

#[test]
fn operations_that_fail_with_eio() {
    let tally = rounds(Kind::Eio, 2);
    assert!(tally.errors > 0 && tally.acknowledged > 1000, "{tally}");
}

/// A system may read less than it was asked for, or be interrupted: nobody notices.
#[test]
fn reads_that_are_short_or_interrupted_are_asked_for_again() {
    let tally = rounds(Kind::Reads, 2);
    assert!(tally.errors >= 12 && tally.acknowledged > 1000, "{tally}");
    assert_eq!((tally.present, tally.absent), (0, 0), "{tally}");
}

/// A file that seems to end where it does not: SQLite takes what is missing for zeros.
/// Writers read what they wrote, and a reader has such an end at every third read.
#[test]
fn a_file_that_seems_to_end_while_it_is_read_gives_an_error_and_no_wrong_row() {
    let tally = rounds(Kind::Ends, 2);
    assert!(tally.errors >= 12 && tally.acknowledged > 500, "{tally}");
}

#[test]
fn a_disk_that_is_full_for_a_while() {
    let tally = rounds(Kind::Full, 2);
    assert!(tally.errors > 0 && tally.acknowledged > 1000, "{tally}");
}

#[test]
fn a_disk_that_is_full_at_the_nth_write_for_many_n() {
    let step = 7;
    let from = 1 + Random::new(seed()).below(step);
    let tally = sweep_full(&run(), from, step).expect("every store is whole");
    assert!(tally.errors >= 20, "{tally}");
    assert_eq!(tally.judgements, tally.errors + 1);
}

#[test]
fn a_sync_that_fails_acknowledges_nothing_and_poisons_the_handle() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = said(&mut command("poison", &folder.path().join("data.db")));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "during: failed",
            "after: poisoned",
            "after: poisoned",
            "after: poisoned",
            "transaction: poisoned",
            "before is there: true",
            "by the old handle: poisoned",
            "opened again: acknowledged",
        ]
    );
}

#[test]
fn a_process_that_dies_while_it_takes_something_away_has_done_it_or_not() {
    let run = run();
    let template = Template::new(&run).expect("a store");
    let step = 11;
    let mut nth = 1 + Random::new(seed()).below(step);
    let kills = [Action::KillBefore, Action::KillTorn, Action::KillAfter];
    let mut deaths = 0;
    for action in kills.into_iter().cycle() {
        let plan = Plan::once(vfs::Kind::Change, nth, action);
        let died = template.keep(&Death::Planned(plan));
        if !died.unwrap_or_else(|error| panic!("{error}")) {
            break;
        }
        deaths += 1;
        nth += step;
    }
    assert!(deaths >= 8, "{deaths} deaths");
}

#[test]
fn a_backup_has_its_name_when_it_is_whole_and_not_before() {
    if !can_be_stopped() {
        skipped("there is no strace on this machine");
        return;
    }
    let run = run();
    let template = Template::new(&run).expect("a store");
    for nth in 1..30 {
        let died = template.keep(&Death::At("rename,renameat2,unlink", nth));
        if !died.unwrap_or_else(|error| panic!("{error}")) {
            return;
        }
    }
    panic!("so many names are not given");
}

#[test]
fn a_request_of_a_process_that_died_is_made_once_when_it_is_made_again() {
    let run = run();
    let step = 9;
    let mut nth = 1 + Random::new(seed()).below(step);
    let mut deaths = 0;
    for action in [Action::KillBefore, Action::KillAfter].into_iter().cycle() {
        let died = requests::again(&run, &Plan::once(vfs::Kind::Change, nth, action));
        if !died.unwrap_or_else(|error| panic!("{error}")) {
            break;
        }
        deaths += 1;
        nth += step;
    }
    assert!(deaths >= 8, "{deaths} deaths");
}

/// So many processes and threads that every commit is a crowd's.
#[test]
fn eight_processes_of_eight_threads() {
    let tally = run()
        .crowd(seed(), 15)
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(tally.acknowledged > 500, "{tally}");
}
