//! A file seems to end at each read, in turn, of somebody who reads a store: what is
//! said is the truth or an error, and never that there is less.

use std::path::{Path, PathBuf};
use std::process::Command;

use dkdc_state::{Durability, ErrorKind, Row, Select};

use super::Round;
use super::damage::{RECORDS, copy, write};
use super::process::start;
use crate::Result;
use crate::random::Random;
use crate::vfs::{self, Action, Plan};
use crate::work::{self, Tables};

/// Every so many reads of the file, one is where the file seems to end.
const STEP: u64 = 3;
/// With fewer errors, nothing was shown.
const ERRORS: u64 = 10;

/// In a process of its own: a plan is for all that a process does.
pub(super) fn run(round: &mut Round<'_>) -> Result<()> {
    let mut command = Command::new(&round.run.program);
    command.arg("ends").arg(round.folder.path().join("ends"));
    command.args(["--seed", &round.random.number().to_string()]);
    let said = start(command)?.finish()?;
    round.tally.errors += said.trim().parse::<u64>()?;
    round.tally.judgements += 1;
    Ok(())
}

/// Reads a store again and again, each time with a file that seems to end a little
/// later. Returns how many reads were refused. Uses the whole process: nothing else may
/// have a store open.
///
/// # Errors
/// An answer that is neither the truth nor an error of the file's.
pub fn sweep(folder: &Path, seed: u64) -> Result<u64> {
    vfs::install();
    let store = furnish(folder)?;
    let mut random = Random::new(seed);
    let truth: dkdc_state::Result<Vec<String>> = read(&store).into_iter().collect();
    let truth = truth?;
    let mut refused = 0;
    let mut nth = 1 + random.below(STEP);
    loop {
        let plan = Plan {
            // What ends once is read again, and is there.
            times: *random.of(&[1, 2, 3, 20]),
            ..Plan::once(vfs::Kind::Read, nth, Action::Ends)
        };
        vfs::arm(plan.clone());
        let answers = read(&store);
        let (_, fired) = vfs::disarm();
        for (answer, truth) in answers.into_iter().zip(&truth) {
            match answer {
                Ok(answer) if answer == *truth => {}
                Err(error) if [ErrorKind::Failure, ErrorKind::Damaged].contains(&error.kind()) => {
                    refused += 1;
                }
                answer => return Err(format!("{plan}: {answer:?}, not {truth}").into()),
            }
        }
        if fired == 0 {
            break;
        }
        nth += STEP;
    }
    if refused < ERRORS {
        return Err(format!("only {refused} reads were refused up to the {nth}th").into());
    }
    Ok(refused)
}

/// A store as a killed process leaves it: some of it in the file, some in the `-wal`.
fn furnish(folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let (from, to) = (folder.join("data.db"), folder.join("copied.db"));
    let open = || work::options(Durability::Relaxed).open(&from);
    write(&open()?, 150)?;
    let state = open()?;
    write(&state, 60)?;
    copy(&from, &to)?;
    copy(&folder.join("data.db-wal"), &folder.join("copied.db-wal"))?;
    Ok(to)
}

/// What every way of reading says, by a handle of its own. The rest is missing when the
/// store does not open.
fn read(store: &Path) -> Vec<dkdc_state::Result<String>> {
    let options = work::options(Durability::Full).read_only(true);
    let notes = match options.open(store).and_then(|state| state.rows("notes")) {
        Ok(notes) => notes,
        Err(error) => return vec![Err(error)],
    };
    let mut answers = Vec::new();
    for n in 0..RECORDS {
        let id = n.to_string();
        answers.push(notes.get(&id).map(|found| format!("{found:?}")));
        answers.push(notes.history(&id).map(|found| format!("{found:?}")));
    }
    answers.push(notes.list(&Select::new()).map(|found| format!("{found:?}")));
    answers.push(notes.count().map(|count| count.to_string()));
    answers
}

/// What is refused stays refused, and what follows is on sound pages, also when the file
/// seems to end while what was written is taken back. Returns how many writes failed for
/// it. Uses the whole process.
///
/// # Errors
/// A store that is not what was acknowledged.
pub fn take_back(folder: &Path) -> Result<u64> {
    vfs::install();
    let store = folder.join("taken.db");
    std::fs::create_dir_all(folder)?;
    write(&work::options(Durability::Full).open(&store)?, 60)?;
    let before = listed(&store)?;
    let (mut failed, mut nth) = (0, 1);
    loop {
        let place = folder.join("place");
        std::fs::create_dir_all(&place)?;
        let path = place.join("taken.db");
        copy(&store, &path)?;
        let plan = Plan {
            // As many as taking back reads, each of them twice.
            times: 20,
            ..Plan::once(vfs::Kind::Read, nth, Action::Ends)
        };
        let (fired, kept) = write_after_refusal(&path, &plan)?;
        failed += u64::from(!kept);
        let after = listed(&path).map_err(|error| format!("{plan}: {error}"))?;
        let (new, old): (Vec<_>, Vec<_>) = after.into_iter().partition(|id| id == "new");
        if old != before || (kept && new.is_empty()) {
            return Err(format!("{plan}: {old:?}, kept: {kept}, there: {new:?}").into());
        }
        std::fs::remove_dir_all(&place)?;
        if fired == 0 {
            break;
        }
        nth += 1;
    }
    if failed == 0 {
        return Err(format!("no write failed up to the {nth}th read").into());
    }
    Ok(failed)
}

/// Refuses what takes pages of its own, then writes one record: whether that was done.
fn write_after_refusal(path: &Path, plan: &Plan) -> Result<(u64, bool)> {
    let state = work::options(Durability::Full).open(path)?;
    let notes = Tables::define(&state)?.notes;
    let large = |n: u32| Row::new(format!("refused-{n}")).with("body", "large ".repeat(500));
    let large: Vec<Row> = (0..40).map(large).collect();
    vfs::arm(plan.clone());
    let refused: dkdc_state::Result<()> = state.transaction(|tx| {
        tx.rows("notes")?.append_all(&large)?;
        Err(dkdc_state::Error::InsideTransaction)
    });
    let kept = notes.append(&Row::new("new").with("body", "large ".repeat(500)));
    let (_, fired) = vfs::disarm();
    match (refused, kept) {
        (Ok(()), _) => Err("what was refused is acknowledged".into()),
        (Err(_), kept) => Ok((fired, kept.is_ok())),
    }
}

/// The ids of a store, which is sound and takes another record.
fn listed(path: &Path) -> Result<Vec<String>> {
    let state = work::options(Durability::Full).open(path)?;
    let notes = state.rows("notes")?;
    notes.upsert(&Row::new("another"))?;
    let report = state.check()?;
    if !report.is_sound() {
        return Err(format!("check: {}", report.damage.join("\n  ")).into());
    }
    let records = notes.list(&Select::new().order("id"))?;
    Ok(records.into_iter().map(|found| found.record.id).collect())
}
