//! A file seems to end at each read, in turn, of somebody who reads a store: what is
//! said is the truth or an error, and never that there is less.

use std::path::{Path, PathBuf};
use std::process::Command;

use dkdc_state::{Durability, ErrorKind, Select};

use super::Round;
use super::damage::{RECORDS, copy, write};
use super::process::start;
use crate::random::Random;
use crate::vfs::{self, Action, Plan};
use crate::{Result, work};

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
