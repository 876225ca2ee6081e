//! A bit of the store's file flipped, its `-wal` was cut, its `-shm` is
//! garbage.
//!
//! The failure to prevent: a row that nobody wrote is read from a store that
//! `check` calls sound, a panic, or a store from whose middle something is gone.

use std::path::Path;
use std::process::Command;

use dkdc_state::{Durability, Row, State};
use dkdc_torture::oracle::{self, Log};
use dkdc_torture::random::Random;
use dkdc_torture::rounds::chance;
use dkdc_torture::work::{self, Tables};

fn open(path: &Path) -> dkdc_state::Result<State> {
    work::options(Durability::Relaxed).open(path)
}

fn cp(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success());
}

/// One commit after another.
fn write(state: &State, count: i64) {
    let notes = Tables::define(state).expect("tables").notes;
    for n in 0..count {
        let len = if n % 20 == 0 { 9_000 } else { 30 };
        let body = char::from(b'a' + u8::try_from(n % 26).expect("a letter"));
        let body: String = std::iter::repeat_n(body, len).collect();
        let row = Row::new((n % 40).to_string())
            .with("token", n)
            .with("body", body);
        notes.upsert(&row).expect("written");
    }
}

/// What can be read of a store, when everything can be.
fn read(state: &State) -> dkdc_torture::Result<(Log, Vec<Option<Row>>)> {
    let log = oracle::log(state)?;
    let notes = state.rows("notes")?;
    let current = (0..40).map(|n| Ok(notes.get(&n.to_string())?.map(|found| found.record)));
    let current = current.collect::<dkdc_torture::Result<_>>()?;
    Ok((log, current))
}

#[test]
fn a_flipped_bit_of_the_file_is_found_or_changes_nothing() {
    let seed = chance().expect("a seed");
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.db");
    let state = open(&path).expect("a store");
    write(&state, 150);
    let truth = read(&state).expect("everything");
    drop(state);
    let sound = std::fs::read(&path).expect("a file");
    let (mut refused, mut found, mut harmless) = (0, 0, 0);
    for turn in 0..300 {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("data.db");
        let mut bytes = sound.clone();
        let (at, bit) = (random.index(bytes.len()), random.below(8));
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, bytes).expect("a file");
        let what = format!("seed {seed}, flip {turn}: bit {bit} of byte {at}");
        // Refused or read: no panic, whatever it says.
        let Ok(state) = open(&path) else {
            refused += 1;
            continue;
        };
        let read = read(&state);
        match state.check() {
            Err(_) => refused += 1,
            Ok(report) if !report.is_sound() => found += 1,
            Ok(_) => {
                harmless += 1;
                let read = read.unwrap_or_else(|error| panic!("{what}: sound, but {error}"));
                assert!(read == truth, "{what}: sound, and not what was written");
            }
        }
    }
    println!("{refused} refused, {found} found by a check, {harmless} where nothing is");
    assert!(
        found > 100,
        "seed {seed}: {found} of 300 are in what was written"
    );
}

#[test]
fn a_wal_that_was_harmed_leaves_a_beginning() {
    let seed = chance().expect("a seed");
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.db");
    let copied = folder.path().join("copied.db");
    let state = open(&path).expect("a store");
    write(&state, 60);
    // As a crash leaves it: the file lacks what the log has.
    cp(&path, &copied);
    cp(
        &folder.path().join("data.db-wal"),
        &folder.path().join("copied.db-wal"),
    );
    let truth = oracle::log(&state).expect("everything");
    drop(state);
    let file = std::fs::read(&copied).expect("a file");
    let wal = std::fs::read(folder.path().join("copied.db-wal")).expect("a file");
    let mut harms = vec![wal.clone(), Vec::new()];
    for len in [1, wal.len() / 2, wal.len() - 1] {
        harms.push(wal[..len].to_vec());
    }
    for _ in 0..60 {
        let mut harmed = wal.clone();
        let at = random.index(wal.len());
        harmed[at] ^= 1 << random.below(8);
        harms.push(harmed);
    }
    let mut shorter = 0;
    for (turn, harmed) in harms.iter().enumerate() {
        let what = format!("seed {seed}, harm {turn}");
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("data.db");
        std::fs::write(&path, &file).expect("a file");
        // None at all is as an empty one.
        if !harmed.is_empty() {
            std::fs::write(place.path().join("data.db-wal"), harmed).expect("a file");
        }
        let garbage: Vec<u8> = (0..32_768)
            .map(|_| random.number().to_le_bytes()[0])
            .collect();
        std::fs::write(place.path().join("data.db-shm"), garbage).expect("a file");
        let state = open(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
        let left = oracle::log(&state).unwrap_or_else(|error| panic!("{what}: {error}"));
        let last = left.keys().next_back().copied().unwrap_or_default();
        assert!(
            truth.range(..=last).eq(left.iter()),
            "{what}: not a beginning"
        );
        shorter += usize::from(left.len() < truth.len());
        let report = state.check().expect("a check");
        assert!(report.is_sound(), "{what}: {:?}", report.damage);
        assert!(
            turn > 0 || left.len() == truth.len(),
            "{what}: whole, and shorter"
        );
    }
    assert!(
        shorter > 20,
        "seed {seed}: {shorter} of {} lost their end",
        harms.len()
    );
}
