//! The current rows of a table at a version, as a file: made from the file
//! before it and the history since, both of which are in order.
//!
//! Every version names the one it replaces. So a row stays when nothing newer
//! names it; the numbers that newer versions name are all that is kept in
//! memory.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

use super::keeper::Keeper;
use super::reread::Rows;
use super::trust::Held;
use crate::error::{Error, Result};
use crate::log::manifest::{Kind, Manifest, Sealed};
use crate::log::scan::{self, Scanned};
use crate::record::{Idx, Op};
use crate::schema::TableSchema;

impl Keeper {
    /// Writes the current rows of a table at its watermark. False: a file it is
    /// made from is not what was written, or another process was first.
    pub(super) fn write_current(&mut self, manifest: &Manifest, table: u32) -> Result<bool> {
        let old = manifest.current(table);
        let before = old.and_then(|sealed| self.site.mirror.hold(sealed));
        // One that went bad is no beginning, but is replaced all the same.
        let since = match (&before, old) {
            (Some(_), Some(sealed)) => sealed.upto,
            _ => Idx::from_micros(i64::MIN),
        };
        let newer: Vec<&Sealed> = manifest.history(table).filter(|s| s.upto > since).collect();
        let Some(upto) = newer.last().map(|sealed| sealed.upto) else {
            return Ok(false);
        };
        let Some(newer) = self.hold_all(&newer) else {
            return Ok(false);
        };
        let catalog = self.catalog()?;
        let schema = &catalog.by_number(table)?.schema;
        let superseded = self.superseded(&newer, schema, since)?;

        let columns = scan::current_columns(schema);
        let mut sheet = self.sheet(schema, &columns)?;
        if let Some(before) = &before {
            for batch in Rows::new(before, schema, &columns)? {
                self.go_on()?;
                let batch = batch?;
                let keep = |_: usize, idx: i64| !superseded.has(idx);
                sheet.write(&filter(&batch, keep)?)?;
            }
        }
        let mut with_op = columns.clone();
        with_op.push(Scanned::Op);
        let place: Vec<usize> = (0..columns.len()).collect();
        for file in &newer {
            for batch in Rows::new(file, schema, &with_op)? {
                self.go_on()?;
                let batch = batch?;
                let op = batch
                    .column(columns.len())
                    .as_primitive::<Int64Type>()
                    .clone();
                let live = |at: usize| Op::from_code(op.value(at)).is_some_and(Op::is_live);
                let keep = |at: usize, idx: i64| {
                    idx > since.as_micros() && live(at) && !superseded.has(idx)
                };
                let rows = batch.project(&place).map_err(unexpected)?;
                sheet.write(&filter(&rows, keep)?)?;
            }
        }
        if !before.iter().chain(&newer).all(Held::is_there) {
            return Ok(false);
        }
        drop((before, newer));
        let range = (Idx::from_micros(i64::MIN), upto);
        let replaces: Vec<&Sealed> = old.into_iter().collect();
        let since = manifest.event;
        self.enter(sheet, table, Kind::Current, range, (&replaces, since))
    }

    /// The versions that versions newer than `since` replace.
    fn superseded(&self, files: &[Held], schema: &TableSchema, since: Idx) -> Result<Superseded> {
        let mut all = Vec::new();
        for file in files {
            for batch in Rows::new(file, schema, &[Scanned::Idx, Scanned::Prev])? {
                self.go_on()?;
                let batch = batch?;
                let idx = batch.column(0).as_primitive::<TimestampMicrosecondType>();
                let prev = batch.column(1).as_primitive::<TimestampMicrosecondType>();
                let newer = |at: &usize| prev.is_valid(*at) && idx.value(*at) > since.as_micros();
                all.extend((0..batch.num_rows()).filter(newer).map(|at| prev.value(at)));
            }
        }
        Ok(Superseded::new(all))
    }
}

/// Versions, in order.
#[derive(Default)]
pub(crate) struct Superseded(Vec<i64>);

impl Superseded {
    pub(crate) fn new(mut all: Vec<i64>) -> Superseded {
        all.sort_unstable();
        Superseded(all)
    }

    pub(crate) fn has(&self, idx: i64) -> bool {
        self.0.binary_search(&idx).is_ok()
    }

    /// These, and more.
    #[cfg(feature = "query")]
    pub(crate) fn and(&self, more: Vec<i64>) -> Superseded {
        let mut all = Vec::with_capacity(self.0.len() + more.len());
        all.extend_from_slice(&self.0);
        all.extend(more);
        // Two runs in order are merged, not sorted anew.
        all.sort();
        Superseded(all)
    }

    /// Which of some versions are none of these, into as many places. It is quick when
    /// they are in order, and right in any.
    #[cfg(feature = "query")]
    pub(crate) fn spares(&self, versions: &[i64], spared: &mut [bool]) {
        let mut at = 0;
        let mut is_spared = |idx: &i64| {
            if at > 0 && self.0[at - 1] >= *idx {
                at = 0;
            }
            // Most often the next is near.
            let mut step = 1;
            while self.0.get(at + step - 1).is_some_and(|next| next < idx) {
                at += step;
                step *= 2;
            }
            let end = self.0.len().min(at + step - 1);
            at += self.0[at..end].partition_point(|next| next < idx);
            self.0.get(at) != Some(idx)
        };
        for (idx, spared) in versions.iter().zip(spared) {
            *spared = is_spared(idx);
        }
    }
}

/// The rows to keep, by their place and version, which is the first column.
pub(crate) fn filter(
    batch: &RecordBatch,
    keep: impl Fn(usize, i64) -> bool,
) -> Result<RecordBatch> {
    let idx = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    let kept: BooleanArray = (0..batch.num_rows())
        .map(|at| Some(keep(at, idx.value(at))))
        .collect();
    filter_record_batch(batch, &kept).map_err(unexpected)
}

pub(super) fn unexpected(error: arrow_schema::ArrowError) -> Error {
    let error = std::io::Error::other(error);
    Error::io(std::path::Path::new("a file of the mirror"), error)
}
