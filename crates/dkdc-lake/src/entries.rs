//! Files one after the other, as they were at one moment, whoever writes meanwhile.
//!
//! In memory are the ids, and one file.

use std::vec::IntoIter;

use dkdc_state::{Snapshot, SnapshotTable, Versioned};

use crate::error::Result;
use crate::file::File;
use crate::lake::Lake;
use crate::name::plain_path;
use crate::read::is_below;
use crate::then::LakeAt;

/// Files, as they are read; from [`Lake::entries`] and [`LakeAt::entries`].
#[derive(Debug)]
pub struct Entries {
    table: SnapshotTable<File>,
    ids: IntoIter<String>,
    user: Option<String>,
    paths: Vec<String>,
}

impl Entries {
    fn new(snapshot: &Snapshot, user: Option<&str>, path: Option<&str>) -> Result<Entries> {
        let table = snapshot.table::<File>()?;
        // As in a list: this very path, and the plain one.
        let plain = path.map_or(Some(None), plain_path);
        let given = path.map(|path| path.trim_end_matches('/').to_owned());
        let paths = match plain {
            Some(None) => Vec::new(),
            plain => given.into_iter().chain(plain.flatten()).collect(),
        };
        Ok(Entries {
            ids: table.ids("", usize::MAX)?.into_iter(),
            table,
            user: user.map(str::to_owned),
            paths,
        })
    }

    fn is_meant(&self, file: &File) -> bool {
        let of = file.path.as_deref().unwrap_or_default();
        let is_there = self.paths.is_empty() || self.paths.iter().any(|path| is_below(of, path));
        is_there && (self.user.is_none() || self.user == file.user_id)
    }
}

impl Iterator for Entries {
    type Item = Result<Versioned<File>>;

    fn next(&mut self) -> Option<Result<Versioned<File>>> {
        loop {
            match self.table.get(&self.ids.next()?) {
                Ok(Some(file)) if self.is_meant(&file) => return Some(Ok(file)),
                Ok(_) => {}
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

impl Lake {
    /// The same files as [`list`](Lake::list), one after the other: those that are
    /// current now, whatever is written while they are read. They come by id, which
    /// is the order in which they came to be; only the ids are in memory.
    ///
    /// ```
    /// use dkdc_lake::{Edit, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// for name in ["a/1.txt", "a/b/2.txt", "c/3.txt"] {
    ///     lake.put(&name.parse()?, &Edit::new(), &b"hello world"[..])?;
    /// }
    /// let mut size = 0;
    /// for file in lake.entries(None, Some("a"))? {
    ///     let file = file?;
    ///     size += file.size;
    ///     lake.delete(&file.name())?;
    /// }
    /// assert_eq!(size, 22);
    /// assert_eq!(lake.entries(None, None)?.count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn entries(&self, user: Option<&str>, path: Option<&str>) -> Result<Entries> {
        Entries::new(&self.state().snapshot()?, user, path)
    }
}

impl LakeAt {
    /// As [`Lake::entries`].
    ///
    /// ```
    /// use dkdc_lake::{Edit, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let first = lake.put(&"a/1.txt".parse()?, &Edit::new(), &b"one"[..])?.file;
    /// lake.put(&"a/2.txt".parse()?, &Edit::new(), &b"two"[..])?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert_eq!(then.entries(None, None)?.count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn entries(&self, user: Option<&str>, path: Option<&str>) -> Result<Entries> {
        Entries::new(self.snapshot(), user, path)
    }
}
