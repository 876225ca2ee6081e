//! The log: the only truth, and the only user of SQLite.
//!
//! A [`Store`] is one database file as this process has it open: one writer
//! connection, behind the group commit, and a pool of readers. There is one per
//! process and file, whoever opens it ([`registry`]). What must hold:
//!
//! - A log row is inserted once and never updated; only `clear`, `erase` and
//!   `prune` remove content, each leaving an event.
//! - `idx` strictly increases over the whole store; it is drawn inside the
//!   write transaction.
//! - A row, its index entries and its hash commit together; heads are made of rows
//!   ([`recent`]).
//! - Nothing is acknowledged unless the file and its `-wal` are still the ones
//!   that were opened ([`identity`]).

pub(crate) mod access;
pub(crate) mod adopt;
pub(crate) mod alter;
pub(crate) mod append;
pub(crate) mod backup;
pub(crate) mod catalog;
pub(crate) mod changes;
pub(crate) mod check;
mod checkpoint;
pub(crate) mod chunks;
pub(crate) mod clear;
pub(crate) mod erase;
pub(crate) mod event;
pub(crate) mod expect;
pub(crate) mod format;
pub(crate) mod group;
pub(crate) mod hash;
pub(crate) mod identity;
pub(crate) mod idle;
pub(crate) mod index;
mod known;
pub(crate) mod list;
pub(crate) mod manifest;
pub(crate) mod migrate;
pub(crate) mod moment;
mod network;
pub(crate) mod open;
pub(crate) mod prune;
pub(crate) mod read;
pub(crate) mod recent;
pub(crate) mod registry;
pub(crate) mod repair;
pub(crate) mod request;
pub(crate) mod salvage;
pub(crate) mod scan;
pub(crate) mod space;
pub(crate) mod spill;
pub(crate) mod status;
#[cfg(test)]
mod tests;
pub(crate) mod vacuum;
mod vfs;
pub(crate) mod writer;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::mirror::keeper::Background;
use crate::schema::TableSchema;
use crate::state::Durability;
use access::Pooled;
use catalog::{Catalog, TableMeta};
use group::Group;
use identity::Identity;
use read::LogRow;
use writer::Tx;

/// A connection of SQLite's, for those who may only pass it on.
pub(crate) type Reader = Connection;

/// How a store is opened.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) create: bool,
    pub(crate) read_only: bool,
    pub(crate) durability: Durability,
    pub(crate) busy_timeout: Duration,
    /// Memory for current rows between questions; `None`: a share of what the
    /// engine may have.
    pub(crate) hot_rows_bytes: Option<u64>,
    /// A tail of so many rows may become a file of the mirror.
    pub(crate) seal_rows: u64,
    pub(crate) clock: Arc<dyn Clock>,
}

/// One database file, open in this process.
pub(crate) struct Store {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    /// Why nothing can be written, for a store opened read-only.
    pub(crate) read_only: Option<String>,
    /// True when the file was opened without a lock: see [`access`].
    pub(crate) immutable: bool,
    identity: Identity,
    /// Before the writer, so that they close first: the last connection to
    /// close takes the `-wal` away, and only one that may write can.
    readers: Mutex<Vec<Pooled>>,
    group: Group,
    catalog: RwLock<Arc<Catalog>>,
    poison: OnceLock<String>,
    idle: OnceLock<idle::Checkpointer>,
    pub(crate) keeper: Arc<Background>,
    /// DuckDB over this store, opened at the first question.
    #[cfg(feature = "query")]
    pub(crate) engine: Mutex<Option<Arc<crate::query::Engine>>>,
    /// The newest rows, for questions.
    #[cfg(feature = "query")]
    pub(crate) tails: crate::query::Tails,
}

/// Readers kept open between calls.
const IDLE_READERS: usize = 16;

