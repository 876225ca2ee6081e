//! `dkdc lake`: the files of `dkdc-lake`, for people and scripts.

mod compare;
mod get;
mod place;
mod space;
mod tree;

use std::fs::File as DiskFile;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dkdc_lake::{Edit, File, FileName, Lake, LakeAt, is_pattern};
use dkdc_state::{Idx, State};
use jiff::Timestamp;

use crate::cli::{AsOf, parse_idx};
use crate::exit::{Code, Failure, Result};
use crate::file::is_same;
use crate::output::{Format, Output, Rows, Sheet, counted, say};
use crate::progress::Bytes;
use crate::records::{self, Restore, say_deleted};
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
Example:
  dkdc lake put report.csv --path reports/2026
  dkdc lake add reports
  dkdc lake ls reports
  dkdc lake cat reports/2026/report.csv
  dkdc lake history reports/2026/report.csv";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Put a file; a name that is there already gets a new version
    #[command(
        after_help = "Example:\n  dkdc lake put report.csv --path reports/2026\n  date | dkdc lake put - --name today.txt"
    )]
    Put(Put),
    /// Write a file of the lake to disk
    #[command(
        after_help = "Example:\n  dkdc lake get reports/2026/report.csv -o old.csv --as-of yesterday"
    )]
    Get(get::Get),
    /// Write a file of the lake to stdout
    #[command(after_help = "Example:\n  dkdc lake cat reports/2026/report.csv | head")]
    Cat {
        #[command(flatten)]
        name: Name,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Delete a file, or those that a pattern matches; their histories stay
    #[command(
        after_help = "Example:\n  dkdc lake rm reports/2026/report.csv\n  dkdc lake rm 'reports/**/*.tmp'\n  dkdc lake rm -r reports/2025"
    )]
    Rm {
        #[command(flatten)]
        name: Name,
        /// Everything in this path and below it
        #[arg(short, long)]
        recursive: bool,
    },
    /// Give a file another name, or a path with -r; the history comes along. What a
    /// pattern matches goes to another path
    #[command(
        after_help = "Example:\n  dkdc lake mv june.csv reports/2026/june.csv\n  dkdc lake mv -r reports/2026 archive/2026\n  dkdc lake mv 'reports/*.csv' archive"
    )]
    Mv {
        /// What it is called, or a pattern
        from: String,
        /// What it shall be called; of what a pattern matches, the path
        to: String,
        /// Whose file it is; without this, a file of no user
        #[arg(long)]
        user: Option<String>,
        /// Everything in this path and below it
        #[arg(short, long)]
        recursive: bool,
    },
    /// Every version of a file, oldest first
    #[command(after_help = "Example:\n  dkdc lake history reports/2026/report.csv")]
    History {
        #[command(flatten)]
        name: Name,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Bring back an earlier version, as a new one
    #[command(
        after_help = "Example:\n  dkdc lake restore report.csv --version '2026-11-22 10:00:00.123456'"
    )]
    Restore {
        #[command(flatten)]
        name: Name,
        /// The idx of the version, as history shows it
        #[arg(long, value_name = "IDX", value_parser = parse_idx)]
        version: Idx,
    },
    /// List files, the newest first
    #[command(
        after_help = "Example:\n  dkdc lake ls reports --user ann\n  dkdc lake ls 'reports/**/*.csv'"
    )]
    Ls {
        /// Only what is in this path and below it, this file, or what this pattern
        /// matches
        path: Option<String>,
        /// Only this user's
        #[arg(long)]
        user: Option<String>,
        #[command(flatten)]
        as_of: AsOf,
    },
    #[command(flatten)]
    Tree(tree::Command),
    #[command(flatten)]
    Compare(compare::Command),
    #[command(flatten)]
    Space(space::Command),
}

/// What identifies a file.
#[derive(Args, Debug)]
pub(crate) struct Name {
    /// The file: path/filename, split at the last slash
    name: String,
    /// Whose file it is; without this, a file of no user
    #[arg(long)]
    user: Option<String>,
}

