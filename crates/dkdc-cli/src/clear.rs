//! `dkdc clear`: tables emptied for good, once a person has said so.

use clap::Args;
use dkdc_state::State;

use crate::confirm;
use crate::exit::Result;
use crate::output::{Cell, Column, Output, Sheet, counted};
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
Example:
  dkdc clear people
  dkdc --db ~/.dkdc/todo.db clear --force";

#[derive(Args, Debug)]
pub(crate) struct Clear {
    /// The tables [default: all]
    tables: Vec<String>,
    /// Do not ask
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(clear: &Clear, stores: &Stores, output: &mut Output) -> Result<()> {
    let state = stores.existing()?;
    for table in &clear.tables {
        state.rows(table)?;
    }
    if !clear.force {
        confirm::yes(&question(&state, &clear.tables)?, "cleared")?;
    }
    let tables: Vec<&str> = clear.tables.iter().map(String::as_str).collect();
    let cleared = state.clear(&tables)?.into_iter();
    let rows = cleared.map(|cleared| vec![cleared.table.into(), cleared.versions.into()]);
    let columns = vec![
        Column::new("cleared", "string"),
        Column::new("versions", "int64"),
    ];
    output.sheet(Sheet::of(columns, rows.collect::<Vec<Vec<Cell>>>()))
}

fn question(state: &State, tables: &[String]) -> Result<String> {
    let status = state.status()?;
    let meant = status
        .tables
        .iter()
        .filter(|table| tables.is_empty() || tables.contains(&table.name));
    let (count, versions) = meant.fold((0, 0), |(count, versions), table| {
        (count + 1, versions + table.versions)
    });
    Ok(format!(
        "Clear {} ({})?",
        counted(count, "table"),
        counted(versions, "version")
    ))
}
