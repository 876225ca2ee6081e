//! `dkdc prune`: old versions taken out of a table.

use std::num::NonZeroU64;

use clap::Args;
use dkdc_state::{Idx, Keep, Moment, Pruned, State};

use crate::confirm;
use crate::exit::Result;
use crate::output::{Cell, Column, Output, Sheet, counted, escaped};
use crate::progress::Progress;
use crate::row;
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
Only versions that a newer one replaced go; a record's newest one stays, and so
does the proof of the rest. What was before cannot be read any more.

Example:
  dkdc prune people --older-than '90 days' --dry-run
  dkdc prune people --older-than '2026-01-01'
  dkdc prune people --keep-versions 10 --force";

#[derive(Args, Debug)]
pub(crate) struct Prune {
    /// The table
    table: String,
    #[command(flatten)]
    keep: What,
    /// Say what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    force: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct What {
    /// Keep so many of each record's newest versions
    #[arg(long, value_name = "N")]
    keep_versions: Option<NonZeroU64>,
    /// Take what was replaced before then: '90 days', a time (UTC), an idx
    #[arg(long, value_name = "WHEN", value_parser = parse_age)]
    older_than: Option<Moment>,
}

/// A moment, or an age without its "ago".
fn parse_age(text: &str) -> Result<Moment, String> {
    let moment: Result<Moment, _> = text.parse();
    let error = match moment {
        Ok(moment) => return Ok(moment),
        Err(error) => error,
    };
    format!("{} ago", text.trim())
        .parse()
        .map_err(|_: dkdc_state::Error| error.to_string())
}

pub(crate) fn run(prune: &Prune, stores: &Stores, output: &mut Output) -> Result<()> {
    let state = stores.existing()?;
    let keep = match (prune.keep.keep_versions, prune.keep.older_than) {
        (Some(count), _) => Keep::Versions(count),
        (None, Some(when)) => Keep::Since(when),
        (None, None) => unreachable!("BUG: clap requires one of them"),
    };
    if prune.dry_run {
        let pruned = working("counting", || state.would_prune(&prune.table, keep))?;
        return output.sheet(sheet(&pruned, false));
    }
    if !prune.force {
        ask(&state, prune, keep)?;
    }
    let pruned = working("pruning", || state.prune(&prune.table, keep))?;
    output.sheet(sheet(&pruned, true))?;
    row::left(&pruned.left)
}

fn ask(state: &State, prune: &Prune, keep: Keep) -> Result<()> {
    let would = working("counting", || state.would_prune(&prune.table, keep))?;
    let versions = counted(would.versions, "version");
    let question = format!("Prune {} ({versions}) for good?", prune.table);
    confirm::yes(&escaped(&question).to_string(), "pruned")
}

fn working(what: &'static str, run: impl FnOnce() -> dkdc_state::Result<Pruned>) -> Result<Pruned> {
    let progress = Progress::spinning(what);
    let done = run();
    drop(progress);
    Ok(done?)
}

fn sheet(pruned: &Pruned, done: bool) -> Sheet<'static> {
    let begins = (pruned.floor > Idx::ZERO).then_some(pruned.floor);
    let after = if done {
        pruned.after.into()
    } else {
        Cell::Null
    };
    let columns = vec![
        Column::new("table", "string"),
        Column::new("versions", "int64"),
        Column::new("value_bytes", "int64"),
        Column::new("begins", "timestamp(6)"),
        Column::new("bytes_before", "int64"),
        Column::new("bytes_after", "int64"),
    ];
    let row = vec![
        pruned.table.as_str().into(),
        pruned.versions.into(),
        pruned.value_bytes.into(),
        begins.into(),
        pruned.before.into(),
        after,
    ];
    Sheet::of(columns, vec![row])
}
