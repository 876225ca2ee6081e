//! What differs between two trees of files, each in the lake, now or at some
//! moment, or a folder on disk.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dkdc_state::Moment;

use super::walk::{self, Found};
use super::{AddOptions, Chosen, chosen, on_disk, plain};
use crate::error::Result;
use crate::file::File;
use crate::lake::Lake;
use crate::name::FileName;
use crate::pattern::Pattern;
use crate::read::{is_below, not_found};

/// A tree of files.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// A path of the lake, or one file of it, or those that a
    /// [`Pattern`](crate::Pattern) matches.
    Lake {
        /// The path, name or pattern; empty: everything.
        path: String,
        /// Whose files; none: nobody's.
        user: Option<String>,
        /// As of when; none: now.
        at: Option<Moment>,
    },
    /// A folder on disk, less what its `.gitignore` excludes.
    Folder(PathBuf),
}

/// A file as one tree has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// In bytes.
    pub size: u64,
    /// BLAKE3 of the content in hexadecimal.
    pub hash: String,
    /// The record, when it is in the lake.
    pub file: Option<File>,
    /// Where it is, when it is on disk.
    pub disk: Option<PathBuf>,
}

/// A file that two trees do not have alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its path below the trees.
    pub name: String,
    /// As the first tree has it.
    pub before: Option<Side>,
    /// As the second tree has it.
    pub after: Option<Side>,
}

/// The files of a tree, by their names below it.
struct Sides {
    files: BTreeMap<String, Side>,
    pattern: Option<Pattern>,
}

impl Sides {
    /// Of what is compared with what a pattern matches, only what that matches.
    fn narrow(&mut self, other: Option<&Pattern>) {
        if let (None, Some(pattern)) = (&self.pattern, other) {
            self.files.retain(|name, _| pattern.matches_below(name));
        }
    }
}

impl Lake {
    /// The files whose content differs between two trees, by name. What was not there
    /// at the time of a tree, but is or was at another, is a tree of no files. Of a
    /// tree that is compared with what a pattern matches, only what that matches
    /// counts.
    ///
    /// ```
    /// use dkdc_lake::{Edit, Lake, Moment, Tree};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let first = lake.put(&"a/1.txt".parse()?, &Edit::new(), &b"one"[..])?.file;
    /// lake.put(&"a/2.txt".parse()?, &Edit::new(), &b"two"[..])?;
    /// let tree = |at| Tree::Lake { path: "a".to_owned(), user: None, at };
    /// let differences = lake.diff(&tree(Some(Moment::Idx(first.idx()))), &tree(None))?;
    /// assert_eq!(differences.len(), 1);
    /// assert_eq!(differences[0].name, "2.txt");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) for a path of the lake in which
    /// nothing ever was; [`Error::Disk`](crate::Error::Disk) when a folder or a file in
    /// it cannot be read.
    pub fn diff(&self, before: &Tree, after: &Tree) -> Result<Vec<Difference>> {
        let (mut before, mut after) = (self.sides(before)?, self.sides(after)?);
        before.narrow(after.pattern.as_ref());
        after.narrow(before.pattern.as_ref());
        let mut differences: Vec<Difference> = Vec::new();
        for (name, before) in before.files {
            let after = after.files.remove(&name);
            if after.as_ref().is_none_or(|after| after.hash != before.hash) {
                differences.push(Difference {
                    name,
                    before: Some(before),
                    after,
                });
            }
        }
        differences.extend(after.files.into_iter().map(|(name, after)| Difference {
            name,
            before: None,
            after: Some(after),
        }));
        differences.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(differences)
    }

    fn sides(&self, tree: &Tree) -> Result<Sides> {
        let (word, user, at) = match tree {
            Tree::Lake { path, user, at } => (path, user.as_deref(), at),
            Tree::Folder(folder) => {
                return Ok(Sides {
                    files: self.folder(folder)?,
                    pattern: None,
                });
            }
        };
        let Chosen {
            files,
            path,
            pattern,
        } = match at {
            Some(at) => chosen(self.at(*at)?.table(), user, word)?,
            None => chosen(self.table(), user, word)?,
        };
        if files.is_empty()
            && let Some(word) = plain(word)?
        {
            let has_or_had = self.has_or_had(user, |name| match &pattern {
                Some(pattern) => pattern.matches(name),
                None => is_below(name, &word),
            });
            if !has_or_had? {
                return Err(not_found(&FileName::parse(&word)?));
            }
        }
        let files = files.into_iter().map(|file| {
            let below = super::below(&file, path.as_deref());
            let side = Side {
                size: u64::try_from(file.size).unwrap_or(0),
                hash: file.hash.clone(),
                file: Some(file.record),
                disk: None,
            };
            (below, side)
        });
        Ok(Sides {
            files: files.collect(),
            pattern,
        })
    }

    fn folder(&self, folder: &std::path::Path) -> Result<BTreeMap<String, Side>> {
        let mut sides = BTreeMap::new();
        for found in walk::walk(folder, &AddOptions::default(), self.state().path())? {
            match found {
                Found::Skipped { .. } => {}
                Found::Failed { below, why } => {
                    return Err(on_disk(folder.join(below), std::io::Error::other(why)));
                }
                Found::File { below, path, .. } => {
                    let failed = |error| on_disk(&path, error);
                    let mut hasher = blake3::Hasher::new();
                    let file = std::fs::File::open(&path).map_err(failed)?;
                    hasher.update_reader(file).map_err(failed)?;
                    let side = Side {
                        size: hasher.count(),
                        hash: hasher.finalize().to_hex().to_string(),
                        file: None,
                        disk: Some(path),
                    };
                    sides.insert(below, side);
                }
            }
        }
        Ok(sides)
    }
}
