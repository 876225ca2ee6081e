//! `dkdc lake` for folders: into the lake and out of it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dkdc_lake::{AddOptions, CheckoutOptions, Done, Gauge, Lake, TreeReport};

use super::{STORE, open};
use crate::cli::AsOf;
use crate::exit::{Code, Failure, Result};
use crate::output::{Cell, Column, Format, Output, Sheet, counted, escaped};
use crate::progress::Watching;
use crate::store::Stores;

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Add a folder: its new files, and new versions of those that changed
    #[command(
        after_help = "Example:\n  dkdc lake add reports\n  dkdc lake add . --path work/site --exclude '*.tmp' --dry-run"
    )]
    Add(Add),
    /// The same, and delete from the lake what is not in the folder any more
    #[command(
        after_help = "Example:\n  dkdc lake sync reports\n  dkdc lake sync reports --dry-run"
    )]
    Sync(Add),
    /// Write the files of a path into a folder
    #[command(
        after_help = "Example:\n  dkdc lake checkout reports --to /tmp/reports\n  dkdc lake checkout reports --to old --as-of yesterday\n  dkdc lake checkout 'reports/**/*.csv' --to tables"
    )]
    Checkout(Checkout),
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// The folder
    folder: PathBuf,
    /// Where it goes in the lake; '' is no path [default: the folder's name]
    #[arg(long)]
    path: Option<String>,
    /// Whose files they are
    #[arg(long)]
    user: Option<String>,
    /// Leave out what this pattern matches, as in a .gitignore; may be given again
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Also what .gitignore, .ignore and .dkdcignore exclude, and .git
    #[arg(long)]
    all: bool,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Read also files whose size and time are as the lake has them
    #[arg(long)]
    reread: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Checkout {
    /// A path of the lake, a file, or a pattern; '' is everything
    path: String,
    /// The folder to write into, made if need be
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Whose files; without this, nobody's
    #[arg(long)]
    user: Option<String>,
    /// Replace files that are there and differ
    #[arg(long)]
    force: bool,
    /// Only say what would be written
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    as_of: AsOf,
}

pub(crate) fn run(command: Command, stores: &Stores, output: &mut Output) -> Result<()> {
    match command {
        Command::Add(add) => add.run(false, stores, output),
        Command::Sync(add) => add.run(true, stores, output),
        Command::Checkout(checkout) => checkout.run(stores, output),
    }
}

impl Add {
    fn run(&self, delete: bool, stores: &Stores, output: &mut Output) -> Result<()> {
        let path = match &self.path {
            Some(path) => path.clone(),
            None => name_of(&self.folder)?,
        };
        let mut options = AddOptions::new(path)
            .user(self.user.as_deref())
            .everything(self.all)
            .dry_run(self.dry_run)
            .delete(delete)
            .reread(self.reread);
        let gauge = Gauge::default();
        options = options.gauge(&gauge);
        for pattern in &self.exclude {
            options = options.exclude(pattern);
        }
        if self.folder.is_file() {
            return Err(Failure::usage(format!(
                "{}: a file; dkdc lake put takes it",
                self.folder.display()
            )));
        }
        // What cannot be read is refused before a store is made.
        std::fs::read_dir(&self.folder).map_err(|error| Failure::file(&self.folder, &error))?;
        let mut nowhere = None;
        let lake = match open_for(self.dry_run, stores)? {
            Some(lake) => lake,
            // Where there is no lake yet, everything would be new.
            None => {
                let folder = tempfile::tempdir().map_err(|error| {
                    Failure::new(Code::Failure, format!("a temporary folder: {error}"))
                })?;
                Lake::open(nowhere.insert(folder).path().join(STORE))?
            }
        };
        let mut telling = Telling::new("adding", &gauge, self.dry_run);
        let report = lake.add(&self.folder, &options, &mut |name, done| {
            telling.hear(name, done);
        })?;
        telling.end(report, output)
    }
}

