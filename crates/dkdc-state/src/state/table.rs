//! The handle on one table of a state.

use std::sync::Arc;

use super::State;
use super::select::Select;
use super::shape::Shape;
use super::versions::{self, Difference};
use crate::error::{Error, Result};
use crate::log::Reader;
use crate::log::append::{Action, Batch, Existing, Write, Writes};
use crate::log::catalog::TableMeta;
use crate::log::list::Scope;
use crate::log::read::{self, LogRow};
use crate::log::request::Request;
use crate::record::{Idx, Version, Versioned};
use crate::schema::TableSchema;

/// A table of a [`State`], whose records are `R`: a type with
/// [`derive(Record)`](macro@crate::Record), or [`Row`](crate::Row).
///
/// Reads see the current records. Every write makes a version and is durable
/// when it returns.
///
/// ```
/// # use dkdc_state::{Record, State};
/// # let folder = tempfile::tempdir()?;
/// #[derive(Record, Clone, Debug, PartialEq)]
/// #[record(table = "notes")]
/// struct Note {
///     #[record(id)]
///     id: String,
///     body: String,
/// }
///
/// let state = State::open(folder.path().join("data.db"))?;
/// let notes = state.table::<Note>()?;
/// let first = notes.append(&Note { id: "n1".into(), body: "draft".into() })?;
/// notes.update(&Note { id: "n1".into(), body: "done".into() })?;
/// assert_eq!(notes.get("n1")?.expect("it is there").body, "done");
/// assert_eq!(notes.history("n1")?.len(), 2);
/// notes.restore("n1", first.idx)?;
/// assert_eq!(notes.get("n1")?.expect("it is there").body, "draft");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Table<R> {
    pub(super) state: State,
    pub(super) name: Arc<str>,
    pub(super) shape: Shape<R>,
    /// The key of the one request that this handle makes.
    pub(super) request: Option<Arc<str>>,
}

impl<R> Clone for Table<R> {
    fn clone(&self) -> Table<R> {
        Table {
            state: self.state.clone(),
            name: Arc::clone(&self.name),
            shape: self.shape.clone(),
            request: self.request.clone(),
        }
    }
}

impl<R> std::fmt::Debug for Table<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({})", self.name)
    }
}

/// Writes.
impl<R> Table<R> {
    /// Adds a record.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when a current record has its id,
    /// [`Error::NotUnique`] when one has its unique values.
    pub fn append(&self, record: &R) -> Result<Version> {
        self.put(record, Existing::Refused, None)
    }

    /// Replaces a record. Columns that `R` does not have keep their values.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current record has its id,
    /// [`Error::NotUnique`] as for an append.
    pub fn update(&self, record: &R) -> Result<Version> {
        self.put(record, Existing::Required, None)
    }

    /// Adds a record, or replaces it.
    ///
    /// # Errors
    /// [`Error::NotUnique`] as for an append.
    pub fn upsert(&self, record: &R) -> Result<Version> {
        self.put(record, Existing::Either, None)
    }

    /// Replaces a record if its current version is `expected`: compare and set.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is another, with the newest one.
    pub fn update_if(&self, record: &R, expected: Idx) -> Result<Version> {
        self.put(record, Existing::Required, Some(expected))
    }

    /// Reads a record, lets `change` change it, and writes it if nobody wrote
    /// it meanwhile; else again, from the new version.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current record has this id.
    pub fn modify(&self, id: &str, mut change: impl FnMut(&mut R)) -> Result<Version> {
        loop {
            let Some(mut found) = self.get(id)? else {
                return Err(Error::NotFound {
                    table: self.name().to_owned(),
                    id: id.to_owned(),
                });
            };
            change(&mut found.record);
            match self.update_if(&found.record, found.idx()) {
                Err(Error::Conflict { .. }) => {}
                done => return done,
            }
        }
    }

    /// Deletes a record. Its history stays, and [`restore`](Table::restore)
    /// brings it back.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current record has this id.
    pub fn delete(&self, id: &str) -> Result<Version> {
        self.write(id, Action::Delete, None)
    }

