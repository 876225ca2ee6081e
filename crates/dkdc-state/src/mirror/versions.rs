//! A table's versions over a range, in order: from files where there are some,
//! from the log for what these lack.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;

use super::Mirror;
use super::current::{self, Superseded};
use super::reread::Rows;
use super::trust::Held;
use crate::error::{Error, Result};
use crate::log::manifest::Manifest;
use crate::log::scan::{self, Scanned};
use crate::log::{Store, event, moment};
use crate::record::Idx;
use crate::schema::TableSchema;

/// Rows read from the log at a time.
const PAGE: usize = 16_384;

/// One file, or a range of the log.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    file: Option<Arc<Held>>,
    after: Idx,
    upto: Idx,
}

impl Part {
    /// The newest version that it may have.
    pub(crate) fn upto(&self) -> Idx {
        self.upto
    }
}

impl Mirror {
    /// Where a table's versions after one, up to another, are.
    pub(crate) fn history(
        &self,
        manifest: &Manifest,
        table: u32,
        (after, upto): (Idx, Idx),
    ) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = after;
        for sealed in manifest.history(table).filter(|s| s.upto > after) {
            if at >= upto {
                break;
            }
            parts.push(Part {
                file: self.hold(sealed).map(Arc::new),
                after: at,
                upto: sealed.upto.min(upto),
            });
            at = sealed.upto;
        }
        if at < upto {
            parts.push(Part {
                file: None,
                after: at,
                upto,
            });
        }
        parts
    }

    /// The file of a table's current rows, unless it is newer than a version.
    pub(crate) fn current(&self, manifest: &Manifest, table: u32, upto: Idx) -> Option<Part> {
        let sealed = manifest.current(table).filter(|s| s.upto <= upto)?;
        Some(Part {
            file: Some(Arc::new(self.hold(sealed)?)),
            after: Idx::from_micros(i64::MIN),
            upto: sealed.upto,
        })
    }
}

/// The rows of parts, in order.
pub(crate) struct Versions {
    store: Arc<Store>,
    table: Arc<TableSchema>,
    /// What is read; the first is `idx`.
    columns: Vec<Scanned>,
    parts: VecDeque<Part>,
    /// The newest event when this was begun.
    since: Idx,
    /// The file at hand.
    rows: Option<Rows>,
}

impl Versions {
    pub(crate) fn new(
        store: &Arc<Store>,
        table: &Arc<TableSchema>,
        columns: Vec<Scanned>,
        parts: impl IntoIterator<Item = Part>,
        since: Idx,
    ) -> Versions {
        Versions {
            store: Arc::clone(store),
            table: Arc::clone(table),
            columns,
            parts: parts.into_iter().collect(),
            since,
            rows: None,
        }
    }

    /// The versions that those of parts replace.
    pub(crate) fn superseded(
        store: &Arc<Store>,
        table: &Arc<TableSchema>,
        parts: &[Part],
        since: Idx,
    ) -> Result<Superseded> {
        let columns = vec![Scanned::Idx, Scanned::Prev];
        let mut all = Vec::new();
        let parts = parts.iter().cloned();
        for batch in Versions::new(store, table, columns, parts, since) {
            let batch = batch?;
            let prev = batch.column(1).as_primitive::<TimestampMicrosecondType>();
            all.extend(prev.iter().flatten());
        }
        Ok(Superseded::new(all))
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(part) = self.parts.front_mut() {
            let range = (part.after, part.upto);
            let batch = match &part.file {
                Some(file) => {
                    if self.rows.is_none() {
                        self.rows = Some(Rows::within(file, &self.table, &self.columns, range)?);
                    }
                    let batch = self.rows.as_mut().and_then(Iterator::next).transpose()?;
                    if file.is_altered() {
                        return Err(Error::Changed {
                            path: file.path.clone(),
                        });
                    }
                    let within =
                        |_, idx: i64| range.0.as_micros() < idx && idx <= range.1.as_micros();
                    batch
                        .map(|batch| current::filter(&batch, within))
                        .transpose()?
                }
                None => {
                    let page = self.store.read(|conn, catalog| {
                        let meta = catalog.by_number(self.table.number)?;
                        moment::check_floor(meta, range.1)?;
                        let events = (self.since, catalog.event);
                        event::check(conn, &self.store, self.table.number, events)?;
                        scan::batch(conn, meta, &self.columns, range, PAGE)
                    })?;
                    page.map(|(batch, last)| {
                        part.after = last;
                        batch
                    })
                }
            };
            match batch {
                Some(batch) if batch.num_rows() == 0 => {}
                Some(batch) => return Ok(Some(batch)),
                None => {
                    self.rows = None;
                    self.parts.pop_front();
                }
            }
        }
        Ok(None)
    }
}

impl Iterator for Versions {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let batch = self.batch().transpose();
        if matches!(batch, Some(Err(_))) {
            // What follows would not follow.
            self.parts.clear();
        }
        batch
    }
}
