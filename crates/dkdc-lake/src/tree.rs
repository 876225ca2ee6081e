//! Folders of files: into the lake, out of it, and what differs.

mod add;
#[cfg(unix)]
mod checkout;
mod differ;
mod gauge;
mod known;
mod options;
mod sort;
mod stat;
#[cfg(unix)]
mod target;
mod walk;

use std::path::PathBuf;

use dkdc_state::{Version, Versioned};

pub use differ::{Difference, Side, Tree};
pub use gauge::Gauge;
pub use options::{AddOptions, CheckoutOptions};

use crate::error::{Error, Result};
use crate::file::File;
use crate::lake::Lake;
use crate::name::{FileName, plain_path};
use crate::pattern::{Pattern, is_pattern, matching};
use crate::read;

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

/// The current files of one user that a word means.
struct Chosen {
    files: Vec<Versioned<File>>,
    /// Below this they have their names: the path that was named, or is before the
    /// file's name or in front of the pattern.
    path: Option<String>,
    pattern: Option<Pattern>,
}

/// Those in a path and below it, else the file of this name, else those that a
/// pattern matches; perhaps none.
fn chosen(source: &impl read::Source, user: Option<&str>, word: &str) -> Result<Chosen> {
    let path = plain(word)?;
    let files = files_of(source, user, path.as_deref())?;
    let of_path = |files, path| Chosen {
        files,
        path,
        pattern: None,
    };
    let Some(word) = path.as_deref().filter(|_| files.is_empty()) else {
        return Ok(of_path(files, path));
    };
    let mut name = FileName::parse(word)?;
    name.user = user.map(str::to_owned);
    if let Some(file) = read::find(source, &name)? {
        let path = file.path.clone();
        return Ok(of_path(vec![file], path));
    }
    // A name may look like a pattern: a file that has it was meant.
    if !is_pattern(word) {
        return Ok(of_path(files, path));
    }
    let pattern = Pattern::new(word)?;
    let mut files = files_of(source, user, pattern.path())?;
    files.retain(|file| pattern.matches(&file.name().to_string()));
    Ok(Chosen {
        files,
        path: pattern.path().map(str::to_owned),
        pattern: Some(pattern),
    })
}

impl Lake {
    /// Gives a file another name; its history comes along.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
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

    /// Moves all files in a path and below it, or those that a [`Pattern`] matches,
    /// to another path, all or none; their histories come along.
    ///
    /// ```
    /// use dkdc_lake::{Edit, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// for name in ["a/1.csv", "a/b/2.csv", "a/3.txt"] {
    ///     lake.put(&name.parse()?, &Edit::new(), &b"x"[..])?;
    /// }
    /// assert_eq!(lake.rename_path("a/*.csv", "tables", None)?, 1);
    /// assert_eq!(lake.rename_path("a", "old", None)?, 2);
    /// for name in ["tables/1.csv", "old/b/2.csv", "old/3.txt"] {
    ///     assert!(lake.contains_file(&name.parse()?)?);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when no file is there, [`Error::AlreadyExists`] when
    /// one has a name that another would get.
    pub fn rename_path(&self, from: &str, to: &str, user: Option<&str>) -> Result<u64> {
        let to = plain(to)?;
        let moved = self.state().transaction(|tx| {
            let files = tx.table::<File>()?;
            let Chosen {
                files: found,
                path,
                pattern,
            } = chosen(&files, user, from)?;
            // A file of this name is no path: `rename` moves it.
            let is_file = pattern.is_none() && path != plain(from)?;
            if found.is_empty() || is_file {
                return Err(read::not_found(&FileName::new(from)));
            }
            for file in &found {
                let rest = below(file, path.as_deref());
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

/// An error of a file on disk.
fn on_disk(path: impl Into<PathBuf>, source: std::io::Error) -> Error {
    Error::Disk {
        path: path.into(),
        source,
    }
}