    /// Deletes a record if its current version is `expected`.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is another.
    pub fn delete_if(&self, id: &str, expected: Idx) -> Result<Version> {
        self.write(id, Action::Delete, Some(expected))
    }

    /// Gives a record, deleted or not, the values of one of its versions again.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`] when it never had that version, or that version
    /// holds no record.
    pub fn restore(&self, id: &str, version: Idx) -> Result<Version> {
        self.write(id, Action::Restore(version), None)
    }

    /// Adds records, all or none of them.
    ///
    /// # Errors
    /// As [`append`](Table::append), for the first record refused.
    pub fn append_all<'a>(&self, records: impl IntoIterator<Item = &'a R>) -> Result<Vec<Version>>
    where
        R: Sync + 'a,
    {
        self.put_all(records, Existing::Refused)
    }

    /// Replaces records, all or none of them.
    ///
    /// # Errors
    /// As [`update`](Table::update), for the first record refused.
    pub fn update_all<'a>(&self, records: impl IntoIterator<Item = &'a R>) -> Result<Vec<Version>>
    where
        R: Sync + 'a,
    {
        self.put_all(records, Existing::Required)
    }

    /// Adds or replaces records, all or none of them.
    ///
    /// # Errors
    /// As [`upsert`](Table::upsert), for the first record refused.
    pub fn upsert_all<'a>(&self, records: impl IntoIterator<Item = &'a R>) -> Result<Vec<Version>>
    where
        R: Sync + 'a,
    {
        self.put_all(records, Existing::Either)
    }

    /// The same table, for one write that may be tried again: the first write
    /// with this key is made; the same write with the same key again, at any
    /// time and by whomever, is not, and has the same answer. So whoever lost an
    /// answer, to a crash or a network, just asks again.
    ///
    /// One call of `append`, `update`, `upsert`, `delete`, `restore` or one of
    /// those for many records is a write. What is refused is not remembered.
    /// Keys are kept until [`prune`](State::prune) takes what is older than they
    /// are, or the table is cleared.
    ///
    /// ```
    /// # use dkdc_state::{Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let orders = state.define(&TableDef::new("orders"))?;
    /// let first = orders.request("order-17").append(&Row::new("17"))?;
    /// let again = orders.request("order-17").append(&Row::new("17"))?;
    /// assert_eq!(first, again);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Another write with the same key is refused:
    /// [`Error::RequestDiffers`].
    #[must_use]
    pub fn request(&self, key: &str) -> Table<R> {
        Table {
            request: Some(key.into()),
            ..self.clone()
        }
    }

    fn put(&self, record: &R, existing: Existing, expected: Option<Idx>) -> Result<Version> {
        let put = |schema: &_| self.shape.put(schema, record, existing, expected);
        self.submit_one(self.state.store().with_columns(self.shape.table, put)?)
    }

    /// As [`append_all`](Self::append_all), [`update_all`](Self::update_all) or
    /// [`upsert_all`](Self::upsert_all), by what there may be.
    ///
    /// # Errors
    /// As there.
    #[doc(hidden)]
    pub fn put_all<'a>(
        &self,
        records: impl IntoIterator<Item = &'a R>,
        existing: Existing,
    ) -> Result<Vec<Version>>
    where
        R: Sync + 'a,
    {
        let records: Vec<&R> = records.into_iter().collect();
        let put = |schema: &_, at: usize| self.shape.put(schema, records[at], existing, None);
        self.submit(Writes::ToMake(records.len(), &put))
    }

    fn write(&self, id: &str, action: Action<'_>, expected: Option<Idx>) -> Result<Version> {
        self.submit_one(Write {
            id: id.into(),
            action,
            expected,
        })
    }

    fn submit(&self, mut writes: Writes<'_>) -> Result<Vec<Version>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let store = self.state.writable()?;
        let table = self.shape.table;
        let mut request = None;
        if let Some(key) = &self.request {
            let made = writes.made(store, table)?;
            request = Some(Request::new(key, table, &made));
            writes = Writes::Made(made);
        }
        let batch = Batch {
            table,
            writes,
            request,
        };
        store.group().submit(store, batch)
    }

    fn submit_one(&self, write: Write<'_>) -> Result<Version> {
        self.submit(Writes::Made(vec![write]))?
            .pop()
            .ok_or_else(|| crate::log::damaged("BUG: a write without a version"))
    }
}

