//! Files that were harmed behind the store's back: bits flipped in the `.db`, in
//! one of its rows, in a file of the mirror; the `-wal` flipped, cut or gone; a
//! `-shm` of garbage.

mod raw;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use dkdc_state::{Durability, Idx, Row, State};

use super::Round;
use crate::oracle::{self, Log};
use crate::random::Random;
use crate::work::{self, Tables};
use crate::{Failure, Result};

/// What became of flipped bits of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flips {
    /// The file was refused, or could not be checked.
    pub refused: u64,
    /// A check found it.
    pub found: u64,
    /// Nothing was changed: a check found nothing, and everything was read.
    pub harmless: u64,
    /// Rows that were changed, each named by table, version and record.
    pub rows: u64,
    /// Times that rows could not be read, and their table was named.
    pub unread: u64,
}

pub(super) fn run(round: &mut Round<'_>) -> Result<()> {
    let place = |name: &str| round.folder.path().join(name);
    let flips = database(&place("database"), &mut round.random, 60)?;
    round.tally.flips += flips.refused + flips.found + flips.harmless;
    round.tally.flips += rows(&place("rows"), &mut round.random, 40)?;
    round.tally.flips += mirror(&place("mirror"), &mut round.random, 100)?;
    round.tally.flips += 25;
    wal(&place("wal"), &mut round.random, 20)?;
    round.tally.judgements += 225;
    Ok(())
}

fn open(path: &Path) -> dkdc_state::Result<State> {
    work::options(Durability::Relaxed).open(path)
}

/// A folder in which nothing is: of what was harmed last, the files stay.
fn emptied(place: &Path) -> Result<&Path> {
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    std::fs::create_dir(place)?;
    Ok(place)
}

/// By another process: opening a store's file in this one drops its locks.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg(from).arg(to).status()?;
    match copied.success() {
        true => Ok(()),
        false => Err("cp failed".into()),
    }
}

/// Records that are written.
pub(super) const RECORDS: i64 = 40;

/// One commit after another. What is written of number `n` holds [`mark`].
pub(super) fn write(state: &State, count: i64) -> Result<()> {
    let notes = Tables::define(state)?.notes;
    for n in 0..count {
        let len = if n % 20 == 0 { 900 } else { 3 };
        let row = Row::new((n % RECORDS).to_string())
            .with("token", n)
            .with("body", mark(n).repeat(len));
        notes.upsert(&row)?;
    }
    Ok(())
}

/// A text that no other row has.
fn mark(n: i64) -> String {
    format!("<row {n:05}>")
}

/// What can be read of a store, when everything can be.
fn read(state: &State) -> Result<(Log, Vec<Option<Row>>)> {
    let log = oracle::log(state)?;
    let notes = state.rows("notes")?;
    let current = (0..RECORDS).map(|n| Ok(notes.get(&n.to_string())?.map(|found| found.record)));
    Ok((log, current.collect::<Result<_>>()?))
}

fn flip(bytes: &mut [u8], at: usize, random: &mut Random) {
    bytes[at] ^= 1 << random.below(8);
}