impl Name {
    pub(crate) fn parsed(&self) -> Result<FileName> {
        let mut name = FileName::parse(&self.name)?;
        name.user.clone_from(&self.user);
        Ok(name)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Put {
    /// The file; - reads stdin
    file: PathBuf,
    /// Where it goes in the lake: names with slashes between them
    #[arg(long)]
    path: Option<String>,
    /// What it is called there [default: as it is called here]
    #[arg(long)]
    name: Option<String>,
    /// Whose file it is
    #[arg(long)]
    user: Option<String>,
    /// What kind of file it is [default: what its name ends in, else what its
    /// content begins like]
    #[arg(long)]
    filetype: Option<String>,
    /// Any word
    #[arg(long)]
    status: Option<String>,
    /// Whatever else is to be said
    #[arg(long)]
    description: Option<String>,
    /// A label; may be given again
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Only if this is still the file's version, by its idx
    #[arg(long, value_name = "IDX", value_parser = parse_idx)]
    if_version: Option<Idx>,
}

pub(crate) fn run(command: Command, stores: &Stores, output: &mut Output) -> Result<()> {
    match command {
        Command::Put(put) => put.run(stores, output),
        Command::Get(get) => get::run(&get, &having(stores, &get.name)?, output),
        Command::Cat { name, as_of } => {
            let lake = having(stores, &name)?;
            let file = find(&lake, &name.parsed()?, &as_of)?;
            get::to_stdout(&lake, &file, output)
        }
        Command::Rm { name, recursive } => rm(stores, &name, recursive, output),
        Command::Mv {
            from,
            to,
            user,
            recursive,
        } => mv(stores, &Name { name: from, user }, &to, recursive, output),
        Command::Tree(command) => tree::run(command, stores, output),
        Command::Compare(command) => compare::run(command, stores, output),
        Command::Space(command) => space::run(&command, stores, output),
        Command::History { name, as_of } => {
            let (lake, name) = (having(stores, &name)?, name.parsed()?);
            let versions = match at(&lake, &as_of)? {
                Some(then) => then.history(&name)?,
                None => lake.history(&name)?,
            };
            show(output, records::history(None, versions))
        }
        Command::Restore { name, version } => {
            let file = having(stores, &name)?.restore(&name.parsed()?, version)?;
            show(output, records::sheet(vec![file]))
        }
        Command::Ls { path, user, as_of } => {
            let Some(lake) = open(stores)? else {
                return show(output, records::sheet::<File>(Vec::new()));
            };
            let then = at(&lake, &as_of)?;
            let files = place::files(&lake, then.as_ref(), user.as_deref(), path.as_deref())?;
            show(output, records::sheet(files))
        }
    }
}

/// Deletes a file, or those of a path or a pattern.
fn rm(stores: &Stores, name: &Name, recursive: bool, output: &mut Output) -> Result<()> {
    let given = name.name.as_str();
    // A name may look like a pattern: a file that has it is meant.
    let file = FileName::parse(given).ok().map(|mut file| {
        file.user.clone_from(&name.user);
        file
    });
    let lake = match (open(stores)?, &file) {
        (Some(lake), _) => lake,
        (None, Some(_)) => having(stores, name)?,
        (None, None) => return Err(Failure::new(Code::NotFound, "there is no lake yet")),
    };
    let many = match &file {
        Some(file) if !recursive => is_pattern(given) && !lake.contains_file(file)?,
        _ => true,
    };
    if !many {
        let deleted = lake.delete(&name.parsed()?)?;
        let restore = Restore::new(stores, "lake", &[&name.name]).user(name.user.as_deref());
        let what = format!("file {}", name.name);
        return say_deleted(output, &what, ("name", &name.name), &restore, &deleted);
    }
    let user = name.user.as_deref();
    let mut files = if recursive {
        lake.list(user, Some(given))?
    } else {
        lake.glob(given, user)?
    };
    files.retain(|file| file.user_id.as_deref() == user);
    if files.is_empty() {
        let message = format!("no file is in or matches {given}");
        return Err(Failure::new(Code::NotFound, message));
    }
    lake.delete_all(&files)?;
    let count = files.len() as u64;
    say(&format!(
        "{} deleted; {} lake restore brings any version back",
        counted(count, "file"),
        stores.dkdc()
    ));
    output.report([("files", count.into())])
}

fn mv(stores: &Stores, from: &Name, to: &str, recursive: bool, output: &mut Output) -> Result<()> {
    let lake = having(stores, from)?;
    // A name may look like a pattern: a file that has it is meant.
    let many = recursive || (is_pattern(&from.name) && !lake.contains_file(&from.parsed()?)?);
    if many {
        let moved = lake.rename_path(&from.name, to, from.user.as_deref())?;
        say(&format!("{} moved", counted(moved, "file")));
        return output.report([("files", moved.into())]);
    }
    let mut new = FileName::parse(to)?;
    new.user.clone_from(&from.user);
    let moved = lake.rename(&from.parsed()?, &new)?;
    show(output, records::sheet(vec![moved]))
}

/// Where files are when nobody says where.
const STORE: &str = "lake.db";

/// The lake, if there is one.
fn open(stores: &Stores) -> Result<Option<Lake>> {
    match stores.of_app_if_there(STORE)? {
        Some(state) => Ok(Lake::find_on(&state)?),
        None => Ok(None),
    }
}

/// The lake, which must be there to have this file.
fn having(stores: &Stores, name: &Name) -> Result<Lake> {
    let name = name.parsed()?;
    Ok(open(stores)?.ok_or(dkdc_lake::Error::NotFound { name })?)
}

fn at(lake: &Lake, as_of: &AsOf) -> Result<Option<LakeAt>> {
    Ok(as_of.as_of.map(|when| lake.at(when)).transpose()?)
}

/// The file as it is, or was.
fn find(lake: &Lake, name: &FileName, as_of: &AsOf) -> Result<File> {
    Ok(match at(lake, as_of)? {
        Some(then) => then.get(name)?.record,
        None => lake.get(name)?.record,
    })
}

/// What a table leaves to the other formats: size stands for the content.
const LEFT_OUT: [&str; 4] = ["data", "hash", "mode", "mtime"];

fn show(output: &mut Output, sheet: Sheet<'_>) -> Result<()> {
    if output.format() != Format::Table {
        return output.sheet(sheet);
    }
    let Sheet {
        columns,
        rows,
        total,
    } = sheet;
    let kept: Vec<bool> = columns
        .iter()
        .map(|column| !LEFT_OUT.contains(&column.name.as_str()))
        .collect();
    let columns = only(&kept, columns);
    let rows: Rows<'_> = Box::new(rows.map(move |row| Ok(only(&kept, row?))));
    output.sheet(Sheet {
        columns,
        rows,
        total,
    })
}

fn only<T>(kept: &[bool], all: Vec<T>) -> Vec<T> {
    let kept = all.into_iter().zip(kept).filter(|(_, kept)| **kept);
    kept.map(|(item, _)| item).collect()
}

/// Content that is open, and what to say about it.
struct Opened {
    name: FileName,
    edit: Edit,
    content: Box<dyn Read>,
    /// Its size in bytes, if that is known.
    size: Option<u64>,
}

impl Put {
    fn run(&self, stores: &Stores, output: &mut Output) -> Result<()> {
        // What cannot be read is refused before a store is made.
        let opened = self.open()?;
        let lake = Lake::on(&stores.of_app(STORE)?)?;
        if State::open_files()
            .iter()
            .any(|open| is_same(&self.file, open))
        {
            let message = format!(
                "{}: it is the store itself; dkdc backup makes a copy of it",
                self.file.display()
            );
            return Err(Failure::usage(message));
        }
        let content = Bytes::of("reading", opened.size).reading(opened.content);
        let put = lake.put(&opened.name, &opened.edit, content)?;
        if !put.written {
            say("the file was like that already: no new version");
        }
        show(output, records::sheet(vec![put.file]))
    }

    fn open(&self) -> Result<Opened> {
        let from_stdin = self.file.as_os_str() == "-";
        let name = FileName {
            filename: self.filename(from_stdin)?,
            path: self.path.clone(),
            user: self.user.clone(),
        };
        let edit = self.edit();
        if from_stdin {
            let content = Box::new(io::stdin().lock());
            return Ok(Opened {
                name,
                edit,
                content,
                size: None,
            });
        }
        let failed = |error: io::Error| Failure::file(&self.file, &error);
        let content = DiskFile::open(&self.file).map_err(failed)?;
        let meta = content.metadata().map_err(failed)?;
        if meta.is_dir() {
            let message = format!("{}: a folder; put its files", self.file.display());
            return Err(Failure::usage(message));
        }
        let mtime = meta
            .modified()
            .ok()
            .and_then(|time| Timestamp::try_from(time).ok());
        Ok(Opened {
            name,
            edit: edit.mode(mode(&meta)).mtime(mtime),
            content: Box::new(content),
            size: Some(meta.len()).filter(|_| meta.is_file()),
        })
    }

    /// What the file is called in the lake.
    fn filename(&self, from_stdin: bool) -> Result<String> {
        match &self.name {
            Some(name) if name.contains('/') => Err(Failure::usage(format!(
                "--name {name:?} holds a slash; --path says where a file is"
            ))),
            Some(name) => Ok(name.clone()),
            None if from_stdin => Err(Failure::usage("stdin has no name: give it one with --name")),
            None => name_on_disk(&self.file),
        }
    }

    fn edit(&self) -> Edit {
        let mut edit = Edit::new();
        if let Some(filetype) = &self.filetype {
            edit = edit.filetype(filetype.as_str());
        }
        if let Some(status) = &self.status {
            edit = edit.status(status.as_str());
        }
        if let Some(description) = &self.description {
            edit = edit.description(description.as_str());
        }
        if !self.labels.is_empty() {
            edit = edit.labels(self.labels.clone());
        }
        if let Some(version) = self.if_version {
            edit = edit.expecting(version);
        }
        edit
    }
}

fn name_on_disk(path: &Path) -> Result<String> {
    let refuse = |why| Failure::new(Code::Usage, format!("{}: {why}", path.display()));
    let name = path.file_name().ok_or_else(|| refuse("names no file"))?;
    let name = name.to_str();
    name.map(str::to_owned)
        .ok_or_else(|| refuse("the name is not UTF-8: give it one with --name"))
}

/// The permissions, without the kind of file.
#[cfg(unix)]
fn mode(meta: &std::fs::Metadata) -> Option<i64> {
    use std::os::unix::fs::PermissionsExt;
    Some(i64::from(meta.permissions().mode() & 0o7777))
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> Option<i64> {
    None
}
