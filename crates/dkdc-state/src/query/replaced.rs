//! What newer versions replaced: which rows of the mirror's file of current rows,
//! and of what is newer than it, are current still.
//!
//! A question keeps a row unless a version up to its snapshot names it as the one
//! it replaces. To join the rows with those versions would cost more than to read
//! them, so the numbers that are named are kept in order, and `dkdc_is_current`
//! looks each row's up: rows come in order as well. They are kept for the
//! questions to come, eight bytes for each version that the file lacks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use duckdb::core::{DataChunkHandle, LogicalTypeHandle, LogicalTypeId};
use duckdb::vscalar::{ScalarFunctionSignature, VScalar};
use duckdb::vtab::arrow::WritableVector;

use super::pin::{self, Failure};
use crate::error::Result;
use crate::log::Store;
use crate::log::manifest::Manifest;
use crate::log::scan::Scanned;
use crate::mirror::{Part, Superseded, Versions};
use crate::record::Idx;
use crate::schema::TableSchema;

/// Registers the function.
pub(super) fn register(connection: &duckdb::Connection) -> duckdb::Result<()> {
    connection.register_scalar_function::<IsCurrent>("dkdc_is_current")
}

/// `dkdc_is_current(table, token, idx)`.
struct IsCurrent;

/// Vectors of DuckDB's as they lie in memory: as arrays of Arrow's they would be made
/// value by value, which costs more than to read the rows.
impl VScalar for IsCurrent {
    type State = ();

    #[expect(unsafe_code, reason = "DuckDB has no other way to its vectors")]
    fn invoke(
        (): &(),
        input: &mut DataChunkHandle,
        output: &mut dyn WritableVector,
    ) -> Result<(), Failure> {
        let rows = input.len();
        if rows == 0 {
            return Ok(());
        }
        let columns = [0, 1, 2].map(|at| input.flat_vector(at));
        // SAFETY: by the signature, all three are vectors of 64-bit integers, a
        // timestamp being one; they have `rows` values, none of which is NULL, since
        // no row's number is; and nobody writes them during this call.
        let [table, token, idx] =
            unsafe { columns.each_ref().map(|c| c.as_slice_with_len::<i64>(rows)) };
        // The first two are the same in every row: the views say so.
        let (table, pin) = (u32::try_from(table[0])?, pin::of(token[0])?);
        let replaced = pin.replaced(table);
        let replaced = replaced.map_err(|error| pin.fail(error))?;
        let mut result = output.flat_vector();
        // SAFETY: by the signature, the result is a vector of booleans, a byte each, which
        // has room for `rows` of them, and this is the only reference to it. Nothing was
        // written there yet, so bytes that are no boolean may be: they are zeros, which
        // are `false`, before there is a reference to booleans.
        let result = unsafe {
            result.as_mut_ptr::<u8>().write_bytes(0, rows);
            result.as_mut_slice_with_len::<bool>(rows)
        };
        replaced.spares(idx, result);
        Ok(())
    }

    fn signatures() -> Vec<ScalarFunctionSignature> {
        let int = || LogicalTypeHandle::from(LogicalTypeId::Bigint);
        let idx = LogicalTypeHandle::from(LogicalTypeId::Timestamp);
        let result = LogicalTypeHandle::from(LogicalTypeId::Boolean);
        vec![ScalarFunctionSignature::exact(
            vec![int(), int(), idx],
            result,
        )]
    }
}

/// What is replaced in a store's tables.
#[derive(Default)]
pub(super) struct Replaced {
    tables: Mutex<HashMap<u32, Arc<Mutex<Known>>>>,
}

/// What the versions of a range replace: after `since`, up to `upto`.
#[derive(Clone, Default)]
struct Known {
    /// The newest event: another one may have taken versions.
    event: Idx,
    since: Idx,
    upto: Idx,
    versions: Arc<Superseded>,
}

/// A table at a snapshot.
pub(super) struct At<'a> {
    pub(super) store: &'a Arc<Store>,
    pub(super) manifest: &'a Manifest,
    pub(super) table: &'a Arc<TableSchema>,
    pub(super) event: Idx,
    pub(super) upto: Idx,
}

impl Replaced {
    /// What the versions after the file of current rows, up to a snapshot, replace.
    pub(super) fn read(&self, at: &At<'_>) -> Result<Arc<Superseded>> {
        let known = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tables.entry(at.table.number).or_default())
        };
        let current = at.manifest.current(at.table.number);
        let since = current.map_or(Idx::from_micros(i64::MIN), |sealed| sealed.upto);
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = (known.event, known.since) == (at.event, since);
        if !fits || known.upto > at.upto {
            let versions = Arc::new(Superseded::new(at.between((since, at.upto))?));
            if !fits {
                *known = Known {
                    event: at.event,
                    since,
                    upto: at.upto,
                    versions: Arc::clone(&versions),
                };
            }
            return Ok(versions);
        }
        if known.upto < at.upto {
            let more = at.between((known.upto, at.upto))?;
            if !more.is_empty() {
                known.versions = Arc::new(known.versions.and(more));
            }
            known.upto = at.upto;
        }
        Ok(Arc::clone(&known.versions))
    }
}

impl At<'_> {
    /// What the versions of a range replace: of files, and of the tail, which the
    /// question needs in memory as well.
    fn between(&self, (after, upto): (Idx, Idx)) -> Result<Vec<i64>> {
        let number = self.table.number;
        let sealed = self.manifest.watermark(number);
        let columns = [Scanned::Idx, Scanned::Prev];
        let tails = &self.store.tails;
        let tail = match upto > sealed {
            true => tails.read(self.store, number, (sealed, upto), self.event, &columns)?,
            false => None,
        };
        let files_upto = if tail.is_some() { sealed } else { upto };
        let mirror = self.store.mirror();
        let parts: Vec<Part> = mirror.history(self.manifest, number, (after, files_upto));
        let of_parts = Versions::new(self.store, self.table, columns.to_vec(), parts, self.event);
        let mut all = Vec::new();
        for batch in of_parts.chain(tail.into_iter().flatten().map(Ok)) {
            let batch = batch?;
            let idx = batch.column(0).as_primitive::<TimestampMicrosecondType>();
            let prev = batch.column(1).as_primitive::<TimestampMicrosecondType>();
            let from = idx
                .values()
                .partition_point(|idx| *idx <= after.as_micros());
            let prev = prev.slice(from, prev.len() - from);
            all.extend(prev.iter().flatten());
        }
        Ok(all)
    }
}