thread_local! {
    /// The stores inside whose `transaction` closure this thread is.
    static INSIDE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

impl Store {
    /// The catalog as this process last saw it.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        let catalog = self.catalog.read();
        Arc::clone(&catalog.unwrap_or_else(PoisonError::into_inner))
    }

    /// Publishes a catalog, unless a newer one is there.
    pub(crate) fn publish(&self, next: &Arc<Catalog>) {
        let mut catalog = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        if catalog.event < next.event {
            *catalog = Arc::clone(next);
        }
    }

    /// Runs `read` on a reader, in one read transaction, with a catalog that is
    /// current in it.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &Arc<Catalog>) -> Result<T>,
    ) -> Result<T> {
        self.refuse_inside()?;
        self.with_reader(|conn| {
            let execute = |sql: &str| {
                let statement = conn.prepare_cached(sql);
                statement.and_then(|mut s| s.execute([])).db()
            };
            execute("BEGIN")?;
            let result = self
                .current_catalog(conn)
                .and_then(|catalog| read(conn, &catalog));
            // What was learned of the heads stays. A reader that cannot end its
            // transaction is not used again.
            let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
            let ended = execute(end);
            result.and_then(|value| ended.map(|_| value))
        })
    }

    /// Runs `write` in a write transaction of its own, on this thread.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let result = self.group.alone(self, write);
        result.map_err(|error| self.locate(error))
    }

    /// Runs a single statement of one table on a reader, with the catalog at
    /// hand: fast, and right as long as the columns it names are there. When
    /// another process renamed one, SQLite refuses the statement, and it runs
    /// again on a fresh catalog.
    pub(crate) fn read_one<T>(
        &self,
        table: u32,
        mut read: impl FnMut(&Connection, &TableMeta) -> Result<T>,
    ) -> Result<T> {
        self.refuse_inside()?;
        let known = self.catalog();
        let first = self.with_reader(|conn| read(conn, known.by_number(table)?));
        match first {
            Err(Error::Sqlite { code: 1, .. }) => {
                self.read(|conn, fresh| read(conn, fresh.by_number(table)?))
            }
            first => first,
        }
    }

    /// As [`read_one`](Store::read_one), for a row and its columns: when another
    /// process changed a table meanwhile, it is read again.
    pub(crate) fn read_row(
        &self,
        table: u32,
        mut read: impl FnMut(&Connection, &TableMeta) -> Result<Option<LogRow>>,
    ) -> Result<Option<LogRow>> {
        self.refuse_inside()?;
        let known = self.catalog();
        let first = self.with_reader(|conn| {
            let row = read(conn, known.by_number(table)?)?;
            // Asked after the row: what has not happened by now, had not then.
            let current = row.is_none() || catalog::last_event(conn)? == known.event;
            Ok(current.then_some(row))
        });
        match first {
            Ok(Some(row)) => Ok(row),
            Ok(None) | Err(Error::Sqlite { code: 1, .. }) => {
                self.read(|conn, fresh| read(conn, fresh.by_number(table)?))
            }
            Err(error) => Err(error),
        }
    }

    /// Runs statements on a reader outside of any transaction: for content, which
    /// is the same at all times.
    pub(crate) fn read_alone<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.refuse_inside()?;
        self.with_reader(read)
    }

    fn with_reader<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let reader = match self.idle_reader() {
            Some(reader) => reader,
            None => open::reader(self)?,
        };
        let result = run(&reader.conn).map_err(|error| self.locate(error));
        // When it was written meanwhile, neither what was read nor an error of it
        // means anything.
        reader.verify(&self.path)?;
        let reusable = reader.conn.is_autocommit();
        let mut readers = self.readers();
        if reusable && readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        result
    }

    fn idle_reader(&self) -> Option<Pooled> {
        let mut readers = self.readers();
        while let Some(reader) = readers.pop() {
            if reader.verify(&self.path).is_ok() {
                return Some(reader);
            }
        }
        None
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Pooled>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The catalog of the connection's transaction, read again if an event is
    /// newer than the one known.
    pub(crate) fn current_catalog(&self, conn: &Connection) -> Result<Arc<Catalog>> {
        let known = self.catalog();
        if catalog::last_event(conn)? == known.event {
            return Ok(known);
        }
        let fresh = Arc::new(Catalog::read(conn)?);
        self.publish(&fresh);
        Ok(fresh)
    }

    /// Does something with a table's columns as this process knows them; a name
    /// that it does not know may be that of a column which another process has
    /// added since.
    pub(crate) fn with_columns<T>(
        &self,
        table: u32,
        run: impl Fn(&TableSchema) -> Result<T>,
    ) -> Result<T> {
        let known = self.catalog();
        match run(&known.by_number(table)?.schema) {
            Err(unknown @ Error::UnknownColumn { .. }) => {
                match self.read(|_, fresh| run(&fresh.by_number(table)?.schema)) {
                    Err(Error::InsideTransaction) => Err(unknown),
                    done => done,
                }
            }
            done => done,
        }
    }

    /// Refuses the use of a state inside its own transaction.
    pub(crate) fn refuse_inside(&self) -> Result<()> {
        let inside = INSIDE.with_borrow(|stores| stores.contains(&self.address()));
        if inside {
            Err(Error::InsideTransaction)
        } else {
            Ok(())
        }
    }

    /// Marks this thread as inside a transaction of this store.
    pub(crate) fn enter(&self) -> Inside {
        INSIDE.with_borrow_mut(|stores| stores.push(self.address()));
        Inside
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Refuses writes to a store that takes none.
    pub(crate) fn refuse_unwritable(&self) -> Result<()> {
        if let Some(why) = &self.read_only {
            return Err(Error::ReadOnly {
                path: self.path.clone(),
                why: why.clone(),
            });
        }
        if let Some(why) = self.poison.get() {
            return Err(Error::Poisoned {
                path: self.path.clone(),
                why: why.clone(),
            });
        }
        Ok(())
    }

    /// After a write whose durability is unknown: this handle writes no more.
    pub(crate) fn poison(&self, error: &Error) {
        tracing::error!(path = %self.path.display(), %error, "a commit failed");
        // Only the first failure counts.
        let _ = self.poison.set(error.to_string());
    }

    /// True when this handle writes no more, and another one of this process may:
    /// not where the `-wal` is another file, which only its end makes good.
    pub(crate) fn is_spent(&self) -> bool {
        self.poison.get().is_some() && self.identity.verify().is_ok()
    }

    /// Refuses to go on when the path or the `-wal` is another file by now.
    pub(crate) fn verify_identity(&self) -> Result<()> {
        self.identity.verify()
    }

    /// Puts the store's path into an error of SQLite's, and sorts it.
    pub(crate) fn locate(&self, error: Error) -> Error {
        locate(&self.path, self.config.busy_timeout, error)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(idle) = self.idle.take() {
            idle.stop();
        }
        self.keeper.stop();
        if self.read_only.is_some() {
            return;
        }
        // Other processes may keep the file open, so that closing it does not
        // checkpoint: do it now, as far as their readers let us. When another
        // file took the place of ours, a `-wal` with content would be taken for
        // the other's.
        if self.poison.get().is_none() && self.identity.verify().is_ok() {
            self.group.fold(|| self.identity.verify());
        }
        if self.poison.get().is_none() || self.identity.verify().is_err() {
            self.group.checkpoint();
        }
    }
}

/// Ends with the transaction's closure, also when that panics.
pub(crate) struct Inside;

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(|stores| stores.pop());
    }
}

