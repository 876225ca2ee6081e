//! `dkdc check`: whether the store says what was written to it.

use dkdc_state::{CheckReport, CheckedTable};

use crate::exit::{Code, Failure, Result};
use crate::output::{Cell, Column, Output, Sheet, say};
use crate::progress::Progress;
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
Exits with 7 when anything is damaged.

Example:
  dkdc --db ~/.dkdc/lake.db check";

pub(crate) fn run(stores: &Stores, output: &mut Output) -> Result<()> {
    let state = stores.existing()?;
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
    match report.damage.as_slice() {
        [] => Ok(()),
        [first, more @ ..] => {
            let more = match more.len() {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let path = state.path().display();
            Err(Failure::new(
                Code::Damaged,
                format!("{path} is damaged: {first}{more}"),
            ))
        }
    }
}

/// A line a table; and one for damage that is in none of them.
fn sheet(report: &CheckReport) -> Sheet<'static> {
    let row = |table: Cell, versions: Cell, records: Cell, damage: &[String]| {
        let damage: Vec<Cell> = damage.iter().map(|line| line.as_str().into()).collect();
        let sound = damage.is_empty().into();
        let damage = if damage.is_empty() {
            Cell::Null
        } else {
            Cell::List(damage)
        };
        vec![table, versions, records, sound, damage]
    };
    let mut rows: Vec<Vec<Cell>> = report
        .tables
        .iter()
        .map(|table| {
            let name = table.table.as_str().into();
            row(
                name,
                table.versions.into(),
                table.records.into(),
                &table.damage,
            )
        })
        .collect();
    let elsewhere = elsewhere(report);
    if !elsewhere.is_empty() {
        rows.push(row(Cell::Null, Cell::Null, Cell::Null, &elsewhere));
    }
    let columns = vec![
        Column::new("table", "string"),
        Column::new("versions", "int64"),
        Column::new("records", "int64"),
        Column::new("sound", "boolean"),
        Column::new("damage", "array<string>"),
    ];
    Sheet::of(columns, rows)
}

/// Damage outside tables: the report has all of it, that of tables with their
/// names before it.
fn elsewhere(report: &CheckReport) -> Vec<String> {
    let of_table = |table: &CheckedTable| -> Vec<String> {
        let lines = table.damage.iter();
        lines
            .map(|line| format!("{}: {line}", table.table))
            .collect()
    };
    let known: Vec<String> = report.tables.iter().flat_map(of_table).collect();
    let lines = report.damage.iter();
    lines
        .filter(|line| !known.contains(line))
        .cloned()
        .collect()
}
