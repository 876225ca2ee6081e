//! The lake as it was: every read of [`Lake`], for one moment.

use dkdc_state::{BlobReader, Idx, Snapshot, SnapshotTable, Versioned};

use crate::error::Result;
use crate::file::File;
use crate::lake::Lake;
use crate::name::FileName;
use crate::read;

/// The lake as of one moment; made by [`Lake::at`].
///
/// What is written later does not change what it answers. The content of any
/// [`File`] that it gives is read with [`Lake::read_file`] as well.
#[derive(Debug)]
pub struct LakeAt {
    /// As it is now: content is the same at all times.
    lake: Lake,
    snapshot: Snapshot,
    table: SnapshotTable<File>,
}

impl LakeAt {
    pub(crate) fn new(lake: Lake, snapshot: Snapshot) -> Result<LakeAt> {
        let table = snapshot.table::<File>()?;
        Ok(LakeAt {
            lake,
            snapshot,
            table,
        })
    }

    /// The newest version that this reads: what the moment resolved to.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/test.txt".parse()?;
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert_eq!(then.idx(), first.idx());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn idx(&self) -> Idx {
        self.snapshot.idx()
    }

    /// The whole snapshot, for other tables and for SQL at the same moment.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/test.txt".parse()?;
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert_eq!(then.snapshot().rows("lake")?.count()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(crate) fn table(&self) -> &SnapshotTable<File> {
        &self.table
    }

    /// As [`Lake::get`].
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/test.txt".parse()?;
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert_eq!(then.get(&name)?, first);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there was none then.
    pub fn get(&self, name: &FileName) -> Result<Versioned<File>> {
        read::get(&self.table, name)
    }

    /// As [`Lake::find`].
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/test.txt".parse()?;
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert_eq!(then.find(&name)?, Some(first));
    /// assert_eq!(then.find(&FileName::new("other.txt"))?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn find(&self, name: &FileName) -> Result<Option<Versioned<File>>> {
        read::find(&self.table, name)
    }

    /// As [`Lake::contains_file`].
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/test.txt".parse()?;
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.delete(&name)?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert!(then.contains_file(&name)? && !lake.contains_file(&name)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn contains_file(&self, name: &FileName) -> Result<bool> {
        Ok(self.find(name)?.is_some())
    }

    /// As [`Lake::contains_path`].
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/test.txt".parse()?;
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.delete(&name)?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert!(then.contains_path("a", None)? && !lake.contains_path("a", None)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn contains_path(&self, path: &str, user: Option<&str>) -> Result<bool> {
        read::contains_path(&self.table, path, user)
    }

    /// As [`Lake::list`].
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/test.txt".parse()?;
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.delete(&name)?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert_eq!(then.list(None, Some("a"))?, [first]);
    /// assert!(lake.list(None, Some("a"))?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn list(&self, user: Option<&str>, path: Option<&str>) -> Result<Vec<Versioned<File>>> {
        read::list(&self.table, user, path)
    }

    /// As [`Lake::history`], up to this moment.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/test.txt".parse()?;
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert_eq!((then.history(&name)?.len(), lake.history(&name)?.len()), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there was no such file
    /// until then.
    pub fn history(&self, name: &FileName) -> Result<Vec<Versioned<Option<File>>>> {
        let mut ids = read::ids_of(self.lake.table(), name)?;
        // A file that had the name then may have another one now.
        if let Some(file) = self.find(name)?
            && !ids.contains(&file.id)
        {
            ids.push(file.record.id);
        }
        read::history(&self.table, name, &ids)
    }

    /// As [`Lake::read`].
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/test.txt".parse()?;
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert_eq!(std::io::read_to_string(then.read(&name)?)?, "hello world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there was none then.
    pub fn read(&self, name: &FileName) -> Result<BlobReader> {
        self.lake.read_file(&*self.get(name)?)
    }

    /// As [`Lake::read_to_vec`].
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/test.txt".parse()?;
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert_eq!(then.read_to_vec(&name)?, b"hello world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there was none then;
    /// [`Error::Content`](crate::Error::Content) when the store fails while it
    /// is read.
    pub fn read_to_vec(&self, name: &FileName) -> Result<Vec<u8>> {
        self.lake.read_file_to_vec(&*self.get(name)?)
    }
}