/// Results of SQLite inside the log.
pub(crate) trait DbResult<T> {
    /// As a result of ours; the path is put in by [`Store::locate`].
    fn db(self) -> Result<T>;
}

impl<T> DbResult<T> for rusqlite::Result<T> {
    fn db(self) -> Result<T> {
        self.map_err(from_sqlite)
    }
}

fn from_sqlite(error: rusqlite::Error) -> Error {
    use rusqlite::Error as E;
    if let E::FromSqlConversionFailure(..)
    | E::InvalidColumnType(..)
    | E::IntegralValueOutOfRange(..) = error
    {
        return damaged(format!("a value that no write makes: {error}"));
    }
    let code = match &error {
        // A statement that does not compile, as when a column has a new name.
        rusqlite::Error::SqlInputError { error, .. } => error.extended_code,
        error => error.sqlite_error().map_or(0, |e| e.extended_code),
    };
    Error::Sqlite {
        path: PathBuf::new(),
        code,
        message: error.to_string(),
    }
}

/// An error for content that no write of ours can have made.
pub(crate) fn damaged(what: impl Into<String>) -> Error {
    Error::Damaged {
        path: PathBuf::new(),
        what: what.into(),
    }
}

/// Puts a path into an error that has none yet, and sorts SQLite's by what a
/// caller can do.
pub(crate) fn locate(path: &Path, waited: Duration, error: Error) -> Error {
    let path = path.to_owned();
    match error {
        Error::Sqlite { code, message, .. } => match primary(code) {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Error::Busy { path, waited }
            }
            Some(ErrorCode::DatabaseCorrupt) => Error::Damaged {
                path,
                what: message,
            },
            Some(ErrorCode::ReadOnly) => Error::ReadOnly { path, why: message },
            Some(ErrorCode::CannotOpen) => match access::unreadable(&path) {
                Some(error) => Error::io(&path, error),
                None => Error::Sqlite {
                    path,
                    code,
                    message,
                },
            },
            _ => Error::Sqlite {
                path,
                code,
                message,
            },
        },
        Error::Damaged { path: empty, what } if empty.as_os_str().is_empty() => {
            Error::Damaged { path, what }
        }
        other => other,
    }
}

fn primary(code: i32) -> Option<ErrorCode> {
    (code != 0).then(|| rusqlite::ffi::Error::new(code).code)
}
