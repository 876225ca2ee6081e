//! `dkdc mirror`: the Parquet files beside the store.

use clap::Subcommand;
use dkdc_state::{MirroredTable, State};

use crate::exit::Result;
use crate::output::{Cell, Column, Output, Sheet, counted, say};
use crate::progress::Progress;
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
Questions in SQL are answered from these files and, for what is newer, from the
store. They are kept by themselves and may be deleted at any time.

Example:
  dkdc mirror status
  dkdc mirror seal";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// What there is, by table
    #[command(after_help = "Example:\n  dkdc mirror status --json")]
    Status,
    /// Bring it up to date now
    #[command(after_help = "Example:\n  dkdc mirror seal")]
    Seal,
    /// Make it anew from the store
    #[command(after_help = "Example:\n  dkdc mirror rebuild")]
    Rebuild,
    /// Take it away
    #[command(after_help = "Example:\n  dkdc mirror drop")]
    Drop,
}

pub(crate) fn run(command: &Command, stores: &Stores, output: &mut Output) -> Result<()> {
    let state = stores.existing()?;
    match command {
        Command::Status => {}
        Command::Seal => working("sealing", || state.seal_mirror())?,
        Command::Rebuild => working("rebuilding", || state.rebuild_mirror())?,
        Command::Drop => state.drop_mirror()?,
    }
    if matches!(command, Command::Status) || output.is_for_programs() {
        return output.sheet(sheet(&state)?);
    }
    let tables = state.mirror_status()?;
    let sum = |of: fn(&MirroredTable) -> u64| tables.iter().map(of).sum::<u64>();
    say(&format!(
        "{} in {}, {}",
        counted(sum(|table| table.versions), "version"),
        counted(sum(|table| table.files), "file"),
        counted(sum(|table| table.bytes), "byte")
    ));
    Ok(())
}

fn working(what: &'static str, run: impl FnOnce() -> dkdc_state::Result<()>) -> Result<()> {
    let progress = Progress::spinning(what);
    let done = run();
    drop(progress);
    Ok(done?)
}

fn sheet(state: &State) -> Result<Sheet<'static>> {
    let columns = vec![
        Column::new("table", "string"),
        Column::new("versions", "int64"),
        Column::new("tail", "int64"),
        Column::new("current", "int64"),
        Column::new("files", "int64"),
        Column::new("bytes", "int64"),
        Column::new("upto", "timestamp(6)"),
    ];
    let row = |table: MirroredTable| {
        vec![
            table.table.as_str().into(),
            table.versions.into(),
            table.tail.into(),
            table.current.map_or(Cell::Null, Cell::from),
            table.files.into(),
            table.bytes.into(),
            table.upto.map_or(Cell::Null, Cell::from),
        ]
    };
    let rows = state.mirror_status()?.into_iter().map(row).collect();
    Ok(Sheet::of(columns, rows))
}
