//! The handle that callers hold: a store's tables, transactions and moments.
//!
//! [`State`] is cheap to clone and shared by threads; everything that is done
//! to the file happens in the log. Calls block until they are done; there is no
//! async runtime.

mod blobs;
mod keeping;
pub(crate) mod row;
pub(crate) mod select;
pub(crate) mod shape;
pub(crate) mod table;
pub(crate) mod transaction;
mod versions;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use row::Row;
pub use select::Select;
pub use table::Table;
pub use transaction::{Transaction, TxTable};
pub use versions::Difference;

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};
use crate::log::changes::{Changes, Follow};
use crate::log::clear::Cleared;
use crate::log::event::{self, Event};
use crate::log::status::Status;
use crate::log::{Config, Store, moment, registry, writer};
use crate::record::{Idx, Record};
use crate::schema::{TableDef, TableSchema};
use crate::snapshot::Snapshot;
use crate::time::Moment;
use shape::Shape;

/// What an acknowledged write has survived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Every acknowledged write survives a power loss: the log is synced before
    /// each commit is acknowledged.
    #[default]
    Full,
    /// Every acknowledged write survives the end of the process. A power loss
    /// may take the newest ones, together, never some from the middle.
    Relaxed,
}

/// How to open a state.
///
/// ```no_run
/// use dkdc_state::{Durability, State};
/// let state = State::options()
///     .create(false)
///     .durability(Durability::Relaxed)
///     .open("data.db")?;
/// # Ok::<(), dkdc_state::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a state is opened by `open`"]
pub struct OpenOptions {
    config: Config,
}

impl std::fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenOptions")
            .field("create", &self.config.create)
            .field("read_only", &self.config.read_only)
            .field("durability", &self.config.durability)
            .field("busy_timeout", &self.config.busy_timeout)
            .finish_non_exhaustive()
    }
}

impl OpenOptions {
    #[cfg(test)]
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Whether a store that is not there is created; true unless said.
    pub fn create(mut self, create: bool) -> OpenOptions {
        self.config.create = create;
        self
    }

    /// Whether the file is left as it is; false unless said.
    pub fn read_only(mut self, read_only: bool) -> OpenOptions {
        self.config.read_only = read_only;
        self
    }

    /// What an acknowledged write survives; [`Durability::Full`] unless said.
    pub fn durability(mut self, durability: Durability) -> OpenOptions {
        self.config.durability = durability;
        self
    }

    /// How long a write waits for another process's; 30 seconds unless said.
    pub fn busy_timeout(mut self, timeout: Duration) -> OpenOptions {
        self.config.busy_timeout = timeout;
        self
    }

    /// How many bytes of memory may hold current records between questions in
    /// SQL; a tenth of the machine's unless said, 0: none. From the second
    /// question about a table on, they are kept there and brought up to date.
    pub fn hot_rows_bytes(mut self, bytes: u64) -> OpenOptions {
        self.config.hot_rows_bytes = Some(bytes);
        self
    }

    /// For tests: how many rows of a tail may become a file of the mirror.
    #[doc(hidden)]
    pub fn seal_rows(mut self, rows: u64) -> OpenOptions {
        self.config.seal_rows = rows;
        self
    }

    /// Where the store takes the time from; the system's clock unless said.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> OpenOptions {
        self.config.clock = clock;
        self
    }

    /// Opens the store at `path`. A store that this process has open already is
    /// shared, with the options it was opened with first; asked for
    /// [`Durability::Full`], it has that from then on. A read-only state refuses
    /// to write, whoever shares the store.
    ///
    /// # Errors
    /// [`Error::NoStore`], [`Error::NotAStore`], [`Error::NewerFormat`],
    /// [`Error::NotAdopted`], [`Error::ReadOnly`], [`Error::Io`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<State> {
        let read_only = self.config.read_only;
        let store = registry::open(path.as_ref(), self.config)?;
        Ok(State { store, read_only })
    }
}

/// A store: every version of every record, in one SQLite file.
///
/// Cheap to clone; `Send` and `Sync`. See the [crate's page](crate) for a first
/// example and [`Table`] for what is done with records.
#[derive(Clone)]
pub struct State {
    store: Arc<Store>,
    /// Asked for by whoever opened this handle; others of the store may write.
    read_only: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State({})", self.store.path.display())
    }
}

