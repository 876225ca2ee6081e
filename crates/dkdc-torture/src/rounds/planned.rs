//! Rounds whose faults come at a planned operation.

use std::path::Path;
use std::process::Command;

use super::process::{Process, Writing, start};
use super::{Kind, Round, Run, Tally};
use crate::vfs::{self, Action, Plan};
use crate::work::SEAL_ROWS;
use crate::{Result, oracle};

/// Deaths of one round.
const DEATHS: u64 = 12;
/// Moments of one power round.
const POINTS: u64 = 60;

/// A writer dies at the n-th change of its files, the next one while it opens
/// them or soon after, and so on.
pub(super) fn deaths(round: &mut Round<'_>, kind: Kind) -> Result<()> {
    let reader = round.reader(false)?;
    let relaxed = kind == Kind::RelaxedDeaths || round.random.one_in(3);
    let mut worker = 0;
    while round.tally.deaths < DEATHS {
        worker += 1;
        let most = *round.random.of(&[8, 60, 600]);
        let kills = [Action::KillBefore, Action::KillTorn, Action::KillAfter];
        let action = *round.random.of(&kills);
        let plan = Plan::once(vfs::Kind::Change, 1 + round.random.below(most), action);
        let writing = Writing {
            worker,
            threads: 1 + round.random.below(3),
            operations: 200,
            seal_rows: SEAL_ROWS,
            seed: round.random.number(),
            relaxed,
            wobble: round.random.one_in(4),
            plan: Some(plan),
        };
        let (died, _) = round.writer(&writing)?.wait()?;
        round.tally.deaths += u64::from(died);
        if worker % 3 == 0 {
            round.judge()?;
        }
    }
    let snapshots: u64 = reader.finish()?.trim().parse()?;
    round.tally.snapshots += snapshots;
    round.last_judgement()
}

/// Some operations in a row fail, and the writer goes on as far as it is let.
pub(super) fn errors(round: &mut Round<'_>, kind: Kind) -> Result<()> {
    use vfs::Kind::{Cut, Open, Read, Remove, Sync, Write};
    for worker in 1..=6 {
        let (of, action) = match kind {
            Kind::Full => (Write, Action::Full),
            Kind::Reads => (
                Read,
                *round.random.of(&[Action::Short, Action::Interrupted]),
            ),
            Kind::Ends => (Read, Action::Ends),
            _ => (
                *round
                    .random
                    .of(&[Write, Write, Sync, Sync, Read, Cut, Open, Remove]),
                Action::Eio,
            ),
        };
        let most = *round.random.of(&[10, 100, 400]);
        let plan = Plan {
            times: *round.random.of(&[1, 1, 3, 20]),
            ..Plan::once(of, 1 + round.random.below(most), action)
        };
        let writing = Writing {
            worker,
            threads: 1 + round.random.below(3),
            operations: 100,
            seal_rows: SEAL_ROWS,
            seed: round.random.number(),
            relaxed: round.random.one_in(3),
            wobble: false,
            plan: Some(plan.clone()),
        };
        let said = round.writer(&writing)?.finish();
        let said = said.map_err(|error| format!("{plan}: {error}"))?;
        round.tally.errors += fired(&said)?;
        round.judge().map_err(|error| format!("{plan}: {error}"))?;
    }
    round.last_judgement()
}

/// The power goes off at random moments of one workload. In a process of its
/// own: a recording is of all that a process does.
pub(super) fn power(round: &mut Round<'_>, seed: u64, kind: Kind) -> Result<()> {
    let mut command = Command::new(&round.run.program);
    command.arg("power").arg(round.ledgers());
    command.args(["--seed", &seed.to_string(), "--points", &POINTS.to_string()]);
    command.args(match kind {
        Kind::Relaxed => &["--relaxed"][..],
        Kind::PowerKeeping => &["--keeping"],
        _ => &[],
    });
    let said = start(command)?.finish()?;
    let numbers: Vec<u64> = said
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [losses, acknowledged, taken] = numbers[..] else {
        return Err(format!("the power round said {said:?}").into());
    };
    round.tally.losses += losses;
    round.tally.judgements += losses;
    round.tally.acknowledged += acknowledged;
    round.tally.relaxed += taken;
    Ok(())
}

