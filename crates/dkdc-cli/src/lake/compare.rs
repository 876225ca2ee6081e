//! `dkdc lake diff` and `log`: what differs, and what happened.

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;

use clap::{Args, Subcommand};
use dkdc_lake::{File, FileName, Lake, Moment, Side, Tree};
use dkdc_state::{Idx, Op, Versioned};

use super::open;
use super::place::Place;
use crate::exit::{Code, Failure, Result, not_a_folder};
use crate::output::{Cell, Column, Format, Output, Sheet};
use crate::store::Stores;

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// What differs between two times, or between a folder and the lake
    #[command(
        after_help = "Example:\n  dkdc lake diff reports@yesterday reports\n  dkdc lake diff reports ./reports\n  dkdc lake diff a.txt@'1 hour ago' a.txt --text\n  dkdc lake diff 'reports/*.csv@yesterday' reports"
    )]
    Diff(Diff),
    /// What happened to the files of a path, the newest first
    #[command(
        after_help = "Example:\n  dkdc lake log reports\n  dkdc lake log reports/june.csv -n 5\n  dkdc lake log 'reports/*.csv'"
    )]
    Log(Log),
    /// A file as it is or was: NAME@VERSION, an idx or a time. A file whose name has
    /// an @ in it is meant by that
    #[command(
        after_help = "Example:\n  dkdc lake show reports/june.csv\n  dkdc lake show reports/june.csv@yesterday"
    )]
    Show {
        /// The file; after an @, which version
        name: String,
        /// Whose file it is; without this, a file of no user
        #[arg(long)]
        user: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// A path of the lake, a file in it, or a pattern, perhaps with @ and a time or
    /// an idx; or a folder on disk, beginning with / or .
    before: String,
    /// The same
    after: String,
    /// Whose files; without this, nobody's
    #[arg(long)]
    user: Option<String>,
    /// Show the lines that differ, where both are text
    #[arg(short, long)]
    text: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Log {
    /// A path of the lake, a file, or a pattern [default: everything]
    path: Option<String>,
    /// Only this user's
    #[arg(long)]
    user: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "COUNT", allow_negative_numbers = true)]
    limit: Option<usize>,
}

pub(crate) fn run(command: Command, stores: &Stores, output: &mut Output) -> Result<()> {
    let Some(lake) = open(stores)? else {
        return Err(Failure::new(Code::NotFound, "there is no lake yet"));
    };
    match command {
        Command::Diff(diff) => diff.run(&lake, output),
        Command::Log(log) => log.run(&lake, output),
        Command::Show { name, user } => {
            let (name, at) = parts(&lake, user.as_deref(), &name)?;
            let mut name = FileName::parse(name)?;
            name.user = user;
            let file = match at {
                Some(at) => lake.at(at)?.get(&name)?,
                None => lake.get(&name)?,
            };
            super::get::to_stdout(&lake, &file, output)
        }
    }
}

/// A name, and of when.
fn parts<'t>(lake: &Lake, user: Option<&str>, text: &'t str) -> Result<(&'t str, Option<Moment>)> {
    let Some((name, when)) = text.rsplit_once('@') else {
        return Ok((text, None));
    };
    // A name may have an @ in it: what has all of it is meant.
    if is_there(lake, user, text)? {
        return Ok((text, None));
    }
    // What follows need not be a time.
    match when.parse() {
        Ok(when) => Ok((name, Some(when))),
        Err(_) if when.contains(['/', '.']) || when.is_empty() => Ok((text, None)),
        Err(error) => Err(Failure::from(error)),
    }
}

/// True for the name of a file and for a path with files in it.
fn is_there(lake: &Lake, user: Option<&str>, name: &str) -> Result<bool> {
    let file = FileName::parse(name).ok().map(|mut file| {
        file.user = user.map(str::to_owned);
        file
    });
    let is_file = match &file {
        Some(file) => lake.contains_file(file)?,
        None => false,
    };
    let of_user = |file: &Versioned<File>| file.user_id.as_deref() == user;
    Ok(is_file || lake.list(user, Some(name))?.iter().any(of_user))
}

