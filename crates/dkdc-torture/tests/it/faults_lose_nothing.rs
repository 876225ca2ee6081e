//! The process dies, is stopped, or is told that the disk failed, at moments
//! that nobody chose well.
//!
//! The failure to prevent: what was acknowledged is gone, there twice, or half
//! there; or the store does not open any more.

use std::path::Path;

use dkdc_torture::rounds::{Kind, Tally, chance, sweep};

use crate::support::run;

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
