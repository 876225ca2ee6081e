//! Tails: what tables' logs have beyond the mirror, in memory, column by column.
//!
//! A question reads a table's tail more than once, and so does the next one; rows
//! of a log do not change, so each is read from it once, with the columns that
//! were asked for so far. What is kept is bounded: a longer tail is about to be
//! sealed, and is read from the log meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::ArrowError;

use super::replaced::Replaced;
use crate::error::{Error, Result};
use crate::log::catalog::TableMeta;
use crate::log::scan::{self, Scanned};
use crate::log::{Reader, Store, damaged, event, moment};
use crate::record::Idx;
use crate::schema::TableSchema;

/// Rows that are read at a time, and together at most.
const PAGE: usize = 16_384;
/// Rows of one table that are kept, at most.
const ROWS: usize = 524_288;
/// Their bytes, at most.
const BYTES: usize = 64 << 20;

/// The tails of a store's tables.
#[derive(Default)]
pub(crate) struct Tails {
    /// What newer versions replaced.
    pub(super) replaced: Replaced,
    tables: Mutex<HashMap<u32, Arc<Mutex<Tail>>>>,
}

/// The tail of one table.
#[derive(Default)]
struct Tail {
    /// The newest event when it was begun: rows may be gone since a later one.
    event: Idx,
    /// It has every row after this version ...
    after: Idx,
    /// ... up to this one.
    upto: Idx,
    pages: Vec<Page>,
    /// It is not kept.
    large: bool,
}

/// Some rows that follow each other; columns by their permanent numbers.
struct Page {
    idx: ArrayRef,
    columns: HashMap<usize, ArrayRef>,
}

impl Tails {
    /// The rows of a table's tail after one version, up to another, if they are
    /// kept; `after` is where the tail begins, `since` the newest event that whoever
    /// asks knows.
    pub(super) fn read(
        &self,
        store: &Store,
        table: u32,
        (after, upto): (Idx, Idx),
        since: Idx,
        columns: &[Scanned],
    ) -> Result<Option<Vec<RecordBatch>>> {
        let tail = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tables.entry(table).or_default())
        };
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        let read = store.read(|conn, catalog| {
            let meta = catalog.by_number(table)?;
            moment::check_floor(meta, upto)?;
            event::check(conn, store, table, (since, catalog.event))?;
            if (tail.event, tail.after) != (catalog.event, after) {
                *tail = Tail {
                    event: catalog.event,
                    after,
                    upto: after,
                    ..Tail::default()
                };
            }
            tail.rows(conn, meta, upto, columns)
        });
        if read.is_err() {
            // Half of it may be there.
            *tail = Tail::default();
        }
        read
    }
}

impl Tail {
    fn rows(
        &mut self,
        conn: &Reader,
        meta: &TableMeta,
        upto: Idx,
        columns: &[Scanned],
    ) -> Result<Option<Vec<RecordBatch>>> {
        if upto > self.upto && !self.large {
            self.extend(conn, meta, upto, columns)?;
        }
        if self.large {
            self.pages.clear();
            return Ok(None);
        }
        let mut batches = Vec::new();
        for page in &mut self.pages {
            let rows = page.rows_upto(upto);
            if rows > 0 {
                page.complete(conn, meta, columns)?;
                batches.push(page.batch(&meta.schema, columns, rows)?);
            }
        }
        Ok(Some(batches))
    }

    /// Reads the rows that are newer than those that are there.
    fn extend(
        &mut self,
        conn: &Reader,
        meta: &TableMeta,
        upto: Idx,
        columns: &[Scanned],
    ) -> Result<()> {
        if self.pages.is_empty() {
            self.large = scan::is_longer(conn, meta, (self.after, upto), ROWS)?;
            if self.large {
                return Ok(());
            }
        }
        // What tells current rows from others is wanted with whatever is.
        let mut wanted = [columns, &[Scanned::Prev, Scanned::Op]].concat();
        wanted.retain(|column| *column != Scanned::Idx);
        if let Some(last) = self.pages.last() {
            let known = scan::all_columns(&meta.schema).into_iter();
            let known = known.filter(|column| last.columns.contains_key(&column.field_id()));
            wanted.extend(known);
        }
        wanted.sort_by_key(|column| column.field_id());
        wanted.dedup();
        wanted.insert(0, Scanned::Idx);
        while let Some((batch, last)) = scan::batch(conn, meta, &wanted, (self.upto, upto), PAGE)? {
            let page = Page::new(&wanted, &batch);
            match self.pages.last_mut() {
                Some(before) if before.idx.len() + batch.num_rows() <= PAGE => {
                    before.append(&page)?;
                }
                _ => self.pages.push(page),
            }
            self.upto = last;
        }
        self.upto = upto;
        let rows: usize = self.pages.iter().map(|page| page.idx.len()).sum();
        let bytes: usize = self.pages.iter().map(Page::bytes).sum();
        self.large = rows > ROWS || bytes > BYTES;
        Ok(())
    }
}