/// A dozen operations of the fixed workload, one after another.
pub(super) fn sweep_some(round: &mut Round<'_>) -> Result<()> {
    let from = 1 + round.random.below(360);
    round.tally += Tally {
        rounds: 0,
        ..sweep(round.run, None, (from, from + 11), 1)?
    };
    Ok(())
}

/// A fixed workload of one thread dies at its n-th change, for every n from
/// `from` in steps up to `most`; each store is judged, and written again to its
/// end. It begins with a copy of the store `with`, if there is one.
///
/// # Errors
/// What does not hold, with the plan.
pub fn sweep(run: &Run, with: Option<&Path>, (from, most): (u64, u64), step: u64) -> Result<Tally> {
    let mut tally = Tally::default();
    let kills = [Action::KillBefore, Action::KillTorn, Action::KillAfter];
    let mut nth = from.max(1);
    loop {
        let action = kills[usize::try_from(nth / step.max(1) % 3)?];
        let plan = Plan::once(vfs::Kind::Change, nth, action);
        let folder = tempfile::tempdir_in(&run.folder)?;
        if let Some(with) = with {
            std::fs::copy(with, folder.path().join("data.db"))?;
        }
        let died = fixed(run, folder.path(), 1, Some(plan.clone()))?;
        fixed(run, folder.path(), 2, None)?;
        let judged = oracle::judge(&folder.path().join("data.db"), folder.path());
        let judged = judged.map_err(|error| format!("{plan}: {error}"))?;
        tally.rounds += 1;
        tally.deaths += u64::from(died);
        tally.judgements += 1;
        tally.acknowledged += judged.acknowledged;
        tally.present += judged.present;
        tally.absent += judged.absent;
        nth += step.max(1);
        if !died || nth > most {
            return Ok(tally);
        }
    }
}

/// The same workload finds the disk full at its n-th write, for every n from `from` in
/// steps up to its last write, and goes on with room.
///
/// # Errors
/// What does not hold, with the plan.
pub fn sweep_full(run: &Run, from: u64, step: u64) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut nth = from.max(1);
    loop {
        let plan = Plan::once(vfs::Kind::Write, nth, Action::Full);
        let folder = tempfile::tempdir_in(&run.folder)?;
        let said = begin(run, folder.path(), 1, Some(&plan))?.finish();
        let fired = fired(&said.map_err(|error| format!("{plan}: {error}"))?)?;
        let judged = oracle::judge(&folder.path().join("data.db"), folder.path());
        let judged = judged.map_err(|error| format!("{plan}: {error}"))?;
        tally.rounds += 1;
        tally.errors += fired;
        tally.judgements += 1;
        tally.acknowledged += judged.acknowledged;
        tally.present += judged.present;
        tally.absent += judged.absent;
        nth += step.max(1);
        if fired == 0 {
            return Ok(tally);
        }
    }
}

/// How often a worker's plan made something fail, by what it said at its end.
fn fired(said: &str) -> Result<u64> {
    let fired = said.split_whitespace().nth(1);
    Ok(fired.ok_or("a worker said nothing")?.parse()?)
}

/// The fixed workload. True: it died.
fn fixed(run: &Run, folder: &Path, worker: u64, plan: Option<Plan>) -> Result<bool> {
    Ok(begin(run, folder, worker, plan.as_ref())?.wait()?.0)
}

fn begin(run: &Run, folder: &Path, worker: u64, plan: Option<&Plan>) -> Result<Process> {
    let mut command = Command::new(&run.program);
    command.arg("work").arg(folder.join("data.db")).arg(folder);
    command.args(["--worker", &worker.to_string(), "--threads", "1"]);
    command.args(["--operations", "30", "--seed", "7"]);
    if let Some(plan) = plan {
        command.arg("--plan").arg(plan.to_string());
    }
    start(command)
}