/// Reads.
impl<R> Table<R> {
    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The table as the store has it now.
    ///
    /// # Errors
    /// As for any read.
    pub fn schema(&self) -> Result<Arc<TableSchema>> {
        let number = self.shape.table;
        self.state
            .store()
            .read(|_, catalog| Ok(Arc::clone(&catalog.by_number(number)?.schema)))
    }

    /// The current record with this id.
    ///
    /// # Errors
    /// As for any read.
    pub fn get(&self, id: &str) -> Result<Option<Versioned<R>>> {
        let row = self.row(|conn, meta| read::current(conn, meta, id))?;
        row.map(|row| self.shape.live(row)).transpose()
    }

    /// True when a current record has this id.
    ///
    /// # Errors
    /// As for any read.
    pub fn contains(&self, id: &str) -> Result<bool> {
        self.one(|conn, meta| read::contains(conn, meta, id))
    }

    /// One version of a record, if it had it.
    ///
    /// # Errors
    /// As for any read.
    pub fn version(&self, id: &str, idx: Idx) -> Result<Option<Versioned<Option<R>>>> {
        let row = self.row(|conn, meta| versions::find(conn, meta, id, idx))?;
        row.map(|row| self.shape.any(row)).transpose()
    }

    /// The current records that `select` names.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`] and [`Error::InvalidValue`] for a select that
    /// does not fit the table.
    pub fn list(&self, select: &Select) -> Result<Vec<Versioned<R>>> {
        self.list_in(select, Scope::Current)
    }

    /// Of records that are deleted, the last version that held one.
    ///
    /// # Errors
    /// As [`list`](Table::list).
    pub fn list_deleted(&self, select: &Select) -> Result<Vec<Versioned<R>>> {
        self.list_in(select, Scope::Deleted)
    }

    fn list_in(&self, select: &Select, scope: Scope) -> Result<Vec<Versioned<R>>> {
        self.current(|conn, meta| self.shape.list(conn, meta, (select, scope)))
    }

    /// At most `limit` ids of current records that begin with `prefix`, in
    /// order.
    ///
    /// # Errors
    /// As for any read.
    pub fn ids(&self, prefix: &str, limit: usize) -> Result<Vec<String>> {
        self.current(|conn, meta| read::ids(conn, meta, prefix, limit))
    }

    /// How many current records there are.
    ///
    /// # Errors
    /// As for any read.
    pub fn count(&self) -> Result<u64> {
        self.current(read::count)
    }

    /// Every version of a record, oldest first; none when there never was one.
    ///
    /// # Errors
    /// As for any read.
    pub fn history(&self, id: &str) -> Result<Vec<Versioned<Option<R>>>> {
        let rows = self.current(|conn, meta| read::history(conn, meta, id, Idx(i64::MAX)))?;
        rows.into_iter().map(|row| self.shape.any(row)).collect()
    }

    /// The columns in which two versions of a record differ.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`] when the record did not have one of them.
    pub fn diff(&self, id: &str, from: Idx, to: Idx) -> Result<Vec<Difference>> {
        self.current(|conn, meta| versions::diff(conn, meta, id, from, to))
    }

    /// A read of one row.
    fn row(
        &self,
        read: impl FnMut(&Reader, &TableMeta) -> Result<Option<LogRow>>,
    ) -> Result<Option<LogRow>> {
        self.state.store().read_row(self.shape.table, read)
    }

    /// A read of one statement that needs no columns of the caller's.
    fn one<T>(&self, read: impl FnMut(&Reader, &TableMeta) -> Result<T>) -> Result<T> {
        self.state.store().read_one(self.shape.table, read)
    }

    /// A read of several statements, in one transaction.
    pub(super) fn current<T>(
        &self,
        read: impl FnOnce(&Reader, &TableMeta) -> Result<T>,
    ) -> Result<T> {
        let number = self.shape.table;
        let store = self.state.store();
        store.read(|conn, catalog| read(conn, catalog.by_number(number)?))
    }
}
