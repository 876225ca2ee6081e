//! One transaction over several tables, as its closure sees it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Read;
use std::sync::Arc;

use super::Row;
use super::select::Select;
use super::shape::{self, Shape};
use super::versions::{self, Difference};
use crate::blob::Packed;
use crate::error::Result;
use crate::log::append::{Action, Batch, Existing, Make, Write, Writes};
use crate::log::list::Scope;
use crate::log::writer::Tx;
use crate::log::{chunks, damaged, read};
use crate::record::{BlobRef, Given, Idx, Record, Version, Versioned};
use crate::schema::{TableDef, TableSchema};

/// The handle inside [`State::transaction`](crate::State::transaction).
pub struct Transaction<'t, 'w> {
    tx: RefCell<&'t mut Tx<'w>>,
}

impl std::fmt::Debug for Transaction<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transaction")
    }
}

impl<'t, 'w> Transaction<'t, 'w> {
    pub(crate) fn new(tx: &'t mut Tx<'w>) -> Transaction<'t, 'w> {
        Transaction {
            tx: RefCell::new(tx),
        }
    }

    /// The table of a derived type, created or evolved to what it declares.
    ///
    /// # Errors
    /// As [`State::table`](crate::State::table).
    pub fn table<R: Record>(&self) -> Result<TxTable<'_, 't, 'w, R>> {
        let mut tx = self.tx.borrow_mut();
        let number = tx.step(|tx| tx.savepoint(|tx| tx.declare(&R::table())))?;
        let shape = Shape::typed(&tx.catalog.by_number(number)?.schema)?;
        Ok(TxTable { owner: self, shape })
    }

    /// The table that is declared here and now, created or evolved.
    ///
    /// # Errors
    /// As [`State::define`](crate::State::define).
    pub fn define(&self, declared: &TableDef) -> Result<TxTable<'_, 't, 'w, Row>> {
        let mut tx = self.tx.borrow_mut();
        let number = tx.step(|tx| tx.savepoint(|tx| tx.declare(declared)))?;
        let shape = Shape::untyped(number);
        Ok(TxTable { owner: self, shape })
    }

    /// A table that is there, by its name.
    ///
    /// # Errors
    /// [`Error::UnknownTable`](crate::Error::UnknownTable).
    pub fn rows(&self, name: &str) -> Result<TxTable<'_, 't, 'w, Row>> {
        let number = self.tx.borrow().catalog.table(name)?.schema.number;
        let shape = Shape::untyped(number);
        Ok(TxTable { owner: self, shape })
    }

    /// True the first time that a transaction with this request key is made, and
    /// false when it was committed before: then there is nothing left to do, and
    /// trying it again after an answer was lost is safe.
    ///
    /// ```
    /// # use dkdc_state::{Error, Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// state.define(&TableDef::new("orders"))?;
    /// for attempt in 0..2 {
    ///     state.transaction(|tx| {
    ///         if tx.once("order-17")? {
    ///             tx.rows("orders")?.append(&Row::new("17"))?;
    ///         }
    ///         Ok::<(), Error>(())
    ///     })?;
    /// }
    /// assert_eq!(state.rows("orders")?.history("17")?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::RequestDiffers`](crate::Error::RequestDiffers) when the key was
    /// that of a single write.
    pub fn once(&self, key: &str) -> Result<bool> {
        let mut tx = self.tx.borrow_mut();
        tx.step(|tx| Ok(tx.once(key)?.is_new()))
    }

    /// Adds to what the transaction with this request key is about. All of it
    /// together is compared, or remembered, when the transaction ends: one that was
    /// made before and was about something else is refused, whatever
    /// [`once`](Transaction::once) said.
    ///
    /// # Errors
    /// [`Error::RequestDiffers`](crate::Error::RequestDiffers) when the key was
    /// that of a single write; from the transaction, when it was about something
    /// else.
    pub fn about(&self, key: &str, what: &[u8]) -> Result<()> {
        let mut tx = self.tx.borrow_mut();
        tx.step(|tx| {
            tx.once(key)?.about(what);
            Ok(())
        })
    }

    /// Puts content into the store, as part of the transaction; all of it is in
    /// memory meanwhile. [`Packed`] does the work before the transaction.
    ///
    /// # Errors
    /// As [`Packed::read`].
    pub fn put_blob(&self, reader: impl Read) -> Result<BlobRef> {
        self.put_packed(&Packed::read(reader)?)
    }

    /// Puts content that was packed before, as part of the transaction.
    ///
    /// # Errors
    /// As for any write.
    pub fn put_packed(&self, packed: &Packed) -> Result<BlobRef> {
        let mut tx = self.tx.borrow_mut();
        tx.step(|tx| chunks::put_packed(tx.conn, packed, tx.now))?;
        Ok(packed.blob())
    }
}

