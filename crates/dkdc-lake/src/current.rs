//! Every read of what is current, and the way to what was.

use dkdc_state::{BlobReader, Moment, Versioned};

use crate::error::{Error, Result};
use crate::file::File;
use crate::lake::Lake;
use crate::name::FileName;
use crate::read;
use crate::then::LakeAt;

impl Lake {
    /// The current version of a file.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "notes/test.txt".parse()?;
    /// lake.put(&name, &Edit::new().status("draft"), &b"hello world"[..])?;
    /// let file = lake.get(&name)?;
    /// assert_eq!((file.size, file.status.as_deref()), (11, Some("draft")));
    /// assert!(lake.get(&FileName::new("test.txt")).is_err()); // another path
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current file has the name.
    pub fn get(&self, name: &FileName) -> Result<Versioned<File>> {
        read::get(self.table(), name)
    }

    /// The current version of a file, if there is one.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt").of_user("ann");
    /// assert_eq!(lake.find(&name)?, None);
    /// let put = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// assert_eq!(lake.find(&name)?, Some(put));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn find(&self, name: &FileName) -> Result<Option<Versioned<File>>> {
        read::find(self.table(), name)
    }

    /// True when there is such a file now.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// lake.put(&name, &Edit::new(), &b"hello world"[..])?;
    /// assert!(lake.contains_file(&name)?);
    /// assert!(!lake.contains_file(&name.of_user("ann"))?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn contains_file(&self, name: &FileName) -> Result<bool> {
        Ok(self.find(name)?.is_some())
    }

    /// True when a current file is in exactly this path: this user's, or
    /// anyone's.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name: FileName = "a/b/test.txt".parse()?;
    /// lake.put(&name.of_user("ann"), &Edit::new(), &b"hello world"[..])?;
    /// assert!(lake.contains_path("a/b", None)?);
    /// assert!(lake.contains_path("a/b", Some("ann"))?);
    /// assert!(!lake.contains_path("a", None)?); // no file is in just this
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn contains_path(&self, path: &str, user: Option<&str>) -> Result<bool> {
        read::contains_path(self.table(), path, user)
    }

    /// The current files, the newest version first: this user's, or everyone's;
    /// in this path and below it, or wherever they are.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// for name in ["a/1.txt", "a/b/2.txt", "ab/3.txt"] {
    ///     lake.put(&name.parse()?, &Edit::new(), &b"hello world"[..])?;
    /// }
    /// let names = lake.list(None, Some("a"))?.into_iter().map(|f| f.name().to_string());
    /// assert_eq!(names.collect::<Vec<_>>(), ["a/b/2.txt", "a/1.txt"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn list(&self, user: Option<&str>, path: Option<&str>) -> Result<Vec<Versioned<File>>> {
        read::list(self.table(), user, path)
    }

    /// Every version of the file that has this name, and of those deleted ones
    /// that had it, oldest first; a delete holds no record.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// lake.put(&name, &Edit::new(), &b"hello world"[..])?;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// lake.delete(&name)?;
    /// let versions = lake.history(&name)?;
    /// let sizes: Vec<_> = versions.iter().map(|v| v.record.as_ref().map(|f| f.size)).collect();
    /// assert_eq!(sizes, [Some(11), Some(12), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there never was such a file.
    pub fn history(&self, name: &FileName) -> Result<Vec<Versioned<Option<File>>>> {
        read::history(self.table(), name, &read::ids_of(self.table(), name)?)
    }

    /// The content of a file, to be read as a stream, from any place in it.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// use std::io::{Read, Seek, SeekFrom};
    /// let name = FileName::new("large.bin");
    /// lake.put(&name, &Edit::new(), std::io::repeat(7).take(3_000_000))?;
    /// // A range costs the pieces that it is in, not the whole.
    /// let mut content = lake.read(&name)?;
    /// content.seek(SeekFrom::Start(2_000_000))?;
    /// let mut range = [0; 4096];
    /// content.read_exact(&mut range)?;
    /// assert_eq!(range, [7; 4096]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current file has the name.
    pub fn read(&self, name: &FileName) -> Result<BlobReader> {
        self.read_file(&*self.get(name)?)
    }

    /// The content of a file, at once.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// lake.put(&name, &Edit::new(), &b"hello world"[..])?;
    /// assert_eq!(lake.read_to_vec(&name)?, b"hello world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current file has the name;
    /// [`Error::Content`] when the store fails while it is read.
    pub fn read_to_vec(&self, name: &FileName) -> Result<Vec<u8>> {
        self.read_file_to_vec(&*self.get(name)?)
    }

    /// The content of any version of a file, current or not.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// lake.put(&name, &Edit::new(), &b"hello world"[..])?;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// for version in lake.history(&name)? {
    ///     if let Some(file) = &version.record {
    ///         let text = std::io::read_to_string(lake.read_file(file)?)?;
    ///         assert!(text.starts_with("hello world"));
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`dkdc_state::Error::NoSuchBlob`] when the store has it no more, since no version
    /// names it any more; [`dkdc_state::Error::Damaged`] when one does.
    pub fn read_file(&self, file: &File) -> Result<BlobReader> {
        let opened = self.state().open_blob(&file.data);
        Ok(opened.map_err(|error| self.lacking(file, error))?)
    }

    /// What it means that a content is not there.
    fn lacking(&self, file: &File, error: dkdc_state::Error) -> dkdc_state::Error {
        let dkdc_state::Error::NoSuchBlob { hash } = &error else {
            return error;
        };
        let names = |version: &Versioned<Option<File>>| {
            let record = version.record.as_ref();
            record.is_some_and(|record| record.data == file.data)
        };
        match self.table().history(&file.id) {
            Ok(versions) if versions.iter().any(names) => dkdc_state::Error::Damaged {
                path: self.state().path().to_owned(),
                what: format!("the content of {}, blob {hash}, is gone", file.name()),
            },
            _ => error,
        }
    }

    /// The same, at once.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// assert_eq!(lake.read_file_to_vec(&first)?, b"hello world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`read_file`](Lake::read_file); [`Error::Content`] when the store
    /// fails while it is read.
    pub fn read_file_to_vec(&self, file: &File) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = self.read_file(file)?.each(|bytes| {
            content.extend_from_slice(bytes);
            Ok(())
        });
        read.map_err(|source| Error::Content {
            name: file.name(),
            source,
        })?;
        Ok(content)
    }

    /// The lake as it was at a moment, for reading.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake, Moment};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.put(&name, &Edit::new(), &b"hello world!"[..])?;
    /// let then = lake.at(Moment::Idx(first.idx()))?;
    /// assert_eq!(then.read_to_vec(&name)?, b"hello world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`dkdc_state::Error::OutsideHistory`] for a moment before the lake, or
    /// after both now and the last version.
    pub fn at(&self, when: Moment) -> Result<LakeAt> {
        LakeAt::new(self.clone(), self.state().at(when)?)
    }
}