/// Bits of the `.db` flipped anywhere, one at a time.
///
/// # Errors
/// When a check calls a store sound that does not say what was written to it, or does not
/// name a row that is not what was written.
pub fn database(folder: &Path, random: &mut Random, flips: u64) -> Result<Flips> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("data.db");
    let state = open(&path)?;
    write(&state, 150)?;
    let truth = read(&state)?;
    drop(state);
    let sound = std::fs::read(&path)?;
    let sound_rows = raw::read(&path)?.ok_or("a sound file cannot be read")?;
    let mut became = Flips::default();
    for _ in 0..flips {
        let path = emptied(&folder.join("harmed"))?.join("data.db");
        let mut bytes = sound.clone();
        let at = random.index(bytes.len());
        flip(&mut bytes, at, random);
        std::fs::write(&path, bytes)?;
        let harmed = raw::read(&path);
        // Refused or read: no panic, whatever it says.
        let Ok(state) = open(&path) else {
            became.refused += 1;
            continue;
        };
        let read = read(&state);
        match state.check() {
            Err(_) => became.refused += 1,
            Ok(report) if !report.is_sound() => {
                became.found += 1;
                // Not even the list of tables may be readable.
                if let Ok(Some(harmed)) = harmed {
                    let named = raw::named(&report, &sound_rows, &harmed);
                    let named = named.map_err(|error| -> Failure {
                        format!("a bit of byte {at}: {error}").into()
                    })?;
                    became.rows += named.rows;
                    became.unread += named.unread;
                }
            }
            Ok(_) => {
                became.harmless += 1;
                let read = read.map_err(|error| -> Failure {
                    format!("a bit of byte {at}: sound, but {error}").into()
                })?;
                if read != truth {
                    return Err(
                        format!("a bit of byte {at}: sound, and not what was written").into(),
                    );
                }
            }
        }
    }
    Ok(became)
}

/// Bits of rows' values flipped, one at a time: each is named by table, version and
/// record, and no other is. What an index has of a value is named by table, index and
/// record. Returns how many rows were changed; what leaves the rows as they were does
/// not count.
///
/// # Errors
/// The flip that is not.
pub fn rows(folder: &Path, random: &mut Random, flips: u64) -> Result<u64> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("data.db");
    let state = open(&path)?;
    write(&state, 150)?;
    let truth = oracle::log(&state)?;
    let versions: Vec<(Idx, &String)> =
        truth.iter().map(|(idx, found)| (*idx, &found.id)).collect();
    drop(state);
    let sound = std::fs::read(&path)?;
    let sound_rows = raw::read(&path)?.ok_or("a sound file cannot be read")?;
    let (mut named, mut tried) = (0, 0);
    while named < flips {
        tried += 1;
        let which = random.index(versions.len());
        let mark = mark(i64::try_from(which)?);
        let places: Vec<usize> = sound
            .windows(mark.len())
            .enumerate()
            .filter_map(|(at, window)| (window == mark.as_bytes()).then_some(at))
            .collect();
        let path = emptied(&folder.join("harmed"))?.join("data.db");
        let mut bytes = sound.clone();
        let at = random.of(&places) + random.index(mark.len());
        flip(&mut bytes, at, random);
        std::fs::write(&path, bytes)?;
        let harmed = raw::read(&path)?.ok_or("a value is no part of the schema")?;
        let state = open(&path)?;
        let report = state.check()?;
        let (idx, id) = &versions[which];
        let failed = |what: &str| -> Failure {
            let damage = &report.damage;
            format!("a bit of byte {at}, of version {idx} of {id:?}: {what}: {damage:?}").into()
        };
        if !harmed.has(idx.as_micros(), &sound_rows) {
            let is_named = raw::named(&report, &sound_rows, &harmed);
            is_named.map_err(|error| failed(&error.to_string()))?;
            if raw::versions(&report) != BTreeSet::from([idx.as_micros()]) {
                return Err(failed("its row is not named alone"));
            }
            named += 1;
        } else if report.is_sound() {
            // SQLite leaves a copy of a cell that it moved where nothing is read.
            if oracle::log(&state)? != truth || tried > 4 * flips {
                return Err(failed("it is not found"));
            }
        } else {
            // Of a current record, an index has the value too.
            let names = |line: &String| {
                line.starts_with("notes: index ") && line.contains(&format!("{id:?}"))
            };
            if !report.damage.iter().any(names) {
                return Err(failed("the record is not named"));
            }
        }
    }
    Ok(named)
}

