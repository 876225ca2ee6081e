//! The power goes off while something is taken away from a store: erased, pruned,
//! cleared, collected, repaired, wiped, backed up.
//!
//! What SQLite does is recorded, and what is synced. That a backup gets its name when it
//! is synced, and the folder is after it, is seen in its system calls
//! ([`crate::rounds::keeping`]); here it has its name when it is said to be done.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Disk, Loss, Losses};
use crate::random::Random;
use crate::rounds::keeping::{self, STEPS, backup_of};
use crate::vfs::{self, Event};
use crate::{Failure, Result};

/// Does all of it once, and takes the power away `points` times, at random moments
/// and each time in a random way; then does it to the end. Uses the whole process.
///
/// # Errors
/// What does not hold, with the moment.
pub fn run(folder: &Path, seed: u64, points: u64) -> Result<Losses> {
    vfs::install();
    let mut random = Random::new(seed);
    let template = folder.join("template");
    std::fs::create_dir_all(&template)?;
    let state = keeping::furnish(&template)?;
    // As a process leaves it that was killed: what is to go is in the `-wal` too.
    let place = folder.join("store");
    copy(&template, &place)?;
    drop(state);
    let store = place.join("data.db");
    let mut disk = Disk::with(&[store.clone(), place.join("data.db-wal")])?;
    vfs::record();
    let mut done = 0;
    keeping::keep(&store, &mut |_| {
        vfs::acknowledge(done);
        done += 1;
    })?;
    let events = vfs::recorded();
    let mut moments: Vec<usize> = (0..points)
        .map(|_| random.index(events.len() + 1))
        .collect();
    moments.sort_unstable();
    let mut losses = Losses {
        acknowledged: done,
        ..Losses::default()
    };
    let (mut at, mut said) = (0, String::new());
    for moment in moments {
        for event in &events[at..moment] {
            if let Event::Acknowledged(step) = event {
                let step = STEPS[usize::try_from(*step)?];
                said += &format!("{step}\n");
                if step == "backup" {
                    let to = backup_of(&store);
                    disk.publish(&draft_of(&to), &to);
                }
            }
            disk.apply(event);
        }
        at = moment;
        let loss = *random.of(&[Loss::All, Loss::Nothing, Loss::Some, Loss::Some]);
        let left = folder.join("left");
        disk.lose(loss, &mut random, &left)?;
        mirror(&mut random, &template, &place, &left, &said)?;
        let judged = judge(&left, &said);
        judged.map_err(|error| -> Failure {
            let steps = events.len();
            format!("power lost after {moment} of {steps} steps, {loss:?}: {error}; done: {said}")
                .into()
        })?;
        losses.losses += 1;
        std::fs::remove_dir_all(&left)?;
    }
    Ok(losses)
}

/// How the name of a backup begins that is not whole.
fn draft_of(backup: &Path) -> PathBuf {
    let mut draft = backup.as_os_str().to_owned();
    draft.push(".draft-");
    draft.into()
}

/// Files of the mirror are there as they were before, or after, or not at all. What
/// was removed before an erase was acknowledged does not come back.
fn mirror(random: &mut Random, before: &Path, after: &Path, left: &Path, said: &str) -> Result<()> {
    let from = match random.below(3) {
        0 => return Ok(()),
        1 if said.is_empty() => before,
        _ => after,
    };
    let name = "data.db-mirror";
    if from.join(name).exists() {
        copy(&from.join(name), &left.join(name))?;
    }
    Ok(())
}

/// What was said to be done is done; of what was erased nothing is left; and all of it
/// can be done to the end.
fn judge(left: &Path, said: &str) -> Result<()> {
    let store = left.join("data.db");
    if !said.is_empty() {
        keeping::nowhere(left)?;
    }
    keeping::judge(&store, said)?;
    let mut done = String::new();
    keeping::keep(&store, &mut |step| done += &format!("{step}\n"))?;
    keeping::judge(&store, &done)?;
    keeping::nowhere(left)
}

/// In another process: opening a store's file in this one may drop locks.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status()?;
    match copied.success() {
        true => Ok(()),
        false => Err("cp failed".into()),
    }
}
