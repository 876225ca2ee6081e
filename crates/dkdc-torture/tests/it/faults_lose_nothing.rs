//! The process dies, is stopped, or is told that the disk failed, at moments
//! that nobody chose well.
//!
//! The failure to prevent: what was acknowledged is gone, there twice, or half
//! there; or the store does not open any more.

use std::path::Path;

use dkdc_torture::rounds::keeping::{Death, Template};
use dkdc_torture::rounds::sealing::can_be_stopped;
use dkdc_torture::rounds::{Kind, Tally, chance, requests, sweep};
use dkdc_torture::vfs::{self, Action, Plan};

use crate::support::{command, run, said};

/// So many rounds of a kind, by seeds that nobody chose.
#[track_caller]
fn rounds(kind: Kind, count: usize) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..count {
        let seed = chance().expect("a seed");
        match run().round(kind, seed) {
            Ok(round) => tally += round,
            Err(error) => panic!("{error}"),
        }
    }
    tally
}

#[test]
fn writers_killed_at_random_beside_a_reader() {
    let tally = rounds(Kind::Kills, 2);
    assert!(tally.kills >= 50, "{tally}");
    assert!(tally.acknowledged > 100, "{tally}");
    assert!(tally.snapshots > 0, "{tally}");
}

#[test]
fn a_writer_that_dies_at_a_change_of_its_files_and_again_while_it_recovers() {
    let tally = rounds(Kind::Deaths, 2);
    assert!(tally.deaths >= 24, "{tally}");
}

#[test]
fn a_writer_that_dies_at_its_nth_change_for_many_n() {
    let step = 9;
    let from = 1 + chance().expect("a seed") % step;
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

#[test]
fn a_disk_that_is_full_for_a_while() {
    let tally = rounds(Kind::Full, 2);
    assert!(tally.errors > 0 && tally.acknowledged > 1000, "{tally}");
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
    let mut nth = 1 + chance().expect("a seed") % step;
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
        println!("SKIPPED: there is no strace on this machine");
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
    let mut nth = 1 + chance().expect("a seed") % step;
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
    let seed = chance().expect("a seed");
    let tally = run()
        .crowd(seed, 15)
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(tally.acknowledged > 500, "{tally}");
}