/// Bits of the mirror's files flipped, one at a time: a check names the file.
///
/// # Errors
/// The flip that it does not.
pub fn mirror(folder: &Path, random: &mut Random, flips: u64) -> Result<u64> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("data.db");
    let state = open(&path)?;
    write(&state, 300)?;
    state.seal_mirror()?;
    drop(state);
    // Nobody mends a file while it is looked at.
    let state = work::options(Durability::Relaxed)
        .read_only(true)
        .open(&path)?;
    let mut files = Vec::new();
    for file in std::fs::read_dir(folder.join("data.db-mirror"))? {
        let path = file?.path();
        if path.extension().is_some_and(|ending| ending == "parquet") {
            files.push(path);
        }
    }
    files.sort();
    for _ in 0..flips {
        let file = random.of(&files).clone();
        let sound = std::fs::read(&file)?;
        let mut bytes = sound.clone();
        let at = random.index(bytes.len());
        flip(&mut bytes, at, random);
        replace(&file, &bytes)?;
        let report = state.check()?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if !report.mirror.iter().any(|line| line.contains(&*name)) || !report.is_sound() {
            return Err(format!("a bit of byte {at} of {name} is not found: {report:?}").into());
        }
        replace(&file, &sound)?;
    }
    if !state.check()?.mirror.is_empty() {
        return Err("files of the mirror that are as they were are not believed".into());
    }
    Ok(flips)
}

fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::remove_file(file)?;
    std::fs::write(file, bytes)?;
    Ok(())
}

/// A `-wal` that a crash left, cut, flipped and taken away, with a `-shm` of
/// garbage beside it. Returns how many of the stores lost their end.
///
/// # Errors
/// A store that is no beginning of what was, or not sound.
pub fn wal(folder: &Path, random: &mut Random, flips: u64) -> Result<u64> {
    std::fs::create_dir_all(folder)?;
    let at = |name: &str| folder.join(name);
    let state = open(&at("data.db"))?;
    write(&state, 60)?;
    // As a crash leaves it: the file lacks what the log has.
    copy(&at("data.db"), &at("copied.db"))?;
    copy(&at("data.db-wal"), &at("copied.db-wal"))?;
    let truth = oracle::log(&state)?;
    drop(state);
    let file = std::fs::read(at("copied.db"))?;
    let wal = std::fs::read(at("copied.db-wal"))?;
    let mut harms = vec![wal.clone(), Vec::new()];
    for len in [1, wal.len() / 2, wal.len() - 1] {
        harms.push(wal[..len].to_vec());
    }
    for _ in 0..flips {
        let mut harmed = wal.clone();
        let at = random.index(wal.len());
        flip(&mut harmed, at, random);
        harms.push(harmed);
    }
    let mut shorter = 0;
    for (turn, harmed) in harms.iter().enumerate() {
        let left = harmed_wal(&at("harmed"), random, &file, harmed, &truth)
            .map_err(|error| -> Failure { format!("harm {turn} of the -wal: {error}").into() })?;
        shorter += u64::from(left < truth.len());
        if turn == 0 && left < truth.len() {
            return Err("a whole -wal, and not everything is there".into());
        }
    }
    Ok(shorter)
}

/// How many versions are left.
fn harmed_wal(
    place: &Path,
    random: &mut Random,
    file: &[u8],
    wal: &[u8],
    truth: &Log,
) -> Result<usize> {
    let place = emptied(place)?;
    let path = place.join("data.db");
    std::fs::write(&path, file)?;
    // None at all is as an empty one.
    if !wal.is_empty() {
        std::fs::write(place.join("data.db-wal"), wal)?;
    }
    let garbage: Vec<u8> = (0..32_768)
        .map(|_| random.number().to_le_bytes()[0])
        .collect();
    std::fs::write(place.join("data.db-shm"), garbage)?;
    let state = open(&path)?;
    let left = oracle::log(&state)?;
    let last = left.keys().next_back().copied().unwrap_or_default();
    if !truth.range(..=last).eq(left.iter()) {
        return Err("not a beginning of what was".into());
    }
    let report = state.check()?;
    if !report.is_sound() {
        return Err(format!("check: {:?}", report.damage).into());
    }
    Ok(left.len())
}