/// The lake that is written, made if need be; for a dry run, the one that is there.
fn open_for(dry_run: bool, stores: &Stores) -> Result<Option<Lake>> {
    if dry_run {
        return open(stores);
    }
    Ok(Some(Lake::on(&stores.of_app(STORE)?)?))
}

/// What a folder is called.
fn name_of(folder: &Path) -> Result<String> {
    let whole = folder
        .canonicalize()
        .map_err(|error| Failure::file(folder, &error))?;
    let name = whole.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        Failure::usage(format!(
            "{}: no name for a path; give one with --path",
            folder.display()
        ))
    })
}

impl Checkout {
    fn run(&self, stores: &Stores, output: &mut Output) -> Result<()> {
        let Some(lake) = open(stores)? else {
            return Err(Failure::new(
                Code::NotFound,
                format!("File {} does not exist", self.path),
            ));
        };
        let gauge = Gauge::default();
        let options = CheckoutOptions::new(self.path.as_str())
            .user(self.user.as_deref())
            .at(self.as_of.as_of)
            .replace(self.force)
            .dry_run(self.dry_run)
            .gauge(&gauge);
        let mut telling = Telling::new("writing", &gauge, self.dry_run);
        let report = lake.checkout(&self.to, &options, &mut |name, done| {
            telling.hear(name, done);
        })?;
        telling.end(report, output)
    }
}

/// Hears of each file: counts, lists what would be done, and says what failed.
struct Telling {
    watching: Watching,
    list: Option<Vec<Vec<Cell>>>,
    failed: Vec<String>,
}

impl Telling {
    fn new(what: &'static str, gauge: &Gauge, list: bool) -> Telling {
        Telling {
            watching: Watching::begin(what, gauge),
            list: list.then(Vec::new),
            failed: Vec::new(),
        }
    }

    fn hear(&mut self, name: &str, done: Done<'_>) {
        let (word, why) = match done {
            Done::New => ("new", None),
            Done::Changed => ("changed", None),
            Done::Deleted => ("deleted", None),
            Done::Skipped(why) => ("skipped", Some(why)),
            Done::Failed(why) => {
                self.failed.push(format!("{name}: {why}"));
                return;
            }
            _ => return,
        };
        if let Some(list) = &mut self.list {
            list.push(vec![word.into(), name.into(), why.into()]);
        }
    }

    /// What was done, on stdout for programs and in words for people.
    fn end(self, report: TreeReport, output: &mut Output) -> Result<()> {
        drop(self.watching);
        if let Some(list) = self.list {
            let columns = ["would be", "file", "why"].map(|name| Column::new(name, "string"));
            output.sheet(Sheet::of(columns.into(), list))?;
        } else if output.format() == Format::Table {
            let size = indicatif::BinaryBytes(report.bytes);
            let mut words = format!(
                "{} new, {} changed, {} unchanged, {size}",
                report.new, report.changed, report.unchanged
            );
            for (count, what) in [(report.deleted, "deleted"), (report.skipped, "skipped")] {
                if count > 0 {
                    words += &format!(", {count} {what}");
                }
            }
            output.line(&words)?;
            for failed in &self.failed {
                output.line(&escaped(failed).to_string())?;
            }
        } else {
            let fields = [
                ("new", report.new),
                ("changed", report.changed),
                ("unchanged", report.unchanged),
                ("deleted", report.deleted),
                ("skipped", report.skipped),
                ("failed", report.failed),
                ("bytes", report.bytes),
            ];
            let columns = fields.map(|(name, _)| Column::new(name, "int64"));
            let row = fields.map(|(_, count)| count.into());
            output.sheet(Sheet::of(columns.into(), vec![row.into()]))?;
        }
        match self.failed.first() {
            None => Ok(()),
            Some(first) => {
                let count = counted(self.failed.len() as u64, "file");
                let message = format!("{count} failed, the others are done; {first}");
                Err(Failure::new(Code::Failure, message))
            }
        }
    }
}