impl State {
    /// Opens the store at `path`, or creates it. A file that the original
    /// Python packages wrote is adopted, with every version it has.
    ///
    /// # Errors
    /// As [`OpenOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<State> {
        State::options().open(path)
    }

    /// Options to open a store with.
    pub fn options() -> OpenOptions {
        OpenOptions {
            config: Config {
                create: true,
                read_only: false,
                durability: Durability::Full,
                busy_timeout: Duration::from_secs(30),
                hot_rows_bytes: None,
                seal_rows: crate::mirror::SEAL_ROWS,
                clock: Arc::new(SystemClock),
            },
        }
    }

    /// The files of all stores that this process has open, as they are named: not all
    /// of them need be there. To open one by other means and close it again takes
    /// SQLite's locks away, which are the process's: whoever reads files of
    /// others' choice leaves these out, by device and inode.
    ///
    /// ```
    /// # use dkdc_state::State;
    /// # let folder = tempfile::tempdir()?;
    /// let state = State::open(folder.path().join("data.db"))?;
    /// assert!(State::open_files().contains(&state.path().to_owned()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn open_files() -> Vec<PathBuf> {
        registry::open_files()
    }

    /// The file, by its resolved path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.store.path
    }

    /// True when this handle cannot write: it was opened so, or the file or its
    /// folder is not writable.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only || self.store.read_only.is_some()
    }

    /// The table of a derived type, created or evolved to what the type
    /// declares: columns are added, renamed and made optional; types do not
    /// change; nothing is dropped. A column that is there keeps the default it
    /// was made with, whatever the type declares.
    ///
    /// # Errors
    /// [`Error::SchemaMismatch`] with each difference that cannot be bridged,
    /// [`Error::InvalidSchema`], and on a read-only store [`Error::ReadOnly`]
    /// when something would have to change.
    pub fn table<R: Record>(&self) -> Result<Table<R>> {
        let declared = R::table();
        let number = self.declare(&declared)?;
        let catalog = self.store.catalog();
        Ok(Table {
            state: self.clone(),
            name: declared.name.into(),
            shape: Shape::typed(&catalog.by_number(number)?.schema)?,
            request: None,
        })
    }

    /// The table of a derived type as the store has it, for those who only read:
    /// nothing is declared. `None` when the store has no such table.
    ///
    /// ```
    /// # use dkdc_state::{Record, State};
    /// # let folder = tempfile::tempdir()?;
    /// # #[derive(Record, Clone)]
    /// # #[record(table = "notes")]
    /// # struct Note { #[record(id)] id: String }
    /// let state = State::open(folder.path().join("data.db"))?;
    /// assert!(state.find_table::<Note>()?.is_none());
    /// state.table::<Note>()?;
    /// assert!(state.find_table::<Note>()?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownColumn`] when the table lacks a column of the type.
    pub fn find_table<R: Record>(&self) -> Result<Option<Table<R>>> {
        let name = R::table().name;
        let shape = self.store.read(|_, catalog| {
            let meta = catalog.find(&name).filter(|meta| meta.name() == name);
            meta.map(|meta| Shape::typed(&meta.schema)).transpose()
        })?;
        Ok(shape.map(|shape| Table {
            state: self.clone(),
            name: name.into(),
            shape,
            request: None,
        }))
    }

    /// The table that is declared here and now, created or evolved as by
    /// [`table`](State::table).
    ///
    /// # Errors
    /// As [`table`](State::table).
    pub fn define(&self, declared: &TableDef) -> Result<Table<Row>> {
        let number = self.declare(declared)?;
        Ok(Table {
            state: self.clone(),
            name: declared.name.as_str().into(),
            shape: Shape::untyped(number),
            request: None,
        })
    }

    /// A table that is there, by its name.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], with the names there are.
    pub fn rows(&self, name: &str) -> Result<Table<Row>> {
        let number = self
            .store
            .read(|_, catalog| Ok(catalog.table(name)?.schema.number))?;
        Ok(Table {
            state: self.clone(),
            name: name.into(),
            shape: Shape::untyped(number),
            request: None,
        })
    }

    /// The tables, oldest first.
    ///
    /// # Errors
    /// As for any read.
    pub fn tables(&self) -> Result<Vec<Arc<TableSchema>>> {
        self.store.read(|_, catalog| {
            let schemas = catalog.tables.iter().map(|meta| Arc::clone(&meta.schema));
            Ok(schemas.collect())
        })
    }

    /// Renames a column. Programs that know it by its old name go on working.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], [`Error::UnknownColumn`],
    /// [`Error::InvalidSchema`] when the new name cannot be.
    pub fn rename_column(&self, table: &str, from: &str, to: &str) -> Result<()> {
        self.writable()?.rename_column(table, from, to)
    }

    /// Runs `write` as one transaction over any tables: all of it is committed,
    /// or, when it returns an error or panics, none.
    ///
    /// It runs on this thread, alone: keep it short. Inside it, use the
    /// transaction's handle; the state itself answers
    /// [`Error::InsideTransaction`].
    ///
    /// ```
    /// # use dkdc_state::{ColumnDef, ColumnType, Error, Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let table = TableDef::new("accounts").column(ColumnDef::new("cents", ColumnType::Int));
    /// state.define(&table)?;
    /// state.transaction(|tx| {
    ///     let accounts = tx.rows("accounts")?;
    ///     accounts.append(&Row::new("ada").with("cents", 500))?;
    ///     accounts.append(&Row::new("bob").with("cents", 0))?;
    ///     Ok::<(), Error>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What `write` returns, or what the commit met.
    pub fn transaction<T, E: From<Error>>(
        &self,
        write: impl FnOnce(&Transaction<'_, '_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let store = self.writable()?;
        store.group().alone(store, |tx| {
            let _inside = store.enter();
            write(&Transaction::new(tx))
        })
    }

    /// The newest version or event of the store.
    ///
    /// # Errors
    /// As for any read.
    pub fn last(&self) -> Result<Idx> {
        self.store.read(|conn, catalog| writer::last(conn, catalog))
    }

    /// The state as it is now, for reads that must agree with each other.
    ///
    /// # Errors
    /// As for any read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let idx = self.last()?;
        Ok(Snapshot::new(Arc::clone(&self.store), idx))
    }

    /// The state as it was at a moment: a version's `idx`, or a time.
    ///
    /// ```
    /// # use dkdc_state::{Moment, State};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let then = state.at(Moment::from(state.last()?))?;
    /// assert!(state.at("5 minutes ago".parse()?).is_err()); // it is younger
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutsideHistory`] for a moment before the store, or after both
    /// now and the newest version.
    pub fn at(&self, when: Moment) -> Result<Snapshot> {
        let now = self.store.config.clock.now();
        let idx = self
            .store
            .read(|conn, catalog| moment::resolve(conn, catalog, when, now))?;
        Ok(Snapshot::new(Arc::clone(&self.store), idx).asked(when))
    }

    /// Every version and event of every table after a cursor, in order, up to
    /// the newest at the time of the call. [`Idx::ZERO`]: from the beginning.
    ///
    /// # Errors
    /// [`Error::OutsideHistory`] for a cursor that is newer than everything there
    /// is: it is another store's, or this one lost its end.
    pub fn changes(&self, after: Idx) -> Result<Changes> {
        Changes::new(Arc::clone(&self.store), after)
    }

    /// As [`changes`](State::changes), but waits for those yet to come, from
    /// whichever process.
    ///
    /// # Errors
    /// As for [`changes`](State::changes).
    pub fn follow(&self, after: Idx) -> Result<Follow> {
        Follow::new(Arc::clone(&self.store), after)
    }

    /// What was done to tables and to the store, oldest first.
    ///
    /// # Errors
    /// As for any read.
    pub fn events(&self) -> Result<Vec<Event>> {
        self.store
            .read(|conn, catalog| event::read(conn, catalog, Idx(i64::MIN), Idx(i64::MAX)))
    }

    /// Empties tables, all of them when none is named: every version is gone
    /// for good. An event keeps how many there were.
    ///
    /// # Errors
    /// [`Error::UnknownTable`]; then nothing is cleared.
    pub fn clear(&self, tables: &[&str]) -> Result<Vec<Cleared>> {
        self.writable()?.clear(tables)
    }

    /// The store in numbers.
    ///
    /// # Errors
    /// As for any read.
    pub fn status(&self) -> Result<Status> {
        self.store.status()
    }

    /// For tests: brings the mirror up to date now.
    #[doc(hidden)]
    pub fn keep_mirror(&self) -> Result<()> {
        self.store.keeper.keep_now()
    }

    /// Answers a question in SQL from the state as it is now: see
    /// [`Snapshot::sql`].
    ///
    /// # Errors
    /// [`Error::Query`] with DuckDB's words.
    #[cfg(feature = "query")]
    pub fn sql(&self, query: &str) -> Result<crate::query::Batches> {
        self.store.ask_now(query)
    }

    fn declare(&self, declared: &TableDef) -> Result<u32> {
        match self.store.declared(declared)? {
            Some(number) => Ok(number),
            None => self.writable()?.write(|tx| tx.declare(declared)),
        }
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The store, for a write.
    pub(crate) fn writable(&self) -> Result<&Arc<Store>> {
        if self.read_only {
            return Err(Error::ReadOnly {
                path: self.store.path.clone(),
                why: "it was opened read-only".to_owned(),
            });
        }
        Ok(&self.store)
    }
}
