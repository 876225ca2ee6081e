//! A workload is recorded, then the power goes off at many of its moments, and
//! each time the store is opened and judged.

use std::path::Path;

use dkdc_state::{Durability, Idx, Op, Row, State};

use super::{Disk, Loss};
use crate::ledger::{Answer, Entry};
use crate::oracle::{self, Log};
use crate::random::Random;
use crate::vfs::{self, Event};
use crate::work::{self, Work};
use crate::{Failure, Result};

/// What became of a recorded workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Power losses that were survived.
    pub losses: u64,
    /// Acknowledged operations of the workload.
    pub acknowledged: u64,
    /// Acknowledged operations that were not there after some loss: 0 unless
    /// durability is relaxed.
    pub taken: u64,
}

/// Works once, and takes the power away `points` times, at random moments and
/// each time in a random way. Uses the whole process: nothing else may have a
/// store open.
///
/// # Errors
/// What does not hold, with the moment.
pub fn run(folder: &Path, seed: u64, durability: Durability, points: u64) -> Result<Losses> {
    let mut random = Random::new(seed);
    let place = folder.join("store");
    std::fs::create_dir_all(&place)?;
    let store = place.join("data.db");
    vfs::install();
    vfs::record();
    // Opened and closed in between, so that `-wal` comes and goes.
    for worker in 1..=3 {
        let work = Work {
            store: store.clone(),
            ledgers: folder.to_owned(),
            worker,
            threads: 1 + random.below(3),
            operations: 40,
            seal_rows: work::SEAL_ROWS,
            seed: random.number(),
            durability,
            wobble: random.one_in(2),
        };
        work::run(&work, &|thread, number| {
            vfs::acknowledge(name(worker, thread, number));
        })?;
    }
    let events = vfs::recorded();
    let ledgers = oracle::ledgers(folder)?;
    let truth = {
        let state = work::options(durability).open(&store)?;
        oracle::judge_state(&state, &ledgers)?;
        oracle::log(&state)?
    };
    let judge = Judge {
        truth,
        units: units(folder)?,
        durability,
    };
    let mut losses = Losses {
        acknowledged: oracle::acknowledged(&ledgers),
        ..Losses::default()
    };
    let mut moments: Vec<usize> = (0..points)
        .map(|_| random.index(events.len() + 1))
        .collect();
    moments.sort_unstable();
    let mut disk = Disk::default();
    let mut at = 0;
    let mut acknowledged = Vec::new();
    for moment in moments {
        for event in &events[at..moment] {
            match event {
                Event::Acknowledged(unit) => acknowledged.push(*unit),
                other => disk.apply(other),
            }
        }
        at = moment;
        let loss = *random.of(&[Loss::All, Loss::Nothing, Loss::Some, Loss::Some]);
        let left = folder.join("left");
        disk.lose(loss, &mut random, &left)?;
        if random.one_in(4) {
            let garbage: Vec<u8> = (0..32_768)
                .map(|_| random.number().to_le_bytes()[0])
                .collect();
            std::fs::write(left.join("data.db-shm"), garbage)?;
        }
        let taken = judge.judge(&left.join("data.db"), &acknowledged);
        let taken = taken.map_err(|error| -> Failure {
            format!(
                "power lost after {moment} of {} steps, {loss:?}: {error}",
                events.len()
            )
            .into()
        })?;
        losses.taken += taken;
        losses.losses += 1;
        std::fs::remove_dir_all(&left)?;
    }
    Ok(losses)
}

/// An operation among all of the recording.
fn name(worker: u64, thread: u64, number: u64) -> u64 {
    (worker << 40) | (thread << 32) | number
}

/// The versions of each acknowledged operation, by its name.
fn units(folder: &Path) -> Result<std::collections::HashMap<u64, Vec<Idx>>> {
    let mut units = std::collections::HashMap::new();
    for worker in 1..=3 {
        for thread in 0..3 {
            let path = work::ledger_path(folder, worker, thread);
            if !path.exists() {
                continue;
            }
            for Entry { number, answer, .. } in crate::ledger::read(&path)? {
                if let Answer::Done(idxs) = answer {
                    units.insert(name(worker, thread, number), idxs);
                }
            }
        }
    }
    Ok(units)
}

struct Judge {
    truth: Log,
    units: std::collections::HashMap<u64, Vec<Idx>>,
    durability: Durability,
}

impl Judge {
    /// What is left is a beginning of what was, whole commits; under Full with
    /// everything acknowledged. And it goes on.
    fn judge(&self, store: &Path, acknowledged: &[u64]) -> Result<u64> {
        let state = match work::options(Durability::Full).open(store) {
            Ok(state) => state,
            Err(error) => return Err(format!("it does not open: {error}").into()),
        };
        let left = oracle::log(&state)?;
        let last = left.keys().next_back().copied().unwrap_or(Idx::ZERO);
        let before = self.truth.range(..=last);
        if !before.eq(left.iter()) {
            return Err(format!(
                "{} versions up to {last} are not those that were",
                left.len()
            )
            .into());
        }
        let mut taken = 0;
        for (unit, idxs) in &self.units {
            let there = idxs.iter().filter(|idx| left.contains_key(idx)).count();
            if there != 0 && there != idxs.len() {
                return Err(
                    format!("{there} of {} versions of one commit are left", idxs.len()).into(),
                );
            }
            if there == 0 && acknowledged.contains(unit) {
                if self.durability == Durability::Full {
                    return Err(format!("acknowledged, and gone: {idxs:?}").into());
                }
                taken += 1;
            }
        }
        let report = state.check()?;
        if !report.is_sound() {
            return Err(format!("check: {}", report.damage.join("\n  ")).into());
        }
        goes_on(&state)?;
        Ok(taken)
    }
}

/// The store takes writes, after everything that it has.
fn goes_on(state: &State) -> Result<()> {
    let last = state.last()?;
    let tables = work::Tables::define(state)?;
    let version = tables.notes.append(&Row::new("after").with("token", -1))?;
    let there = tables.notes.get("after")?.map(|found| found.idx());
    if version.op != Op::Append || version.idx <= last || there != Some(version.idx) {
        return Err(format!("after the loss, {version:?} was written and {there:?} read").into());
    }
    Ok(())
}
