//! Folders of files: into the lake, out of it, and what differs.

mod add;
#[cfg(unix)]
mod checkout;
mod differ;
mod known;
mod stat;
#[cfg(unix)]
mod target;
mod walk;

use std::path::PathBuf;

use dkdc_state::{Moment, Version, Versioned};

pub use differ::{Difference, Side, Tree};

use crate::error::{Error, Result};
use crate::file::File;
use crate::lake::Lake;
use crate::name::{FileName, plain_path};
use crate::read;

/// What [`Lake::add`] takes of a folder, and where to.
///
/// ```
/// use dkdc_lake::AddOptions;
/// let options = AddOptions::new("reports").exclude("*.tmp").dry_run(true);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default)]
pub struct AddOptions {
    path: String,
    user: Option<String>,
    excludes: Vec<String>,
    everything: bool,
    dry_run: bool,
    delete: bool,
    reread: bool,
}

impl AddOptions {
    /// Into this path of the lake; empty: into no path.
    #[must_use]
    pub fn new(path: impl Into<String>) -> AddOptions {
        AddOptions {
            path: path.into(),
            ..AddOptions::default()
        }
    }

    /// As this user's files; without this, as nobody's.
    #[must_use]
    pub fn user(mut self, user: Option<&str>) -> AddOptions {
        self.user = user.map(str::to_owned);
        self
    }

    /// Leaves out what a pattern as in `.gitignore` matches.
    #[must_use]
    pub fn exclude(mut self, pattern: impl Into<String>) -> AddOptions {
        self.excludes.push(pattern.into());
        self
    }

    /// Takes also what `.gitignore`, `.ignore` and `.dkdcignore` exclude, and
    /// `.git`.
    #[must_use]
    pub fn everything(mut self, everything: bool) -> AddOptions {
        self.everything = everything;
        self
    }

    /// Only says what would be done.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> AddOptions {
        self.dry_run = dry_run;
        self
    }

    /// Deletes from the path what is not in the folder any more; its history
    /// stays.
    #[must_use]
    pub fn delete(mut self, delete: bool) -> AddOptions {
        self.delete = delete;
        self
    }

    /// Reads also files whose size and time are as the lake has them.
    #[must_use]
    pub fn reread(mut self, reread: bool) -> AddOptions {
        self.reread = reread;
        self
    }
}

/// What [`Lake::checkout`] writes.
#[derive(Clone, Debug, Default)]
pub struct CheckoutOptions {
    path: String,
    user: Option<String>,
    at: Option<Moment>,
    replace: bool,
    dry_run: bool,
}

impl CheckoutOptions {
    /// What is in this path of the lake and below it, or the file of this name;
    /// empty: everything.
    #[must_use]
    pub fn new(path: impl Into<String>) -> CheckoutOptions {
        CheckoutOptions {
            path: path.into(),
            ..CheckoutOptions::default()
        }
    }

    /// This user's files; without this, nobody's.
    #[must_use]
    pub fn user(mut self, user: Option<&str>) -> CheckoutOptions {
        self.user = user.map(str::to_owned);
        self
    }

    /// As of a moment.
    #[must_use]
    pub fn at(mut self, at: Option<Moment>) -> CheckoutOptions {
        self.at = at;
        self
    }

    /// Replaces files that are there and differ.
    #[must_use]
    pub fn replace(mut self, replace: bool) -> CheckoutOptions {
        self.replace = replace;
        self
    }

    /// Only says what would be done.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> CheckoutOptions {
        self.dry_run = dry_run;
        self
    }
}

/// What befell one file of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Done<'a> {
    /// It was not there, and now is.
    New,
    /// It was different, and now is as the other.
    Changed,
    /// It was like that already.
    Unchanged,
    /// It is there no more.
    Deleted,
    /// It is nothing that a lake keeps, and why.
    Skipped(&'a str),
    /// It could not be done, and why; the others were.
    Failed(&'a str),
}

/// How many files of a folder met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeReport {
    /// Files that were not there.
    pub new: u64,
    /// Files that were different.
    pub changed: u64,
    /// Files that were like that already.
    pub unchanged: u64,
    /// Files that are there no more.
    pub deleted: u64,
    /// Links, devices and the like.
    pub skipped: u64,
    /// Files that could not be done.
    pub failed: u64,
    /// Bytes of the new and the changed ones.
    pub bytes: u64,
}

impl TreeReport {
    fn count(&mut self, done: Done<'_>, bytes: u64) {
        let counter = match done {
            Done::New => &mut self.new,
            Done::Changed => &mut self.changed,
            Done::Unchanged => &mut self.unchanged,
            Done::Deleted => &mut self.deleted,
            Done::Skipped(_) => &mut self.skipped,
            Done::Failed(_) => &mut self.failed,
        };
        *counter += 1;
        if matches!(done, Done::New | Done::Changed) {
            self.bytes += bytes;
        }
    }
}

/// Tells of each file, by its path below the folder.
pub(crate) struct Telling<'t> {
    tell: &'t mut dyn FnMut(&str, Done<'_>),
    report: TreeReport,
}

impl<'t> Telling<'t> {
    fn new(tell: &'t mut dyn FnMut(&str, Done<'_>)) -> Telling<'t> {
        Telling {
            tell,
            report: TreeReport::default(),
        }
    }

    fn tell(&mut self, name: &str, done: Done<'_>, bytes: u64) {
        self.report.count(done, bytes);
        (self.tell)(name, done);
    }
}