impl Page {
    /// A batch whose first column is `idx`.
    fn new(columns: &[Scanned], batch: &RecordBatch) -> Page {
        let arrays = columns.iter().zip(batch.columns()).skip(1);
        Page {
            idx: Arc::clone(batch.column(0)),
            columns: arrays
                .map(|(column, array)| (column.field_id(), Arc::clone(array)))
                .collect(),
        }
    }

    fn bytes(&self) -> usize {
        let arrays = self.columns.values().chain([&self.idx]);
        arrays.map(|array| array.get_array_memory_size()).sum()
    }

    fn versions(&self) -> &[i64] {
        self.idx.as_primitive::<TimestampMicrosecondType>().values()
    }

    fn rows_upto(&self, upto: Idx) -> usize {
        self.versions()
            .partition_point(|idx| *idx <= upto.as_micros())
    }

    /// Adds the rows of another; columns that one of them lacks are read again
    /// when they are asked for.
    fn append(&mut self, other: &Page) -> Result<()> {
        self.idx = joined(&[&self.idx, &other.idx])?;
        let mut columns = HashMap::new();
        for (id, array) in &self.columns {
            if let Some(more) = other.columns.get(id) {
                columns.insert(*id, joined(&[array, more])?);
            }
        }
        self.columns = columns;
        Ok(())
    }

    /// Reads the columns that are not there yet.
    fn complete(&mut self, conn: &Reader, meta: &TableMeta, wanted: &[Scanned]) -> Result<()> {
        let is_missing = |column: &&Scanned| {
            **column != Scanned::Idx && !self.columns.contains_key(&column.field_id())
        };
        let missing: Vec<Scanned> = wanted.iter().filter(is_missing).copied().collect();
        let (Some(first), Some(last)) = (self.versions().first(), self.versions().last()) else {
            return Ok(());
        };
        if missing.is_empty() {
            return Ok(());
        }
        let (mut after, upto) = (Idx::from_micros(first - 1), Idx::from_micros(*last));
        let mut parts: Vec<RecordBatch> = Vec::new();
        while let Some((batch, last)) = scan::batch(conn, meta, &missing, (after, upto), PAGE)? {
            parts.push(batch);
            after = last;
        }
        for (at, column) in missing.iter().enumerate() {
            let arrays: Vec<&ArrayRef> = parts.iter().map(|batch| batch.column(at)).collect();
            let array = joined(&arrays)?;
            if array.len() != self.idx.len() {
                let name = meta.name();
                return Err(damaged(format!("table {name}: rows of its log are gone")));
            }
            self.columns.insert(column.field_id(), array);
        }
        Ok(())
    }

    /// Its first rows.
    fn batch(&self, schema: &TableSchema, columns: &[Scanned], rows: usize) -> Result<RecordBatch> {
        let array = |column: &Scanned| match column {
            Scanned::Idx => self.idx.slice(0, rows),
            column => self.columns[&column.field_id()].slice(0, rows),
        };
        let arrays = columns.iter().map(array).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = scan::arrow_schema(schema, columns);
        RecordBatch::try_new_with_options(schema, arrays, &options).map_err(|error| bug(&error))
    }
}

fn joined(arrays: &[&ArrayRef]) -> Result<ArrayRef> {
    let arrays: Vec<&dyn Array> = arrays.iter().map(|array| &***array).collect();
    arrow_select::concat::concat(&arrays).map_err(|error| bug(&error))
}

fn bug(error: &ArrowError) -> Error {
    damaged(format!("BUG: {error}"))
}
