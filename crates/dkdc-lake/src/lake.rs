//! The lake: every write, and every read of what is current.

use std::io::Read;
use std::path::Path;

use dkdc_state::{BlobReader, Idx, Moment, State, Table, TxTable, Version, Versioned};

use crate::content::{Content, Taken};
use crate::error::{Error, Result};
use crate::file::{File, NewFile};
use crate::id::uuid;
use crate::name::FileName;
use crate::put::{Edit, Put};
use crate::read::{self, not_found};
use crate::then::LakeAt;

/// A lake of files in a store. Cloning it is cheap; clones share the store.
///
/// Every write is durable when it returns. All errors not named are the
/// state's, as [`Error::State`]; every name may be refused with
/// [`Error::NoFilename`].
#[derive(Clone, Debug)]
pub struct Lake {
    state: State,
    table: Table<File>,
}

impl Lake {
    /// Opens the lake in the store at `path`; a store that is not there yet is
    /// made, its folder is not.
    ///
    /// # Errors
    /// The state's errors: a file that is no store, a folder without write
    /// permission, a table `lake` of another shape.
    pub fn open(path: impl AsRef<Path>) -> Result<Lake> {
        Lake::on(&State::open(path)?)
    }

    /// The lake in a store that is open already, beside whatever else it holds.
    ///
    /// ```
    /// use dkdc_lake::{Lake, State};
    /// # let folder = tempfile::tempdir()?;
    /// let state = State::open(folder.path().join("data.db"))?;
    /// let lake = Lake::on(&state)?;
    /// assert_eq!(lake.table().name(), "lake");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors, as for [`Lake::open`].
    pub fn on(state: &State) -> Result<Lake> {
        Ok(Lake {
            state: state.clone(),
            table: state.table::<File>()?,
        })
    }

    /// The lake in a store that is open already, if it has one: for those who
    /// only read, since nothing is declared.
    ///
    /// ```
    /// use dkdc_lake::{Lake, State};
    /// # let folder = tempfile::tempdir()?;
    /// let state = State::open(folder.path().join("data.db"))?;
    /// assert!(Lake::find_on(&state)?.is_none());
    /// assert!(state.tables()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors: a table `lake` of another shape.
    pub fn find_on(state: &State) -> Result<Option<Lake>> {
        let table = state.find_table::<File>()?;
        Ok(table.map(|table| Lake {
            state: state.clone(),
            table,
        }))
    }

    /// The store.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The table `lake`, for what this handle has no words for.
    #[must_use]
    pub fn table(&self) -> &Table<File> {
        &self.table
    }

    /// Appends a file that is not there yet, under a new [`uuid`](fn@uuid) and
    /// its [plain](FileName::plain) name. Reads `content` to its end.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a name that has no plain form;
    /// [`Error::AlreadyExists`] when a current file has the name;
    /// [`Error::Content`] when reading fails.
    pub fn append_file(&self, file: NewFile, content: impl Read) -> Result<Versioned<File>> {
        let exists = |name: &FileName| Error::AlreadyExists { name: name.clone() };
        let plain = file.name.plain()?;
        // Before the content, which may be long; what counts is said again
        // inside the transaction.
        if self.contains_file(&file.name)? {
            return Err(exists(&file.name));
        }
        let Taken { content, .. } = Content::take(&self.state, &file.name, content)?;
        self.state.transaction(|tx| {
            let files = tx.table::<File>()?;
            if read::find(&files, &file.name)?.is_some() {
                return Err(exists(&file.name));
            }
            let file = NewFile {
                name: plain,
                ..file
            };
            let record = file.into_file(new_id(&files)?, content.put(tx)?);
            let version = files.append(&record)?;
            Ok(Versioned { version, record })
        })
    }

    /// Replaces a whole file, content and all: what is `None` becomes NULL. The
    /// id stays. To change just some of it, [`put`](Lake::put).
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current file has the name;
    /// [`Error::Content`] when reading fails.
    pub fn update_file(&self, file: NewFile, content: impl Read) -> Result<Versioned<File>> {
        self.get(&file.name)?;
        let Taken { content, .. } = Content::take(&self.state, &file.name, content)?;
        self.state.transaction(|tx| {
            let files = tx.table::<File>()?;
            let current = read::get(&files, &file.name)?;
            let name = current.name();
            let file = NewFile { name, ..file };
            let record = file.into_file(current.record.id, content.put(tx)?);
            let version = files.update(&record)?;
            Ok(Versioned { version, record })
        })
    }

    /// Appends a file, or gives the current one of this name new content, and
    /// changes what the edit names. A new file gets the [plain](FileName::plain)
    /// name. A file that is like that already, content
    /// and all, gets no new version.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// assert!(lake.put(&name, &Edit::new(), &b"hello world"[..])?.written);
    /// assert!(!lake.put(&name, &Edit::new(), &b"hello world"[..])?.written);
    /// assert!(lake.put(&name, &Edit::new(), &b"hello world!"[..])?.written);
    /// assert_eq!(lake.history(&name)?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a new file whose name has no plain form;
    /// [`Error::Content`] when reading fails; [`Error::Conflict`] when the edit
    /// [expects](Edit::expecting) a version that is not the current one any more;
    /// [`Error::NotFound`] and [`Error::NoSuchVersion`] when it never was.
    pub fn put(&self, name: &FileName, edit: &Edit, content: impl Read) -> Result<Put> {
        // Before the content, which may be long.
        let current = self.find(name)?;
        match (&current, edit.expected) {
            (None, None) => drop(name.plain()?),
            // Deleted since, or never there.
            (None, Some(expected)) => drop(self.version(name, expected)?),
            _ => {}
        }
        let Taken { content, kind } = Content::take(&self.state, name, content)?;
        self.state.transaction(|tx| {
            let files = tx.table::<File>()?;
            let content = content.put(tx)?;
            let current = read::find(&files, name)?;
            edit.check(name, current.as_ref())?;
            let (version, record) = match current {
                Some(current) => {
                    let record = edit.over(&current, content);
                    if record == current.record {
                        return Ok(Put {
                            file: current,
                            written: false,
                        });
                    }
                    (files.update(&record)?, record)
                }
                None => {
                    let new = NewFile::new(name.plain()?).or_kind(kind);
                    let record = edit.first(new, new_id(&files)?, content);
                    (files.append(&record)?, record)
                }
            };
            Ok(Put {
                file: Versioned { version, record },
                written: true,
            })
        })
    }