/// A path of the lake, plain; `None`: no path.
fn plain(path: &str) -> Result<Option<String>> {
    plain_path(path).ok_or_else(|| Error::InvalidName {
        given: path.to_owned(),
        why: "a path has no \"..\"",
    })
}

/// Where a file is below a path.
fn below(file: &File, path: Option<&str>) -> String {
    let name = file.name().to_string();
    match path.and_then(|path| name.strip_prefix(path)) {
        Some(rest) => rest.trim_start_matches('/').to_owned(),
        None => name,
    }
}

/// The current files of exactly this user in a path and below it.
fn files_of(
    source: &impl read::Source,
    user: Option<&str>,
    path: Option<&str>,
) -> Result<Vec<Versioned<File>>> {
    let mut files = read::list(source, user, path)?;
    files.retain(|file| file.user_id.as_deref() == user);
    Ok(files)
}

impl Lake {
    /// Gives a file another name; its history comes along.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// ```
    /// use dkdc_lake::{Edit, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// for name in ["a/1.tmp", "a/2.tmp", "a/3.txt"] {
    ///     lake.put(&name.parse()?, &Edit::new(), &b"x"[..])?;
    /// }
    /// lake.delete_all(&lake.glob("a/*.tmp", None)?)?;
    /// assert_eq!(lake.list(None, None)?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let (old, new) = (FileName::new("a.txt"), FileName::new("b.txt").in_path("new"));
    /// lake.put(&old, &Edit::new(), &b"hello world"[..])?;
    /// lake.rename(&old, &new)?;
    /// assert_eq!(lake.history(&new)?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::AlreadyExists`] when a current file has the
    /// new name, [`Error::InvalidName`].
    pub fn rename(&self, from: &FileName, to: &FileName) -> Result<Versioned<File>> {
        let plain = to.plain()?;
        let renamed = self.state().transaction(|tx| {
            let files = tx.table::<File>()?;
            let current = read::get(&files, from)?;
            let record = current.record.renamed(plain.clone());
            let version = files.update(&record)?;
            Ok(Versioned { version, record })
        });
        renamed.map_err(|error: Error| error.or_taken(to))
    }

    /// Moves all files in a path and below it, all or none; their histories come
    /// along.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no file is there, [`Error::AlreadyExists`] when
    /// one has a name that another would get.
    pub fn rename_path(&self, from: &str, to: &str, user: Option<&str>) -> Result<u64> {
        let (from, to) = (plain(from)?, plain(to)?);
        let name = FileName::new(from.clone().unwrap_or_default());
        let moved = self.state().transaction(|tx| {
            let files = tx.table::<File>()?;
            let found = files_of(&files, user, from.as_deref())?;
            if found.is_empty() {
                return Err(read::not_found(&name));
            }
            for file in &found {
                let rest = below(file, from.as_deref());
                let joined = to
                    .as_ref()
                    .map_or(rest.clone(), |to| format!("{to}/{rest}"));
                let mut new = FileName::parse(&joined)?.plain()?;
                new.user.clone_from(&file.user_id);
                files.update(&file.record.clone().renamed(new))?;
            }
            Ok(found.len() as u64)
        });
        let taken = FileName::new(to.clone().unwrap_or_default());
        moved.map_err(|error: Error| error.or_taken(&taken))
    }

    /// Deletes these files, all or none, unless somebody has changed one since
    /// they were read; their histories stay.
    ///
    /// # Errors
    /// [`Error::Conflict`] when one has changed or is deleted.
    pub fn delete_all(&self, files: &[Versioned<File>]) -> Result<Vec<Version>> {
        self.state().transaction(|tx| {
            let table = tx.table::<File>()?;
            let deleted = files.iter().map(|file| {
                let deleted = table.delete_if(&file.id, file.idx());
                deleted.map_err(|error| Error::State(error).of_file(&file.name()))
            });
            deleted.collect()
        })
    }

    /// The current files whose path and filename match a pattern: `*` and `?`
    /// stay within a name, `**` crosses folders, `{a,b}` is either.
    ///
    /// ```
    /// use dkdc_lake::{Edit, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// for name in ["a/1.csv", "a/b/2.csv", "a/3.txt"] {
    ///     lake.put(&name.parse()?, &Edit::new(), &b"x"[..])?;
    /// }
    /// assert_eq!(lake.glob("a/*.csv", None)?.len(), 1);
    /// assert_eq!(lake.glob("**/*.csv", None)?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a pattern that is none.
    pub fn glob(&self, pattern: &str, user: Option<&str>) -> Result<Vec<Versioned<File>>> {
        matching(self.list(user, None)?, pattern)
    }
}

/// Those files whose path and filename match a pattern: see [`Lake::glob`].
///
/// # Errors
/// [`Error::InvalidName`] for a pattern that is none.
pub fn matching(mut files: Vec<Versioned<File>>, pattern: &str) -> Result<Vec<Versioned<File>>> {
    let glob = globset::GlobBuilder::new(pattern)
        .literal_separator(true)
        .build();
    let glob = glob.map_err(|_| Error::InvalidName {
        given: pattern.to_owned(),
        why: "it is no pattern: a bracket or brace is not closed",
    })?;
    let matcher = glob.compile_matcher();
    files.retain(|file| matcher.is_match(file.name().to_string()));
    Ok(files)
}

/// True when a name is meant as a pattern.
#[must_use]
pub fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

/// An error of a file on disk.
fn on_disk(path: impl Into<PathBuf>, source: std::io::Error) -> Error {
    Error::Disk {
        path: path.into(),
        source,
    }
}
