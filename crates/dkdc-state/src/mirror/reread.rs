//! Reading files back: columns by their permanent numbers, as the table's
//! schema has them now.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::seal::failed;
use super::trust::Held;
use crate::error::{Error, Result};
use crate::log::scan::{self, Scanned};
use crate::schema::TableSchema;

/// Rows that are read at a time.
const ROWS: usize = 8192;

/// The rows of a file, in its order.
pub(super) struct Rows {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    /// By column: its place among those that are read, if the file has it.
    places: Vec<Option<usize>>,
    path: std::path::PathBuf,
}

impl Rows {
    pub(super) fn new(held: &Held, schema: &TableSchema, columns: &[Scanned]) -> Result<Rows> {
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
        let reader = builder.with_projection(mask).with_batch_size(ROWS).build();
        Ok(Rows {
            reader: reader.map_err(failed)?,
            schema: scan::arrow_schema(schema, columns),
            places,
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
        let columns = self.places.iter().zip(fields).map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
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
