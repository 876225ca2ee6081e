//! `dkdc row erase`: records gone for good.

use clap::Args;
use dkdc_state::State;

use super::{Record, not_found};
use crate::confirm;
use crate::exit::{Code, Failure, Result};
use crate::output::{Output, counted, escaped, say};
use crate::progress::Progress;

pub(super) const HELP: &str = "\
Content and id go from every version, from files beside the store and from free
space; stubs stay, so that check still proves the rest. Copies made before, such
as backups, are not touched. The store is written anew: that takes its time.

Example:
  dkdc row erase people ada
  dkdc row erase people ada bob --force";

#[derive(Args, Debug)]
pub(crate) struct Erase {
    /// The table
    table: String,
    /// The records' ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Do not ask
    #[arg(long)]
    force: bool,
}

pub(super) fn run(state: &State, erase: &Erase, output: &mut Output) -> Result<()> {
    let table = state.rows(&erase.table)?;
    let mut versions = 0;
    for id in &erase.ids {
        let history = table.history(id)?.len();
        if history == 0 {
            let (table, id) = (erase.table.clone(), id.clone());
            return Err(not_found(&Record { table, id }));
        }
        versions += history;
    }
    if !erase.force {
        let (what, word) = match erase.ids.as_slice() {
            [id] => (format!("{id:?}"), id.as_str()),
            ids => (counted(ids.len() as u64, "record"), "erase"),
        };
        let versions = counted(versions as u64, "version");
        let question = format!("Erase {what} of {} ({versions}) for good?", erase.table);
        confirm::word(&escaped(&question).to_string(), word, "erased")?;
    }
    let ids: Vec<&str> = erase.ids.iter().map(String::as_str).collect();
    let progress = Progress::spinning("erasing");
    let erased = state.erase(&erase.table, &ids);
    drop(progress);
    let erased = erased?;
    say(&format!(
        "{} and {} erased",
        counted(erased.versions, "version"),
        counted(erased.blobs, "content")
    ));
    output.report([
        ("versions", erased.versions.into()),
        ("contents", erased.blobs.into()),
    ])?;
    left(&erased.left)
}

/// Traces that could not be wiped are a failure that can be mended.
pub(crate) fn left(left: &[String]) -> Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    let lines = left.join("; ");
    let advice = "dkdc vacuum wipes them";
    Err(Failure::new(
        Code::Busy,
        format!("traces may be left: {lines}; {advice}"),
    ))
}