impl Diff {
    fn run(&self, lake: &Lake, output: &mut Output) -> Result<()> {
        let (before, after) = (
            self.tree(lake, &self.before)?,
            self.tree(lake, &self.after)?,
        );
        let differences = lake.diff(&before, &after)?;
        if self.text && output.format() == Format::Table {
            for difference in &differences {
                let name = &difference.name;
                let (before, after) = (&difference.before, &difference.after);
                let (old, new) = (text(lake, before)?, text(lake, after)?);
                let (Some(old), Some(new)) = (old, new) else {
                    output.line(&format!("{name}: differs, and is no text"))?;
                    continue;
                };
                let diff = similar::TextDiff::from_lines(&old, &new);
                let shown = diff
                    .unified_diff()
                    .header(&format!("a/{name}"), &format!("b/{name}"))
                    .to_string();
                for line in shown.lines() {
                    output.line(&crate::output::escaped(line).to_string())?;
                }
            }
            return Ok(());
        }
        let rows = differences.into_iter().map(|difference| {
            let word = match (&difference.before, &difference.after) {
                (None, _) => "new",
                (_, None) => "gone",
                _ => "changed",
            };
            let size = |side: Option<Side>| Cell::from(side.map(|side| side.size));
            vec![
                word.into(),
                difference.name.into(),
                size(difference.before),
                size(difference.after),
            ]
        });
        let columns = vec![
            Column::new("change", "string"),
            Column::new("file", "string"),
            Column::new("before", "int64"),
            Column::new("after", "int64"),
        ];
        output.sheet(Sheet::of(columns, rows.collect()))
    }

    fn tree(&self, lake: &Lake, text: &str) -> Result<Tree> {
        if text.starts_with(['/', '.']) {
            let folder = Path::new(text);
            if folder.is_file() {
                return Err(Failure::usage(not_a_folder(folder)));
            }
            return Ok(Tree::Folder(folder.into()));
        }
        let (path, at) = parts(lake, self.user.as_deref(), text)?;
        Ok(Tree::Lake {
            path: path.to_owned(),
            user: self.user.clone(),
            at,
        })
    }
}

/// The largest content of which lines are compared.
const LINES_UP_TO: u64 = 16 << 20;

/// A side's content, if it is text; nothing where there is no file.
fn text(lake: &Lake, side: &Option<Side>) -> Result<Option<String>> {
    let Some(side) = side else {
        return Ok(Some(String::new()));
    };
    if side.size > LINES_UP_TO {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    match (&side.file, &side.disk) {
        (Some(file), _) => bytes = lake.read_file_to_vec(file)?,
        (None, Some(path)) => {
            let failed = |error: std::io::Error| Failure::file(path, &error);
            let mut file = std::fs::File::open(path).map_err(failed)?;
            file.read_to_end(&mut bytes).map_err(failed)?;
        }
        (None, None) => {}
    }
    Ok(String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0')))
}

impl Log {
    fn run(&self, lake: &Lake, output: &mut Output) -> Result<()> {
        let place = Place::new(lake, self.path.as_deref(), self.user.as_deref())?;
        let mut found = false;
        let mut rows: VecDeque<Vec<Cell>> = VecDeque::new();
        let mut last: std::collections::HashMap<String, File> = std::collections::HashMap::new();
        for version in lake.versions(Idx::ZERO)? {
            let version = version?;
            let id = version.id;
            // A delete has no record: it is of the one before.
            let before = last.get(&id).cloned();
            let Some(file) = version.file.or_else(|| before.clone()) else {
                continue;
            };
            let meant = place.has(&file) || before.as_ref().is_some_and(|file| place.has(file));
            let (name, size) = (file.name().to_string(), file.size);
            let user = file.user_id.clone();
            let moved = before.filter(|before| before.name() != file.name());
            last.insert(id, file);
            if !meant {
                continue;
            }
            found = true;
            let live = version.version.op != Op::Delete;
            rows.push_front(vec![
                version.version.idx.into(),
                version.version.op.to_string().into(),
                user.into(),
                name.into(),
                if live { Cell::Int(size) } else { Cell::Null },
                moved.map(|before| before.name().to_string()).into(),
            ]);
            if let Some(limit) = self.limit {
                rows.truncate(limit);
            }
        }
        place.check(found)?;
        let columns = vec![
            Column::new("idx", "timestamp(6)"),
            Column::new("op", "string"),
            Column::new("user_id", "string"),
            Column::new("file", "string"),
            Column::new("size", "int64"),
            Column::new("was", "string"),
        ];
        output.sheet(Sheet::of(columns, rows.into()))
    }
}
