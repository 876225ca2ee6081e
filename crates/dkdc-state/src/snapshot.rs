//! The state at one version: reads that agree with each other.
//!
//! A [`Snapshot`] is a number. The log keeps every version, so that a read "as
//! of" needs nothing else: no lock is held, and a snapshot may live as long as
//! it likes. What it loses to `clear` it reports as outside history.

mod scan;

use std::sync::Arc;

pub use scan::Scan;

use crate::error::{Error, Result};
use crate::log::catalog::TableMeta;
use crate::log::list::{self, Listed, Scope};
use crate::log::{Reader, Store, moment, read};
use crate::record::{Idx, Record, Versioned};
use crate::state::shape::Shape;
use crate::state::{Row, Select};
use crate::time::Moment;

/// The state at one version, from [`State::at`](crate::State::at) or
/// [`State::snapshot`](crate::State::snapshot).
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) store: Arc<Store>,
    pub(crate) idx: Idx,
    /// The moment that was asked for, if it was one.
    asked: Option<Moment>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot({} at {})", self.store.path.display(), self.idx)
    }
}

impl Snapshot {
    pub(crate) fn new(store: Arc<Store>, idx: Idx) -> Snapshot {
        Snapshot {
            store,
            idx,
            asked: None,
        }
    }

    /// The same, for errors to name the moment as it was asked for.
    pub(crate) fn asked(self, when: Moment) -> Snapshot {
        Snapshot {
            asked: Some(when),
            ..self
        }
    }

    fn check_floor(&self, meta: &TableMeta) -> Result<()> {
        moment::check_floor(meta, self.idx).map_err(|error| match (error, self.asked) {
            (Error::OutsideHistory { why, .. }, Some(when)) => Error::OutsideHistory {
                asked: when.to_string(),
                why,
            },
            (error, _) => error,
        })
    }

    /// The newest version or event that it includes.
    #[must_use]
    pub fn idx(&self) -> Idx {
        self.idx
    }

    /// The table of a derived type. Nothing is created or changed.
    ///
    /// # Errors
    /// [`Error::UnknownTable`](crate::Error::UnknownTable) and
    /// [`Error::UnknownColumn`](crate::Error::UnknownColumn) when the store does
    /// not have what the type declares.
    pub fn table<R: Record>(&self) -> Result<SnapshotTable<R>> {
        let name = R::table().name;
        let shape = self
            .store
            .read(|_, catalog| Shape::typed(&catalog.table(&name)?.schema))?;
        Ok(SnapshotTable {
            snapshot: self.clone(),
            shape,
        })
    }

    /// A table by its name.
    ///
    /// # Errors
    /// [`Error::UnknownTable`](crate::Error::UnknownTable).
    pub fn rows(&self, name: &str) -> Result<SnapshotTable<Row>> {
        let number = self
            .store
            .read(|_, catalog| Ok(catalog.table(name)?.schema.number))?;
        Ok(SnapshotTable {
            snapshot: self.clone(),
            shape: Shape::untyped(number),
        })
    }
}

/// A table at one version of the state.
pub struct SnapshotTable<R> {
    snapshot: Snapshot,
    shape: Shape<R>,
}

impl<R> Clone for SnapshotTable<R> {
    fn clone(&self) -> SnapshotTable<R> {
        SnapshotTable {
            snapshot: self.snapshot.clone(),
            shape: self.shape.clone(),
        }
    }
}

impl<R> std::fmt::Debug for SnapshotTable<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SnapshotTable({:?})", self.snapshot)
    }
}

impl<R> SnapshotTable<R> {
    /// The record with this id, as it was.
    ///
    /// # Errors
    /// [`Error::OutsideHistory`](crate::Error::OutsideHistory) when the table
    /// was cleared since.
    pub fn get(&self, id: &str) -> Result<Option<Versioned<R>>> {
        let row = self.read(|conn, meta| read::as_of(conn, meta, id, self.snapshot.idx))?;
        let live = row.filter(|row| row.version.op.is_live());
        live.map(|row| self.shape.live(row)).transpose()
    }

    /// True when a record with this id was current.
    ///
    /// # Errors
    /// As [`get`](SnapshotTable::get).
    pub fn contains(&self, id: &str) -> Result<bool> {
        let row = self.read(|conn, meta| read::as_of(conn, meta, id, self.snapshot.idx))?;
        Ok(row.is_some_and(|row| row.version.op.is_live()))
    }

    /// The records that were current and that `select` names. Takes time in
    /// proportion to the table's history up to then.
    ///
    /// # Errors
    /// As [`get`](SnapshotTable::get) and
    /// [`Table::list`](crate::Table::list).
    pub fn list(&self, select: &Select) -> Result<Vec<Versioned<R>>> {
        let scope = Scope::AsOf(self.snapshot.idx);
        self.read(|conn, meta| self.shape.list(conn, meta, (select, scope)))
    }

    /// How many records were current.
    ///
    /// # Errors
    /// As [`get`](SnapshotTable::get).
    pub fn count(&self) -> Result<u64> {
        self.read(|conn, meta| list::count_as_of(conn, meta, self.snapshot.idx))
    }

    /// At most `limit` ids of records that were current and begin with
    /// `prefix`, in order.
    ///
    /// # Errors
    /// As [`get`](SnapshotTable::get).
    pub fn ids(&self, prefix: &str, limit: usize) -> Result<Vec<String>> {
        // In order, those that begin with it come first.
        let select = Select::new().ge("id", prefix).limit(limit);
        let scope = Scope::AsOf(self.snapshot.idx);
        let ids = self.read(|conn, meta| {
            let listed = (&select, scope);
            list::list_made(conn, meta, listed, Some(&[]), |row| Ok(row.id))
        })?;
        let ids = ids.into_iter();
        Ok(ids.take_while(|id| id.starts_with(prefix)).collect())
    }

    /// Every version that the record had by then, oldest first.
    ///
    /// # Errors
    /// As [`get`](SnapshotTable::get).
    pub fn history(&self, id: &str) -> Result<Vec<Versioned<Option<R>>>> {
        let rows = self.read(|conn, meta| read::history(conn, meta, id, self.snapshot.idx))?;
        rows.into_iter().map(|row| self.shape.any(row)).collect()
    }

    fn read<T>(&self, read: impl FnOnce(&Reader, &TableMeta) -> Result<T>) -> Result<T> {
        self.snapshot.store.read(|conn, catalog| {
            let meta = catalog.by_number(self.shape.table)?;
            self.snapshot.check_floor(meta)?;
            read(conn, meta)
        })
    }
}

impl SnapshotTable<Row> {
    /// As [`Table::list_parts`](crate::Table::list_parts).
    ///
    /// # Errors
    /// As [`list`](SnapshotTable::list).
    pub fn list_parts(&self, select: &Select, take: impl FnMut(Listed)) -> Result<Vec<usize>> {
        let listed = (select, Scope::AsOf(self.snapshot.idx));
        self.read(|conn, meta| list::list_parts(conn, meta, listed, take))
    }
}
