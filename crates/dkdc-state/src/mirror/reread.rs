//! Reading files back: columns by their permanent numbers, as the table's
//! schema has them now, with the defaults of those that came after the file.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, Scalar, new_null_array,
};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::zip::zip;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::seal::failed;
use super::trust::Held;
use crate::error::{Error, Result};
use crate::log::scan::{self, Scanned};
use crate::record::{Idx, Op};
use crate::schema::arrow::ColumnBuilder;
use crate::schema::{Column, TableSchema};

/// Rows that are read at a time.
const ROWS: usize = 8192;

/// The rows of a file, in its order.
pub(super) struct Rows {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    /// By column: its place among those that are read, if the file has it.
    places: Vec<Option<usize>>,
    /// By column: the table's own, where older rows have a default.
    late: Vec<Option<Column>>,
    /// The place of the operations, if they are read: a deleted row has no
    /// defaults. A file of current rows has none, and no deleted row.
    op: Option<usize>,
    path: std::path::PathBuf,
}

impl Rows {
    pub(super) fn new(held: &Held, schema: &TableSchema, columns: &[Scanned]) -> Result<Rows> {
        Rows::of(held, schema, columns, |_| true)
    }

    /// Where a file has versions of a range, and some around them.
    pub(super) fn within(
        held: &Held,
        schema: &TableSchema,
        columns: &[Scanned],
        (after, upto): (Idx, Idx),
    ) -> Result<Rows> {
        Rows::of(held, schema, columns, |group| {
            let range = range(group);
            range.is_none_or(|(first, last)| first <= upto && last > after)
        })
    }

    fn of(
        held: &Held,
        schema: &TableSchema,
        columns: &[Scanned],
        wanted: impl Fn(&RowGroupMetaData) -> bool,
    ) -> Result<Rows> {
        let file = held.file().map_err(|error| Error::io(&held.path, error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
        let number = |field: &arrow_schema::FieldRef| {
            let id = field.metadata().get("PARQUET:field_id")?;
            id.parse::<usize>().ok()
        };
        let numbers: Vec<Option<usize>> = builder.schema().fields().iter().map(number).collect();
        let place = |column: &Scanned| numbers.iter().position(|n| *n == Some(column.field_id()));
        let roots: Vec<Option<usize>> = columns.iter().map(place).collect();
        let mut read: Vec<usize> = roots.iter().flatten().copied().collect();
        read.sort_unstable();
        let places = roots
            .iter()
            .map(|root| root.and_then(|root| read.binary_search(&root).ok()))
            .collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), read);
        let groups = builder.metadata().row_groups().iter().enumerate();
        let groups = groups.filter(|(_, group)| wanted(group));
        let groups = groups.map(|(at, _)| at).collect();
        let builder = builder.with_row_groups(groups);
        let reader = builder.with_projection(mask).with_batch_size(ROWS).build();
        let late = |column: &Scanned| match column {
            Scanned::Column(at) => Some(&schema.columns[*at]),
            _ => None,
        };
        let late = columns
            .iter()
            .map(|column| late(column).filter(|c| c.initial.is_some()).cloned());
        Ok(Rows {
            reader: reader.map_err(failed)?,
            schema: scan::arrow_schema(schema, columns),
            places,
            late: late.collect(),
            op: columns.iter().position(|c| *c == Scanned::Op),
            path: held.path.clone(),
        })
    }

    fn arrange(&self, batch: &RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
        let count = batch.num_rows();
        let column = |(place, field): (&Option<usize>, &arrow_schema::FieldRef)| -> ArrayRef {
            match place {
                Some(place) => Arc::clone(batch.column(*place)),
                None => new_null_array(field.data_type(), count),
            }
        };
        let fields = self.schema.fields();
        let mut columns: Vec<ArrayRef> = self.places.iter().zip(fields).map(column).collect();
        for (at, late) in self.late.iter().enumerate() {
            if let Some(late) = late {
                columns[at] = self.filled(late, &columns, at)?;
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }

    /// A column with the default of rows that are older than it.
    fn filled(
        &self,
        late: &Column,
        columns: &[ArrayRef],
        at: usize,
    ) -> std::result::Result<ArrayRef, ArrowError> {
        let idx = columns[0].as_primitive::<TimestampMicrosecondType>();
        let op = self.op.map(|at| columns[at].as_primitive::<Int64Type>());
        let lacks = |row: usize| {
            let op = op.filter(|op| op.is_valid(row)).map(|op| op.value(row));
            let live = op.is_none_or(|op| Op::from_code(op).is_some_and(Op::is_live));
            live && columns[at].is_null(row) && idx.value(row) < late.since.as_micros()
        };
        let lacks: BooleanArray = (0..idx.len()).map(|row| Some(lacks(row))).collect();
        let mut one = ColumnBuilder::new(late.ty, 1);
        let appended = late.initial.as_ref().map(|value| one.append(value));
        appended.transpose().map_err(ArrowError::CastError)?;
        zip(&lacks, &Scalar::new(one.finish()), &columns[at])
    }
}

/// The first and the last version of a row group, if it says so.
fn range(group: &RowGroupMetaData) -> Option<(Idx, Idx)> {
    let idx = group.columns().first();
    let idx = idx.filter(|column| column.column_descr().name() == "idx")?;
    match idx.statistics()? {
        Statistics::Int64(found) => Some((
            Idx::from_micros(*found.min_opt()?),
            Idx::from_micros(*found.max_opt()?),
        )),
        _ => None,
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let batch = self.reader.next()?;
        let batch = batch.and_then(|batch| self.arrange(&batch));
        Some(batch.map_err(|error| Error::io(&self.path, std::io::Error::other(error))))
    }
}
