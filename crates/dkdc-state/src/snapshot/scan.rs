//! A table's versions as Arrow, for engines that are not ours.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::Snapshot;
use crate::error::Result;
use crate::log::scan;
use crate::log::{damaged, moment};
use crate::record::Idx;
use crate::schema::TableSchema;

/// Rows read from the log at a time.
const PAGE: usize = 1 << 14;

/// A table's versions up to a snapshot, in order; made by [`Snapshot::scan`].
///
/// The columns are `idx`, `id`, the table's own, `_prev` (the version that this
/// one replaced) and `_op` (the code of an [`Op`](crate::Op)). Each page is read
/// when it is asked for, so that memory does not grow with the table.
#[must_use = "rows are read as they are taken"]
pub struct Scan {
    snapshot: Snapshot,
    table: Arc<TableSchema>,
    schema: SchemaRef,
    after: Idx,
    done: bool,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scan({} after {})", self.table.name, self.after)
    }
}

impl Snapshot {
    /// Every version of a table that is newer than `after`, up to the snapshot.
    /// [`Idx::ZERO`] is before all that a clock has numbered.
    ///
    /// ```
    /// # use dkdc_state::{ColumnDef, ColumnType, Idx, Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let notes = TableDef::new("notes").column(ColumnDef::new("body", ColumnType::Text));
    /// let notes = state.define(&notes)?;
    /// notes.append(&Row::new("n1").with("body", "draft"))?;
    /// notes.update(&Row::new("n1").with("body", "done"))?;
    /// let batches = state.snapshot()?.scan("notes", Idx::ZERO)?;
    /// assert_eq!(batches.schema().field(2).name(), "body");
    /// let mut rows = 0;
    /// for batch in batches {
    ///     rows += batch?.num_rows();
    /// }
    /// assert_eq!(rows, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownTable`](crate::Error::UnknownTable), here;
    /// [`Error::OutsideHistory`](crate::Error::OutsideHistory), here and in the
    /// items, when the table was cleared since the snapshot.
    pub fn scan(&self, table: &str, after: Idx) -> Result<Scan> {
        let table = self.store.read(|_, catalog| {
            let meta = catalog.table(table)?;
            self.check_floor(meta)?;
            Ok(Arc::clone(&meta.schema))
        })?;
        Ok(Scan {
            snapshot: self.clone(),
            schema: scan::arrow_schema(&table, &scan::all_columns(&table)),
            table,
            after,
            done: false,
        })
    }
}

impl Scan {
    /// The Arrow schema of every batch.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The table as it was when the scan was made.
    #[must_use]
    pub fn table(&self) -> &TableSchema {
        &self.table
    }

    fn page(&mut self) -> Result<Option<RecordBatch>> {
        let snapshot = &self.snapshot;
        let columns = scan::all_columns(&self.table);
        let page = snapshot.store.read(|conn, catalog| {
            let meta = catalog.by_number(self.table.number)?;
            moment::check_floor(meta, snapshot.idx)?;
            scan::batch(conn, meta, &columns, (self.after, snapshot.idx), PAGE)
        })?;
        let Some((batch, last)) = page else {
            return Ok(None);
        };
        self.after = last;
        self.done = last >= snapshot.idx;
        // A column renamed meanwhile keeps the name that the scan began with.
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), batch.columns().to_vec());
        batch
            .map(Some)
            .map_err(|error| damaged(format!("BUG: {error}")))
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.done {
            return None;
        }
        let page = self.page().transpose();
        self.done |= !matches!(page, Some(Ok(_)));
        page
    }
}
