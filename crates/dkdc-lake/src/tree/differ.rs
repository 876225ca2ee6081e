//! What differs between two trees of files, each in the lake, now or at some
//! moment, or a folder on disk.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dkdc_state::Moment;

use super::walk::{self, Found};
use super::{AddOptions, files_of, on_disk, plain};
use crate::error::Result;
use crate::file::File;
use crate::lake::Lake;
use crate::name::FileName;
use crate::read::not_found;

/// A tree of files.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// A path of the lake, or one file of it.
    Lake {
        /// The path; empty: everything.
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

impl Lake {
    /// The files whose content differs between two trees, by name. What was not there
    /// at the time of a tree, but is or was at another, is a tree of no files.
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
        let mut after = self.sides(after)?;
        let mut differences: Vec<Difference> = Vec::new();
        for (name, before) in self.sides(before)? {
            let after = after.remove(&name);
            if after.as_ref().is_none_or(|after| after.hash != before.hash) {
                differences.push(Difference {
                    name,
                    before: Some(before),
                    after,
                });
            }
        }
        differences.extend(after.into_iter().map(|(name, after)| Difference {
            name,
            before: None,
            after: Some(after),
        }));
        differences.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(differences)
    }

    fn sides(&self, tree: &Tree) -> Result<BTreeMap<String, Side>> {
        let (path, user, at) = match tree {
            Tree::Lake { path, user, at } => (path, user, at),
            Tree::Folder(folder) => return self.folder(folder),
        };
        let plain = plain(path)?;
        let mut files = match at {
            Some(at) => files_of(self.at(*at)?.table(), user.as_deref(), plain.as_deref())?,
            None => files_of(self.table(), user.as_deref(), plain.as_deref())?,
        };
        let mut base = plain.clone();
        if files.is_empty()
            && let Some(path) = &plain
        {
            let mut name = FileName::parse(path)?;
            name.user.clone_from(user);
            let file = match at {
                Some(at) => self.at(*at)?.find(&name)?,
                None => self.find(&name)?,
            };
            match file {
                Some(file) => {
                    base.clone_from(&file.path);
                    files.push(file);
                }
                None if self.has_or_had(path, user.as_deref())? => {}
                None => return Err(not_found(&name)),
            }
        }
        let sides = files.into_iter().map(|file| {
            let below = super::below(&file, base.as_deref());
            let side = Side {
                size: u64::try_from(file.size).unwrap_or(0),
                hash: file.hash.clone(),
                file: Some(file.record),
                disk: None,
            };
            (below, side)
        });
        Ok(sides.collect())
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
