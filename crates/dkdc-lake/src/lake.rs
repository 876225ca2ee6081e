//! The lake: opening it, and every write.

use std::io::Read;
use std::path::Path;

use dkdc_state::{Idx, State, Table, TxTable, Version, Versioned};

use crate::content::{Content, Taken};
use crate::error::{Error, Result};
use crate::file::{File, NewFile};
use crate::id::uuid;
use crate::name::FileName;
use crate::put::{Edit, Put};
use crate::read::{self, not_found};

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
    /// ```
    /// use dkdc_lake::Lake;
    /// # let folder = tempfile::tempdir()?;
    /// let lake = Lake::open(folder.path().join("data.db"))?;
    /// assert!(lake.list(None, None)?.is_empty());
    /// assert!(Lake::open(folder.path().join("no such folder/data.db")).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let file = lake.put(&FileName::new("test.txt"), &Edit::new(), &b"hello"[..])?.file;
    /// assert_eq!(lake.state().blob_usage(&[file.data])?.logical, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The table `lake`, for what this handle has no words for.
    ///
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// use dkdc_state::Select;
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// lake.put(&FileName::new("a.txt"), &Edit::new().status("draft"), &b"a"[..])?;
    /// lake.put(&FileName::new("b.txt"), &Edit::new(), &b"b"[..])?;
    /// let drafts = lake.table().list(&Select::new().eq("status", "draft"))?;
    /// assert_eq!(drafts.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn table(&self) -> &Table<File> {
        &self.table
    }

    /// Appends a file that is not there yet, under a new [`uuid`](fn@uuid) and
    /// its [plain](FileName::plain) name. Reads `content` to its end.
    ///
    /// ```
    /// use dkdc_lake::{ErrorKind, FileName, Lake, NewFile};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt").of_user("ann");
    /// let file = NewFile {
    ///     labels: Some(vec!["red, green".to_owned()]),
    ///     ..NewFile::new(name)
    /// };
    /// assert_eq!(lake.append_file(file.clone(), &b"hello world"[..])?.size, 11);
    /// let again = lake.append_file(file, &b"hello world"[..]);
    /// assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    /// use dkdc_lake::{FileName, Lake, NewFile};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// let file = NewFile {
    ///     status: Some("draft".to_owned()),
    ///     ..NewFile::new(name.clone())
    /// };
    /// let first = lake.append_file(file, &b"hello world"[..])?;
    /// let second = lake.update_file(NewFile::new(name), &b"hello world!"[..])?;
    /// assert_eq!((second.id.as_str(), second.status.as_deref()), (first.id.as_str(), None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        edit.check(name, current.as_ref())?;
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
    /// ```
    /// use dkdc_lake::{Edit, FileName, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let name = FileName::new("test.txt");
    /// lake.put(&name, &Edit::new(), &b"hello world"[..])?;
    /// lake.delete(&name)?;
    /// assert!(!lake.contains_file(&name)?);
    /// assert_eq!(lake.history(&name)?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