    /// Deletes a file; its history and its content stay.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current file has the name.
    pub fn delete(&self, name: &FileName) -> Result<Version> {
        self.state.transaction(|tx| {
            let files = tx.table::<File>()?;
            let current = read::get(&files, name)?;
            Ok(files.delete(&current.id)?)
        })
    }

    /// Brings back an earlier version, content and all, as a new version: of
    /// the file that has this name, or of a deleted one that had it. When the
    /// version is a deleted file's and another has the name now, that one keeps
    /// its id and gets the version's values.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// let first = lake.put(&name, &Edit::new(), &b"hello world"[..])?.file;
    /// lake.delete(&name)?;
    /// lake.restore(&name, first.idx())?;
    /// assert_eq!(lake.read_to_vec(&name)?, b"hello world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there never was such a file,
        edit.check(name, current.as_ref())?;
    /// [`Error::NoSuchVersion`] when it has no such version,
    /// [`Error::AlreadyExists`] when the version had another name, and another
    /// file has that now.
    pub fn restore(&self, name: &FileName, idx: Idx) -> Result<Versioned<File>> {
        let old = self.version(name, idx)?;
        let restored = self.state.transaction(|tx| {
            let files = tx.table::<File>()?;
            match read::find(&files, name)? {
                Some(current) if current.id != old.id => {
                    let record = File {
                        id: current.record.id,
                        user_id: current.record.user_id,
                        path: current.record.path,
                        filename: current.record.filename,
                        ..old.clone()
                    };
                    let version = files.update(&record)?;
                    Ok(Versioned { version, record })
                }
                _ => {
                    let version = files.restore(&old.id, idx)?;
                    let record = old.clone();
                    Ok(Versioned { version, record })
                }
            }
        });
        restored.map_err(|error: Error| error.or_taken(&old.name()))
    }

    /// The file as this version has it.
    fn version(&self, name: &FileName, idx: Idx) -> Result<File> {
        let ids = read::ids_of(&self.table, name)?;
        if ids.is_empty() {
            return Err(not_found(name));
        }
        for id in ids {
            let version = self.table.version(&id, idx)?;
            if let Some(file) = version.and_then(|version| version.record) {
                return Ok(file);
            }
        }
        Err(Error::NoSuchVersion {
            name: name.clone(),
            idx,
        })
    }

    /// The current version of a file.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current file has the name.
    pub fn get(&self, name: &FileName) -> Result<Versioned<File>> {
        read::get(&self.table, name)
    }

    /// The current version of a file, if there is one.
    ///
    /// # Errors
    /// The state's errors.
    pub fn find(&self, name: &FileName) -> Result<Option<Versioned<File>>> {
        read::find(&self.table, name)
    }

    /// True when there is such a file now.
    ///
    /// # Errors
    /// The state's errors.
    pub fn contains_file(&self, name: &FileName) -> Result<bool> {
        Ok(self.find(name)?.is_some())
    }

    /// True when a current file is in exactly this path: this user's, or
    /// anyone's.
    ///
    /// # Errors
    /// The state's errors.
    pub fn contains_path(&self, path: &str, user: Option<&str>) -> Result<bool> {
        read::contains_path(&self.table, path, user)
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
        read::list(&self.table, user, path)
    }

    /// Every version of the file that has this name, and of those deleted ones
    /// that had it, oldest first; a delete holds no record.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there never was such a file.
    pub fn history(&self, name: &FileName) -> Result<Vec<Versioned<Option<File>>>> {
        read::history(&self.table, name, &read::ids_of(&self.table, name)?)
    }

    /// The content of a file, to be read as a stream, from any place in it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current file has the name.
    pub fn read(&self, name: &FileName) -> Result<BlobReader> {
        self.read_file(&*self.get(name)?)
    }

    /// The content of a file, at once.
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
    /// [`dkdc_state::Error::NoSuchBlob`] when the store has it no more.
    pub fn read_file(&self, file: &File) -> Result<BlobReader> {
        Ok(self.state.open_blob(&file.data)?)
    }

    /// The same, at once.
    ///
    /// # Errors
    /// As [`read_file`](Lake::read_file); [`Error::Content`] when the store
    /// fails while it is read.
    pub fn read_file_to_vec(&self, file: &File) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = self.read_file(file)?.read_to_end(&mut content);
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
        LakeAt::new(self.clone(), self.state.at(when)?)
    }
}

/// An id that no file has or had.
fn new_id(files: &TxTable<'_, '_, '_, File>) -> Result<String> {
    loop {
        let id = uuid()?;
        if files.history(&id)?.is_empty() {
            return Ok(id);
        }
    }
}
