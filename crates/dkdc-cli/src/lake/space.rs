//! `dkdc lake du` and `gc`: what content takes, and what may go.

use clap::Subcommand;
use dkdc_lake::Lake;
use dkdc_state::BlobRef;

use super::open;
use super::place::{self, Place};
use crate::exit::{Code, Failure, Result};
use crate::output::{Cell, Column, Format, Output, Sheet, say};
use crate::records::in_shell;
use crate::store::Stores;

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// What the files of a path take, now and with all their versions
    #[command(
        after_help = "Example:\n  dkdc lake du\n  dkdc lake du reports --json\n  dkdc lake du '**/*.csv'"
    )]
    Du {
        /// A path of the lake, a file, or a pattern [default: everything]
        path: Option<String>,
        /// Only this user's
        #[arg(long)]
        user: Option<String>,
    },
    /// Remove content that no version of any record names, and give the space back
    #[command(after_help = "Example:\n  dkdc lake gc --dry-run\n  dkdc lake gc")]
    Gc {
        /// Only say what would be removed
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
}

pub(crate) fn run(command: &Command, stores: &Stores, output: &mut Output) -> Result<()> {
    let Some(lake) = open(stores)? else {
        return Err(Failure::new(Code::NotFound, "there is no lake yet"));
    };
    match command {
        Command::Du { path, user } => du(&lake, path.as_deref(), user.as_deref(), output),
        Command::Gc { dry_run } => gc(&lake, *dry_run, output),
    }
}

fn du(lake: &Lake, path: Option<&str>, user: Option<&str>, output: &mut Output) -> Result<()> {
    let place = Place::new(lake, path, user)?;
    let files = place::files(lake, None, user, path)?;
    let current: Vec<BlobRef> = files.iter().map(|file| file.data).collect();
    let ids: std::collections::HashSet<&str> = files.iter().map(|file| file.id.as_str()).collect();
    let mut all = Vec::new();
    for version in lake.versions(dkdc_state::Idx::ZERO)? {
        let version = version?;
        if let Some(file) = version.file
            && (place.has(&file) || ids.contains(version.id.as_str()))
        {
            all.push(file.data);
        }
    }
    place.check(!all.is_empty())?;
    let columns = [
        "of",
        "files",
        "logical",
        "unique",
        "stored",
        "dedup",
        "compression",
    ];
    let types = [
        "string", "int64", "int64", "int64", "int64", "float64", "float64",
    ];
    let mut rows = Vec::new();
    for (of, blobs) in [("current", current), ("all versions", all)] {
        let usage = lake.state().blob_usage(&blobs)?;
        rows.push(vec![
            of.into(),
            usage.blobs.into(),
            usage.logical.into(),
            usage.unique.into(),
            usage.stored.into(),
            ratio(usage.logical, usage.unique),
            ratio(usage.unique, usage.stored),
        ]);
    }
    let columns = columns.iter().zip(types);
    let columns = columns.map(|(name, ty)| Column::new(*name, ty)).collect();
    output.sheet(Sheet::of(columns, rows))
}

/// How many times as large the one is, to a hundredth.
fn ratio(whole: u64, part: u64) -> Cell {
    if part == 0 {
        return Cell::Null;
    }
    let hundredths = u128::from(whole) * 100 / u128::from(part);
    let hundredths = u32::try_from(hundredths).unwrap_or(u32::MAX);
    Cell::Float(f64::from(hundredths) / 100.0)
}

fn gc(lake: &Lake, dry_run: bool, output: &mut Output) -> Result<()> {
    let collected = if dry_run {
        lake.state().unnamed_blobs()?
    } else {
        lake.state().gc_blobs()?
    };
    if dry_run && output.format() == Format::Table {
        say("nothing was removed: this is what would be");
    }
    // As an adopted store keeps them.
    let free = if dry_run {
        0
    } else {
        lake.state().status()?.free_bytes
    };
    if free > 0 {
        let store = in_shell(&lake.state().path().display().to_string());
        say(&format!(
            "{} of the store hold nothing, and are for later writes; dkdc --db {store} vacuum \
             gives them back",
            indicatif::BinaryBytes(free)
        ));
    }
    let columns = ["pieces", "bytes", "stored"].map(|name| Column::new(name, "int64"));
    let row = vec![
        collected.blobs.into(),
        collected.bytes.into(),
        collected.stored.into(),
    ];
    output.sheet(Sheet::of(columns.into(), vec![row]))
}
