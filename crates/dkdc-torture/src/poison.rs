//! A sync fails: what a handle says then, and what it does from there on.
//!
//! After a sync that failed, nobody knows what of the file is on the disk: the
//! system may have dropped what it could not write, and report the next sync as
//! done. So nothing that needs it is ever acknowledged by this handle again.

use std::path::Path;

use dkdc_state::{Durability, Error, Row};

use crate::vfs::{self, Action, Kind, Plan};
use crate::work::{self, Tables};
use crate::{Failure, Result};

/// Uses the whole process: nothing else may have a store open.
///
/// # Errors
/// What is not as it must be.
pub fn run(store: &Path, say: &mut dyn FnMut(String)) -> Result<()> {
    vfs::install();
    let state = work::options(Durability::Full).open(store)?;
    let notes = Tables::define(&state)?.notes;
    let note = |id: &str, token: i64| Row::new(id).with("token", token);
    notes.append(&note("before", 1))?;
    // Those of the idle checkpoint, too.
    vfs::arm(Plan {
        times: u64::MAX,
        ..Plan::once(Kind::Sync, 1, Action::Eio)
    });
    let failed = notes.append(&note("during", 2)).map(|_| ());
    say(format!("during: {}", outcome(failed)));
    let (_, fired) = vfs::disarm();
    if fired == 0 {
        return Err("no sync has failed".into());
    }
    // The disk is well again; this handle does not believe it.
    for n in 3..6 {
        let after = notes.append(&note("after", n)).map(|_| ());
        say(format!("after: {}", outcome(after)));
    }
    say(format!(
        "transaction: {}",
        outcome(state.transaction(|_| Ok(())))
    ));
    say(format!("before is there: {}", notes.contains("before")?));
    // Whoever has the old handle keeps nobody from opening the store again.
    let old = notes;
    let state = work::options(Durability::Full).open(store)?;
    let notes = state.rows("notes")?;
    let still = old.append(&note("after", 6)).map(|_| ());
    say(format!("by the old handle: {}", outcome(still)));
    say(format!(
        "opened again: {}",
        outcome(notes.append(&note("again", 9)).map(|_| ()))
    ));
    drop(old);
    notes.append(&note("and again", 10))?;
    for id in ["before", "again", "and again"] {
        if notes.get(id)?.is_none() {
            return Err(format!("{id} was acknowledged, and is gone").into());
        }
    }
    if notes.contains("after")? {
        return Err("a write was refused, and is there".into());
    }
    let report = state.check()?;
    if !report.is_sound() {
        let error: Failure = format!("check: {:?}", report.damage).into();
        return Err(error);
    }
    Ok(())
}

fn outcome(result: dkdc_state::Result<()>) -> &'static str {
    match result {
        Ok(()) => "acknowledged",
        Err(Error::Poisoned { .. }) => "poisoned",
        Err(Error::Sqlite { .. }) => "failed",
        Err(_) => "another error",
    }
}
