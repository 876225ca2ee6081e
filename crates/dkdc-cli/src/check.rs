//! `dkdc check`: whether the store says what was written to it.

use std::path::{Path, PathBuf};

use clap::Args;
use dkdc_state::{ChainHead, CheckReport, CheckedTable, State};

use crate::exit::{Code, Failure, Result};
use crate::output::{Cell, Column, Output, Sheet, counted, say};
use crate::progress::Progress;
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
Exits with 7 when anything is damaged.

--repair makes anew what is derived from the log: heads, indexes, the mirror. The
log itself is not touched; dkdc salvage gets what is sound out of a damaged one.

Example:
  dkdc --db ~/.dkdc/lake.db check
  dkdc check --expect heads.txt
  dkdc check --repair";

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Make anew what is derived from the log, and check then
    #[arg(long)]
    repair: bool,
    /// Also prove that the store goes on from these lines, which dkdc head wrote
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
}

pub(crate) fn run(check: &Check, stores: &Stores, output: &mut Output) -> Result<()> {
    let salvage = "dkdc salvage gets what is sound out of it";
    let state = stores
        .existing()
        .map_err(|failure| failure.if_damaged(salvage))?;
    let expected = check.expect.as_deref().map(read_heads).transpose()?;
    if check.repair {
        let progress = Progress::spinning("repairing");
        let repaired = state.repair();
        drop(progress);
        repaired?;
        say("what is derived from the log was made anew");
    }
    // How much there is to do is known once it has begun.
    let mut progress = None;
    let report = state.check_with(&mut |now| {
        let bar = progress.get_or_insert_with(|| Progress::new("checking", Some(now.total)));
        bar.set(now.done);
    })?;
    drop(progress);
    output.sheet(sheet(&report))?;
    for line in &report.mirror {
        say(&format!(
            "mirror: {line}; it is not read, and is written again"
        ));
    }
    let help = if check.repair {
        salvage.to_owned()
    } else {
        format!("--repair mends what is derived from the log, {salvage}")
    };
    refuse(&state, "is damaged", Code::Damaged, &worst_first(&report))
        .map_err(|failure| failure.if_damaged(&help))?;
    if let Some(heads) = expected {
        let expected = state.expect(&heads)?;
        let what = "is not what was expected";
        refuse(&state, what, Code::Damaged, &expected.wrong)?;
        let what = "cannot be proven to be what was expected";
        refuse(&state, what, Code::Failure, &expected.unproven)?;
        say(&format!(
            "{} as expected",
            counted(heads.len() as u64, "chain")
        ));
    }
    Ok(())
}

/// What is damaged, that of the log before what can be made anew from it.
fn worst_first(report: &CheckReport) -> Vec<String> {
    let logs = report.tables.iter().filter(|table| table.first.is_some());
    let of_logs: Vec<String> = logs.flat_map(in_table).collect();
    let mut lines = report.damage.clone();
    lines.sort_by_key(|line| !of_logs.contains(line));
    lines
}

/// Fails with the first of some lines, when there are any.
fn refuse(state: &State, what: &str, code: Code, lines: &[String]) -> Result<()> {
    let [first, more @ ..] = lines else {
        return Ok(());
    };
    let more = match more.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let path = state.path().display();
    Err(Failure::new(code, format!("{path} {what}: {first}{more}")))
}

/// The lines that `dkdc head` wrote.
fn read_heads(path: &Path) -> Result<Vec<ChainHead>> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let heads: Vec<ChainHead> = lines
        .map(|(at, line)| {
            line.parse().map_err(|why: String| {
                Failure::usage(format!("{} line {}: {why}", path.display(), at + 1))
            })
        })
        .collect::<Result<_>>()?;
    if heads.is_empty() {
        let path = path.display();
        return Err(Failure::usage(format!(
            "{path}: no line of dkdc head in it"
        )));
    }
    Ok(heads)
}

/// A line a table; and one for damage that is in none of them.
fn sheet(report: &CheckReport) -> Sheet<'static> {
    let list = |damage: &[String]| match damage {
        [] => Cell::Null,
        lines => Cell::List(lines.iter().map(|line| line.as_str().into()).collect()),
    };
    let row = |table: &CheckedTable| {
        vec![
            table.table.as_str().into(),
            table.versions.into(),
            table.records.into(),
            table.damage.is_empty().into(),
            (table.versions - table.sound.min(table.versions)).into(),
            table.first.map_or(Cell::Null, Cell::Idx),
            list(&table.damage),
        ]
    };
    let mut rows: Vec<Vec<Cell>> = report.tables.iter().map(row).collect();
    let elsewhere = elsewhere(report);
    if !elsewhere.is_empty() {
        let mut row = vec![Cell::Null, Cell::Null, Cell::Null, false.into()];
        row.extend([Cell::Null, Cell::Null, list(&elsewhere)]);
        rows.push(row);
    }
    let columns = vec![
        Column::new("table", "string"),
        Column::new("versions", "int64"),
        Column::new("records", "int64"),
        Column::new("sound", "boolean"),
        Column::new("damaged", "int64"),
        Column::new("first_damaged", "timestamp(6)"),
        Column::new("damage", "array<string>"),
    ];
    Sheet::of(columns, rows)
}

/// The damage of a table as the report has it.
fn in_table(table: &CheckedTable) -> Vec<String> {
    let lines = table.damage.iter();
    lines
        .map(|line| format!("{}: {line}", table.table))
        .collect()
}

/// Damage outside tables: the report has all of it, that of tables with their
/// names before it.
fn elsewhere(report: &CheckReport) -> Vec<String> {
    let known: Vec<String> = report.tables.iter().flat_map(in_table).collect();
    let lines = report.damage.iter();
    lines
        .filter(|line| !known.contains(line))
        .cloned()
        .collect()
}
