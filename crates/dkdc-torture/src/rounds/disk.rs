//! A disk that is full in earnest, and freed again.

use std::path::Path;

use dkdc_state::{Durability, ErrorKind, Idx, Row, State, Table};

use super::Round;
use crate::random::Random;
use crate::small::Small;
use crate::work::{self, Tables};
use crate::{Failure, Result};

/// What was written to a disk that was full in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// Writes that were acknowledged: all of them are there.
    pub acknowledged: u64,
    /// Writes that were refused for want of room: none of them is there.
    pub refused: u64,
}

pub(super) fn run(round: &mut Round<'_>) -> Result<()> {
    let Some(small) = Small::mount(5_000 + round.random.below(4_000))? else {
        round.lacks("file system of its own");
        return Ok(());
    };
    let filled = fill(small.path(), &mut round.random)?;
    round.tally.acknowledged += filled.acknowledged;
    round.tally.errors += filled.refused;
    round.tally.judgements += 1;
    Ok(())
}

fn open(place: &Path) -> Result<(State, Table<Row>)> {
    let options = work::options(Durability::Full).seal_rows(50);
    let state = options.open(place.join("data.db"))?;
    let notes = Tables::define(&state)?.notes;
    Ok((state, notes))
}

struct Writer {
    /// The record's numbers and versions.
    acknowledged: Vec<(i64, Idx)>,
    refused: Vec<i64>,
    next: i64,
}

impl Writer {
    /// Appends one record. False: there is no room for it.
    fn append(&mut self, notes: &Table<Row>, random: &mut Random) -> Result<bool> {
        self.next += 1;
        let body = "x".repeat(1 + random.index(6_000));
        let row = Row::new(self.next.to_string())
            .with("token", self.next)
            .with("body", body);
        match notes.append(&row) {
            Ok(version) => {
                self.acknowledged.push((self.next, version.idx));
                Ok(true)
            }
            Err(error)
                if error.kind() == ErrorKind::Failure && error.to_string().contains("full") =>
            {
                self.refused.push(self.next);
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Fills a small file system with a store, frees some of it, and goes on.
///
/// # Errors
/// What does not hold.
pub fn fill(place: &Path, random: &mut Random) -> Result<Filled> {
    let ballast = place.join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20])?;
    // What is freed for the mirror, which the log would take otherwise.
    let room = place.join("room");
    std::fs::write(&room, vec![0; 1 << 20])?;
    let (state, notes) = open(place)?;
    let mut writer = Writer {
        acknowledged: Vec::new(),
        refused: Vec::new(),
        next: 0,
    };
    while writer.refused.len() < 5 {
        writer.append(&notes, random)?;
        if writer.next > 20_000 {
            return Err("a file system that is never full".into());
        }
    }
    // Reading goes on. The mirror cannot be written; nobody else minds.
    if !notes.contains("1")? {
        return Err("the first record is not read while the disk is full".into());
    }
    let filler = place.join("filler");
    let full = std::fs::write(&filler, vec![0; 16 << 20]).is_err();
    if !full || state.keep_mirror().is_ok() {
        return Err("a full disk took a file".into());
    }
    std::fs::remove_file(&filler)?;
    std::fs::remove_file(&ballast)?;
    // By this handle or by a new one, as it comes.
    let (state, notes) = if random.one_in(2) {
        (state, notes)
    } else {
        drop((state, notes));
        open(place)?
    };
    for _ in 0..50 {
        if !writer.append(&notes, random)? {
            return Err("there is room again, and a write is refused".into());
        }
    }
    for (n, idx) in &writer.acknowledged {
        let found = notes.get(&n.to_string())?.map(|found| found.idx());
        if found != Some(*idx) {
            return Err(format!("record {n}, acknowledged at {idx}, is {found:?}").into());
        }
    }
    for n in &writer.refused {
        if notes.contains(&n.to_string())? {
            return Err(format!("record {n} was refused, and is there").into());
        }
    }
    std::fs::remove_file(&room)?;
    state.keep_mirror()?;
    let report = state.check()?;
    if !report.is_sound() || notes.count()? != writer.acknowledged.len() as u64 {
        let error: Failure = format!("check: {:?}", report.damage).into();
        return Err(error);
    }
    Ok(Filled {
        acknowledged: writer.acknowledged.len() as u64,
        refused: writer.refused.len() as u64,
    })
}
