//! `dkdc backup` and `dkdc salvage`: a store made of another one, sound or not.

use std::path::PathBuf;

use clap::Args;
use dkdc_state::{Salvaged, State};

use crate::exit::Result;
use crate::interrupt::Unfinished;
use crate::output::{Cell, Column, Output, Sheet, say};
use crate::progress::Progress;
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
The copy is of one moment, whoever writes meanwhile, and a store of its own.

Example:
  dkdc backup /mnt/usb/data-2026-11-22.db
  dkdc --db /mnt/usb/data-2026-11-22.db check";

pub(crate) const SALVAGE: &str = "\
The damaged file is only read; nobody may have it open. What was lost is listed.

Example:
  dkdc salvage damaged.db rescued.db
  dkdc --db rescued.db check";

#[derive(Args, Debug)]
pub(crate) struct Backup {
    /// The file to make; nothing is replaced
    to: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Salvage {
    /// The damaged file
    from: PathBuf,
    /// The store to make; nothing is replaced
    to: PathBuf,
}

pub(crate) fn run(backup: &Backup, stores: &Stores, output: &mut Output) -> Result<()> {
    let state = stores.existing()?;
    let mut progress = None;
    let unfinished = Unfinished::draft(&backup.to);
    let made = state.backup(&backup.to, &mut |now| {
        let bar = progress.get_or_insert_with(|| Progress::new("copying", Some(now.total)));
        bar.set(now.done);
    });
    drop((progress, unfinished));
    let made = made?;
    say(&format!(
        "{}: {} bytes, as of {}",
        backup.to.display(),
        made.bytes,
        made.idx.shown()
    ));
    output.report([
        ("file", backup.to.display().to_string().into()),
        ("bytes", made.bytes.into()),
        ("idx", made.idx.into()),
    ])
}

pub(crate) fn salvage(salvage: &Salvage, output: &mut Output) -> Result<()> {
    let mut progress = None;
    let unfinished = Unfinished::draft(&salvage.to);
    let salvaged = State::salvage(&salvage.from, &salvage.to, &mut |now| {
        let bar = progress.get_or_insert_with(|| Progress::new("salvaging", Some(now.total)));
        bar.set(now.done);
    });
    drop((progress, unfinished));
    output.sheet(sheet(&salvaged?))
}

/// A line a table; and one for what was lost outside of them.
fn sheet(salvaged: &Salvaged) -> Sheet<'static> {
    let list = |lost: &[String]| match lost {
        [] => Cell::Null,
        lost => Cell::List(lost.iter().map(|line| line.as_str().into()).collect()),
    };
    let tables = salvaged.tables.iter();
    let mut rows: Vec<Vec<Cell>> = tables
        .map(|table| {
            vec![
                table.table.as_str().into(),
                table.versions.into(),
                table.unproven.into(),
                list(&table.lost),
            ]
        })
        .collect();
    if !salvaged.lost.is_empty() {
        rows.push(vec![
            Cell::Null,
            Cell::Null,
            Cell::Null,
            list(&salvaged.lost),
        ]);
    }
    let columns = vec![
        Column::new("table", "string"),
        Column::new("versions", "int64"),
        Column::new("unproven", "int64"),
        Column::new("lost", "array<string>"),
    ];
    Sheet::of(columns, rows)
}
