//! A table's versions, and its current records, as Arrow: for engines that are
//! not ours.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;

use super::Snapshot;
use crate::error::Result;
use crate::log::scan::{self, Scanned};
use crate::log::{damaged, manifest};
use crate::mirror::{Mirror, Part, Superseded, Versions, filter};
use crate::record::{Idx, Op};
use crate::schema::TableSchema;

/// A table's rows up to a snapshot, in order; made by [`Snapshot::scan`] and
/// [`Snapshot::current`].
///
/// They are read as they are asked for, so that memory does not grow with the
/// table: from the mirror's files where there are some, else from the log.
#[must_use = "rows are read as they are taken"]
pub struct Scan {
    versions: Versions,
    /// For current records: what newer versions replaced.
    superseded: Option<Superseded>,
    table: Arc<TableSchema>,
    schema: SchemaRef,
    event: Idx,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scan({})", self.table.name)
    }
}

/// What a scan begins with.
struct Begun {
    table: Arc<TableSchema>,
    parts: Vec<Part>,
    event: Idx,
}

impl Snapshot {
    /// Every version of a table that is newer than `after`, up to the snapshot.
    /// [`Idx::ZERO`] is before all that a clock has numbered.
    ///
    /// The columns are `idx`, `id`, the table's own, `_prev` (the version that
    /// this one replaced) and `_op` (the code of an [`Op`](crate::Op)).
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
    /// items, when the table was cleared since the snapshot;
    /// [`Error::Changed`](crate::Error::Changed) in the items, when something was
    /// erased or pruned since the scan was made.
    pub fn scan(&self, table: &str, after: Idx) -> Result<Scan> {
        let begun = self.begin(table, |mirror, manifest, table| {
            mirror.history(manifest, table, (after, self.idx))
        })?;
        let columns = scan::all_columns(&begun.table);
        Ok(Scan {
            schema: scan::arrow_schema(&begun.table, &columns),
            versions: Versions::new(&self.store, &begun.table, columns, begun.parts, begun.event),
            superseded: None,
            table: begun.table,
            event: begun.event,
        })
    }

    /// The records of a table that were current: `idx`, `id` and the table's own
    /// columns.
    ///
    /// ```
    /// # use dkdc_state::{ColumnDef, ColumnType, Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// # let notes = TableDef::new("notes").column(ColumnDef::new("body", ColumnType::Text));
    /// # let notes = state.define(&notes)?;
    /// notes.append(&Row::new("n1").with("body", "draft"))?;
    /// notes.update(&Row::new("n1").with("body", "done"))?;
    /// let mut rows = 0;
    /// for batch in state.snapshot()?.current("notes")? {
    ///     rows += batch?.num_rows();
    /// }
    /// assert_eq!(rows, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`scan`](Snapshot::scan).
    pub fn current(&self, table: &str) -> Result<Scan> {
        let mut base = None;
        let mut begun = self.begin(table, |mirror, manifest, table| {
            base = mirror.current(manifest, table, self.idx);
            let before_all = Idx::from_micros(i64::MIN);
            let since = base.as_ref().map_or(before_all, Part::upto);
            mirror.history(manifest, table, (since, self.idx))
        })?;
        let superseded =
            Versions::superseded(&self.store, &begun.table, &begun.parts, begun.event)?;
        begun.parts.splice(0..0, base);
        let columns = scan::current_columns(&begun.table);
        let schema = scan::arrow_schema(&begun.table, &columns);
        let with_op = [columns, vec![Scanned::Op]].concat();
        Ok(Scan {
            versions: Versions::new(&self.store, &begun.table, with_op, begun.parts, begun.event),
            superseded: Some(superseded),
            schema,
            table: begun.table,
            event: begun.event,
        })
    }

    fn begin(
        &self,
        table: &str,
        parts: impl FnOnce(&Mirror, &manifest::Manifest, u32) -> Vec<Part>,
    ) -> Result<Begun> {
        // A cache that cannot be written is done without.
        if let Err(error) = self.store.keep_mirror() {
            tracing::warn!(%error, "the mirror was not brought up to date");
        }
        let (table, event, manifest) = self.store.read(|conn, catalog| {
            let meta = catalog.table(table)?;
            self.check_floor(meta)?;
            let schema = Arc::clone(&meta.schema);
            Ok((schema, catalog.event, manifest::read(conn)?))
        })?;
        Ok(Begun {
            parts: parts(self.store.mirror(), &manifest, table.number),
            table,
            event,
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

    /// The newest event when the scan was made. Once there is a newer one, rows
    /// that were read may be gone for good, or have other columns: who keeps
    /// them reads them again.
    #[must_use]
    pub fn event(&self) -> Idx {
        self.event
    }

    /// The rows of a batch as they are given.
    fn shown(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.schema.fields().len();
        let batch = match &self.superseded {
            None => batch.clone(),
            Some(superseded) => {
                let op = batch.column(columns).as_primitive::<Int64Type>();
                // The file of current rows has no operations.
                let live = |at: usize| {
                    op.is_null(at) || Op::from_code(op.value(at)).is_some_and(Op::is_live)
                };
                filter(batch, |at, idx| live(at) && !superseded.has(idx))?
            }
        };
        // A column renamed meanwhile keeps the name that the scan began with.
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            batch.columns()[..columns].to_vec(),
        )
        .map_err(|error| damaged(format!("BUG: {error}")))
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let batch = self.versions.next()?;
        Some(batch.and_then(|batch| self.shown(&batch)))
    }
}