/// A table inside a transaction: reads see what the transaction wrote.
pub struct TxTable<'o, 't, 'w, R> {
    owner: &'o Transaction<'t, 'w>,
    shape: Shape<R>,
}

impl<R> std::fmt::Debug for TxTable<'_, '_, '_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TxTable({})", self.shape.table)
    }
}

/// A record's id, and its values.
type GivenRecord<'r> = (Cow<'r, str>, Vec<Given<'r>>);

impl TxTable<'_, '_, '_, Row> {
    /// As [`append_all`](TxTable::append_all) and its kin, of so many records that are
    /// no [`Row`]s: of each its id and a value for each of the columns.
    ///
    /// # Errors
    /// As there.
    #[doc(hidden)]
    pub fn put_given<'r>(
        &self,
        existing: Existing,
        columns: &[&str],
        (count, give): (
            usize,
            &(dyn Fn(usize) -> Result<GivenRecord<'r>> + Sync + 'r),
        ),
    ) -> Result<Vec<Version>> {
        let places = self.read(|_, meta| {
            let mut places = Vec::with_capacity(columns.len());
            for column in columns {
                let (at, _) = meta.schema.column(column)?;
                if places.contains(&at) {
                    return Err(shape::named_twice(&meta.schema, column));
                }
                places.push(at);
            }
            Ok(places)
        })?;
        let put = |schema: &TableSchema, at: usize| {
            let (id, values) = give(at)?;
            let cells = shape::placed(schema, &id, values, &places)?;
            Ok(Write {
                id,
                action: Action::Put(existing, cells),
                expected: None,
            })
        };
        self.make_all(count, &put)
    }
}

