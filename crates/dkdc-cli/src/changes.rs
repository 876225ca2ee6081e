//! `dkdc changes`: every version and event, in order, to the end or for ever.

use clap::Args;
use dkdc_state::{Change, ChangeKind, Idx};

use crate::cli::parse_idx;
use crate::exit::{Failure, Result};
use crate::interrupt::end_with_the_reader;
use crate::output::{Cell, Column, Format, Output, Sheet};
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
Each line tells where to go on after it: pass its `resume` to --after.

Example:
  dkdc changes --after '2026-11-22 10:00:00.123456'
  dkdc changes --follow | while read -r change; do echo \"$change\"; done";

#[derive(Args, Debug)]
pub(crate) struct Changes {
    /// Only what came after this; `resume` of the last line read. After everything
    /// there is, it is an error: this is not the store that was read
    #[arg(long, value_name = "IDX", value_parser = parse_idx, default_value = "0", allow_negative_numbers = true)]
    after: Idx,
    /// Go on with what is yet to come, until interrupted
    #[arg(long)]
    follow: bool,
}

pub(crate) fn run(args: &Changes, stores: &Stores, output: &mut Output) -> Result<()> {
    let format = output.format_or(Format::Ndjson);
    if args.follow && format != Format::Ndjson {
        return Err(Failure::usage(
            "--follow writes a line for each change: ndjson only",
        ));
    }
    let state = stores.existing()?;
    if args.follow {
        let changes = state.follow(args.after)?;
        end_with_the_reader();
        let rows = changes.map(|change| Ok(row(change?)));
        return output.live(Sheet::streamed(columns(), Box::new(rows)));
    }
    let changes = state.changes(args.after)?;
    let rows = changes.map(|change| Ok(row(change?)));
    output.sheet_as(Sheet::streamed(columns(), Box::new(rows)), format)
}

fn columns() -> Vec<Column> {
    let types = [
        ("idx", "timestamp(6)"),
        ("table", "string"),
        ("op", "string"),
        ("id", "string"),
        ("prev", "timestamp(6)"),
        ("row", "json"),
        ("detail", "json"),
        ("resume", "timestamp(6)"),
    ];
    types.map(|(name, ty)| Column::new(name, ty)).into()
}

/// A version has a row; an event has, in place of an op, its kind, and a detail.
fn row(change: Change) -> Vec<Cell> {
    let Change {
        idx, resume, kind, ..
    } = change;
    let middle = match kind {
        ChangeKind::Version {
            table,
            id,
            version,
            row,
        } => [
            Cell::Text(table),
            version.op.name().into(),
            Cell::Text(id),
            version.prev.into(),
            row.map_or(Cell::Null, record),
            Cell::Null,
        ],
        ChangeKind::Event(event) => [
            event.table.into(),
            event.kind.to_string().into(),
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Json(event.detail),
        ],
    };
    let start = std::iter::once(Cell::Idx(idx));
    start.chain(middle).chain([Cell::Idx(resume)]).collect()
}

/// The record in the order of its columns, the id first.
fn record(row: dkdc_state::Row) -> Cell {
    let id = ("id".to_owned(), Cell::Text(row.id));
    let fields = row
        .fields
        .into_iter()
        .map(|(name, value)| (name, value.into()));
    Cell::Struct(std::iter::once(id).chain(fields).collect())
}
