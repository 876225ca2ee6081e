//! A process dies after a commit and before its acknowledgement, or anywhere
//! else; another makes the same requests again.

use std::path::Path;
use std::process::Command;

use dkdc_state::{ColumnDef, ColumnType, Durability, Row, State, TableDef};

use super::process::start;
use super::{Round, Run};
use crate::vfs::{self, Action, Plan};
use crate::work::options;
use crate::{Failure, Result};

/// Requests of one run.
const REQUESTS: usize = 20;

pub(super) fn run(round: &mut Round<'_>) -> Result<()> {
    for _ in 0..6 {
        let kills = [Action::KillBefore, Action::KillTorn, Action::KillAfter];
        let action = *round.random.of(&kills);
        let plan = Plan::once(vfs::Kind::Change, 1 + round.random.below(160), action);
        round.tally.deaths += u64::from(again(round.run, &plan)?);
        round.tally.judgements += 1;
        round.tally.acknowledged += REQUESTS as u64;
    }
    Ok(())
}

fn name(n: usize) -> String {
    format!("request-{n:02}")
}

/// In a process of its own: makes each request once, and tells its answer.
///
/// # Errors
/// Those of the store.
pub fn make(store: &Path, told: &mut dyn FnMut(String)) -> Result<()> {
    let state = options(Durability::Full).open(store)?;
    let orders = TableDef::new("orders").column(ColumnDef::new("n", ColumnType::Int));
    let orders = state.define(&orders)?;
    for n in 0..REQUESTS {
        let row = Row::new(name(n)).with("n", i64::try_from(n)?);
        // Every third is a transaction's; the record is read for its answer.
        let idx = if n % 3 == 0 {
            state.transaction(|tx| -> dkdc_state::Result<()> {
                if tx.once(&name(n))? {
                    tx.rows("orders")?.append(&row)?;
                }
                Ok(())
            })?;
            orders.get(&row.id)?.map(|found| found.idx())
        } else {
            Some(orders.request(&name(n)).append(&row)?.idx)
        };
        let idx = idx.ok_or_else(|| format!("{} is answered, and not there", row.id))?;
        told(format!("{} {idx}", row.id));
    }
    Ok(())
}

/// The requests are made by a process that dies by the plan, and then again by
/// one that does not. True: the first one died.
///
/// # Errors
/// A request that was made twice, or has two answers.
pub fn again(run: &Run, plan: &Plan) -> Result<bool> {
    let folder = tempfile::tempdir_in(&run.folder)?;
    let store = folder.path().join("data.db");
    let request = |plan: Option<&Plan>| {
        let mut command = Command::new(&run.program);
        command.arg("request").arg(&store);
        if let Some(plan) = plan {
            command.arg("--plan").arg(plan.to_string());
        }
        start(command)?.wait()
    };
    let (died, first) = request(Some(plan))?;
    let (_, second) = request(None)?;
    let judged = judge(&store, &first, &second);
    judged.map_err(|error| -> Failure { format!("{plan}: {error}").into() })?;
    Ok(died)
}

fn judge(store: &Path, first: &str, second: &str) -> Result<()> {
    // What was answered before has the same answer.
    if !second.starts_with(first) || second.lines().count() != REQUESTS {
        return Err(format!("answered {first:?}, and then {second:?}").into());
    }
    let state = State::options().open(store)?;
    let orders = state.rows("orders")?;
    for line in second.lines() {
        let (id, idx) = line.split_once(' ').ok_or("no answer")?;
        let history = orders.history(id)?;
        let versions: Vec<String> = history.iter().map(|v| v.version.idx.to_string()).collect();
        if versions != [idx] {
            return Err(
                format!("{id} was answered {idx}, and has the versions {versions:?}").into(),
            );
        }
    }
    let report = state.check()?;
    match report.is_sound() && orders.count()? == REQUESTS as u64 {
        true => Ok(()),
        false => Err(format!("check: {:?}", report.damage).into()),
    }
}
