//! A bit of the store's file flipped, its `-wal` was cut, its `-shm` is
//! garbage, a file of the mirror is not what it was.
//!
//! The failure to prevent: a row that nobody wrote is read from a store that
//! `check` calls sound, a panic, or a store from whose middle something is gone.

use std::path::Path;

use dkdc_torture::random::Random;
use dkdc_torture::rounds::damage;

use crate::seed::seed;

/// With random choices of a seed that a failure prints; its files stay.
#[track_caller]
fn by_chance<T>(harm: impl Fn(&Path, &mut Random) -> dkdc_torture::Result<T>) -> T {
    let folder = tempfile::tempdir().expect("a folder");
    let became = harm(folder.path(), &mut Random::new(seed()));
    became.unwrap_or_else(|error| panic!("{error}; the files are in {}", folder.keep().display()))
}

#[test]
fn a_flipped_bit_of_the_file_is_found_or_changes_nothing() {
    let became = by_chance(|folder, random| damage::database(folder, random, 300));
    assert!(became.found > 100 && became.rows > 20, "{became:?}");
}

#[test]
fn a_flipped_bit_of_a_row_is_named_by_table_version_and_record() {
    assert_eq!(
        by_chance(|folder, random| damage::rows(folder, random, 100)),
        100
    );
}

#[test]
fn each_of_a_thousand_flipped_bits_of_mirror_files_is_named() {
    assert_eq!(
        by_chance(|folder, random| damage::mirror(folder, random, 1000)),
        1000
    );
}

#[test]
fn a_wal_that_was_harmed_leaves_a_beginning() {
    let shorter = by_chance(|folder, random| damage::wal(folder, random, 60));
    assert!(shorter > 20, "{shorter} of 65 lost their end");
}