impl<R> TxTable<'_, '_, '_, R> {
    /// As [`Table::append`](crate::Table::append).
    ///
    /// # Errors
    /// As there; unique values are judged when the transaction ends.
    pub fn append(&self, record: &R) -> Result<Version> {
        self.put(record, Existing::Refused, None)
    }

    /// As [`Table::update`](crate::Table::update).
    ///
    /// # Errors
    /// As there.
    pub fn update(&self, record: &R) -> Result<Version> {
        self.put(record, Existing::Required, None)
    }

    /// As [`Table::upsert`](crate::Table::upsert).
    ///
    /// # Errors
    /// As there.
    pub fn upsert(&self, record: &R) -> Result<Version> {
        self.put(record, Existing::Either, None)
    }

    /// As [`Table::update_if`](crate::Table::update_if).
    ///
    /// # Errors
    /// As there.
    pub fn update_if(&self, record: &R, expected: Idx) -> Result<Version> {
        self.put(record, Existing::Required, Some(expected))
    }

    /// As [`Table::append_all`](crate::Table::append_all): when one record is
    /// refused, none is written, and the transaction may go on.
    ///
    /// # Errors
    /// As there; unique values are judged when the transaction ends.
    pub fn append_all<'a>(&self, records: impl IntoIterator<Item = &'a R>) -> Result<Vec<Version>>
    where
        R: Sync + 'a,
    {
        self.put_all(records, Existing::Refused)
    }

    /// As [`Table::update_all`](crate::Table::update_all).
    ///
    /// # Errors
    /// As [`append_all`](TxTable::append_all).
    pub fn update_all<'a>(&self, records: impl IntoIterator<Item = &'a R>) -> Result<Vec<Version>>
    where
        R: Sync + 'a,
    {
        self.put_all(records, Existing::Required)
    }

    /// As [`Table::upsert_all`](crate::Table::upsert_all).
    ///
    /// # Errors
    /// As [`append_all`](TxTable::append_all).
    pub fn upsert_all<'a>(&self, records: impl IntoIterator<Item = &'a R>) -> Result<Vec<Version>>
    where
        R: Sync + 'a,
    {
        self.put_all(records, Existing::Either)
    }

    /// As [`Table::delete`](crate::Table::delete).
    ///
    /// # Errors
    /// As there.
    pub fn delete(&self, id: &str) -> Result<Version> {
        self.write(id, Action::Delete, None)
    }

    /// As [`Table::delete_if`](crate::Table::delete_if).
    ///
    /// # Errors
    /// As there.
    pub fn delete_if(&self, id: &str, expected: Idx) -> Result<Version> {
        self.write(id, Action::Delete, Some(expected))
    }

    /// As [`Table::restore`](crate::Table::restore).
    ///
    /// # Errors
    /// As there.
    pub fn restore(&self, id: &str, version: Idx) -> Result<Version> {
        self.write(id, Action::Restore(version), None)
    }

    /// As [`Table::get`](crate::Table::get).
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, id: &str) -> Result<Option<Versioned<R>>> {
        let row = self.read(|tx, meta| read::current(tx.conn, meta, id))?;
        row.map(|row| self.shape.live(row)).transpose()
    }

    /// As [`Table::contains`](crate::Table::contains).
    ///
    /// # Errors
    /// As there.
    pub fn contains(&self, id: &str) -> Result<bool> {
        self.read(|tx, meta| read::contains(tx.conn, meta, id))
    }

    /// As [`Table::version`](crate::Table::version).
    ///
    /// # Errors
    /// As there.
    pub fn version(&self, id: &str, idx: Idx) -> Result<Option<Versioned<Option<R>>>> {
        let row = self.read(|tx, meta| versions::find(tx.conn, meta, id, idx))?;
        row.map(|row| self.shape.any(row)).transpose()
    }

    /// As [`Table::list`](crate::Table::list).
    ///
    /// # Errors
    /// As there.
    pub fn list(&self, select: &Select) -> Result<Vec<Versioned<R>>> {
        let listed = (select, Scope::Current);
        self.read(|tx, meta| self.shape.list(tx.conn, meta, listed))
    }

    /// As [`Table::list_deleted`](crate::Table::list_deleted).
    ///
    /// # Errors
    /// As there.
    pub fn list_deleted(&self, select: &Select) -> Result<Vec<Versioned<R>>> {
        let listed = (select, Scope::Deleted);
        self.read(|tx, meta| self.shape.list(tx.conn, meta, listed))
    }

    /// As [`Table::ids`](crate::Table::ids).
    ///
    /// # Errors
    /// As there.
    pub fn ids(&self, prefix: &str, limit: usize) -> Result<Vec<String>> {
        self.read(|tx, meta| read::ids(tx.conn, meta, prefix, limit))
    }

    /// As [`Table::count`](crate::Table::count).
    ///
    /// # Errors
    /// As there.
    pub fn count(&self) -> Result<u64> {
        self.read(|tx, meta| read::count(tx.conn, meta))
    }

    /// As [`Table::history`](crate::Table::history).
    ///
    /// # Errors
    /// As there.
    pub fn history(&self, id: &str) -> Result<Vec<Versioned<Option<R>>>> {
        let rows = self.read(|tx, meta| read::history(tx.conn, meta, id, Idx(i64::MAX)))?;
        rows.into_iter().map(|row| self.shape.any(row)).collect()
    }

    /// As [`Table::diff`](crate::Table::diff).
    ///
    /// # Errors
    /// As there.
    pub fn diff(&self, id: &str, from: Idx, to: Idx) -> Result<Vec<Difference>> {
        self.read(|tx, meta| versions::diff(tx.conn, meta, id, from, to))
    }

    /// As [`Table::schema`](crate::Table::schema).
    ///
    /// # Errors
    /// As there.
    pub fn schema(&self) -> Result<Arc<TableSchema>> {
        self.read(|_, meta| Ok(Arc::clone(&meta.schema)))
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Tx<'_>, &crate::log::catalog::TableMeta) -> Result<T>,
    ) -> Result<T> {
        let tx = self.owner.tx.borrow();
        let meta = tx.catalog.by_number(self.shape.table)?;
        read(&tx, meta).map_err(|error| tx.locate(error))
    }

    fn put(&self, record: &R, existing: Existing, expected: Option<Idx>) -> Result<Version> {
        let write =
            self.read(|_, meta| self.shape.put(&meta.schema, record, existing, expected))?;
        self.apply(write)
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
        let shape = &self.shape;
        let put = |schema: &_, at: usize| shape.put(schema, records[at], existing, None);
        self.make_all(records.len(), &put)
    }

    fn make_all<'r>(&self, count: usize, make: &'r Make<'r>) -> Result<Vec<Version>> {
        let batch = Batch {
            table: self.shape.table,
            writes: Writes::ToMake(count, make),
            request: None,
        };
        let mut tx = self.owner.tx.borrow_mut();
        tx.step(|tx| tx.savepoint(|tx| tx.apply(batch)))
    }

    fn write(&self, id: &str, action: Action<'_>, expected: Option<Idx>) -> Result<Version> {
        self.apply(Write {
            id: id.into(),
            action,
            expected,
        })
    }

    fn apply(&self, write: Write<'_>) -> Result<Version> {
        let batch = Batch {
            table: self.shape.table,
            writes: Writes::Made(vec![write]),
            request: None,
        };
        // One write is judged before its first row: when it is refused, nothing
        // has been written, and the transaction may go on.
        let mut tx = self.owner.tx.borrow_mut();
        let versions = tx.step(|tx| tx.apply(batch))?;
        let version = versions.into_iter().next();
        version.ok_or_else(|| damaged("BUG: a write without a version"))
    }
}
