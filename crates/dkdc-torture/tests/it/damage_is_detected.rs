//! A bit of the store's file flipped, its `-wal` was cut, its `-shm` is
//! garbage, a file of the mirror is not what it was.
//!
//! The failure to prevent: a row that nobody wrote is read from a store that
//! `check` calls sound, a panic, or a store from whose middle something is gone.

use dkdc_torture::random::Random;
use dkdc_torture::rounds::{chance, damage};

/// With random choices of a seed that a failure prints.
#[track_caller]
fn by_chance<T>(harm: impl Fn(&mut Random) -> dkdc_torture::Result<T>) -> (u64, T) {
    let seed = chance().expect("a seed");
    let became = harm(&mut Random::new(seed));
    (
        seed,
        became.unwrap_or_else(|error| panic!("seed {seed}: {error}")),
    )
}

#[test]
fn a_flipped_bit_of_the_file_is_found_or_changes_nothing() {
    let (seed, became) = by_chance(|random| damage::database(random, 300));
    println!("{became:?}");
    assert!(became.found > 100, "seed {seed}: {became:?}");
}

#[test]
fn a_flipped_bit_of_a_row_is_named_by_table_version_and_record() {
    assert_eq!(by_chance(|random| damage::rows(random, 100)).1, 100);
}

#[test]
fn each_of_a_thousand_flipped_bits_of_mirror_files_is_named() {
    assert_eq!(by_chance(|random| damage::mirror(random, 1000)).1, 1000);
}

#[test]
fn a_wal_that_was_harmed_leaves_a_beginning() {
    let (seed, shorter) = by_chance(|random| damage::wal(random, 60));
    assert!(shorter > 20, "seed {seed}: {shorter} of 65 lost their end");
}
