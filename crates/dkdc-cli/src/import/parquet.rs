//! Parquet: its own types, row group by row group.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field};
use dkdc_state::{ColumnType, ListItem, Row, TableSchema};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::{Columns, Source};
use crate::exit::{Failure, Result};
use crate::output::{Cell, cell_of};
use crate::value;
use crate::write::Numbered;

type Builder = ParquetRecordBatchReaderBuilder<std::fs::File>;

pub(super) fn columns(source: &Source<'_>) -> Result<Columns> {
    let builder = open(source)?;
    let fields = builder.schema().fields().iter();
    let columns = fields.map(|field| (field.name().clone(), column_type(field)));
    source.besides_id(columns.collect())
}

pub(super) fn count(source: &Source<'_>) -> Result<u64> {
    let rows = open(source)?.metadata().file_metadata().num_rows();
    Ok(u64::try_from(rows).unwrap_or(0))
}

pub(super) fn rows<'s>(
    source: &'s Source<'_>,
    table: &'s TableSchema,
) -> Result<impl Iterator<Item = Numbered> + Send + 's> {
    let schema = table;
    let builder = open(source)?;
    let fields = builder.schema().fields().iter();
    let names: Vec<(String, ())> = fields.map(|field| (field.name().clone(), ())).collect();
    source.besides_id(names.clone())?;
    // What the table has no column for is left to the table to refuse.
    let columns: Vec<(String, Option<ColumnType>)> = names
        .into_iter()
        .map(|(name, ())| {
            let column = schema.columns.iter().find(|column| column.name == name);
            let ty = column.map(|column| column.ty);
            (source.renamed(&name).to_owned(), ty)
        })
        .collect();
    let reader = builder.build().map_err(|error| refused(source, &error))?;
    let batches = Batches {
        source,
        reader,
        before: 0,
    };
    Ok(batches.flat_map(
        move |batch| -> Box<dyn Iterator<Item = Numbered> + Send + 's> {
            match batch {
                Ok((before, batch)) => {
                    let columns = columns.clone();
                    Box::new((0..batch.num_rows()).map(move |at| {
                        let number = before + at as u64 + 1;
                        let row = row(&columns, &batch, at);
                        row.map(|row| (number, row))
                            .map_err(|why| source.wrong(number, why))
                    }))
                }
                Err(error) => Box::new(std::iter::once(Err(error))),
            }
        },
    ))
}

/// Batches, each with the number of rows before it.
struct Batches<'s, 'a> {
    source: &'s Source<'a>,
    reader: ParquetRecordBatchReader,
    before: u64,
}

impl Iterator for Batches<'_, '_> {
    type Item = Result<(u64, RecordBatch)>;

    fn next(&mut self) -> Option<Self::Item> {
        let before = self.before;
        Some(match self.reader.next()? {
            Ok(batch) => {
                self.before += batch.num_rows() as u64;
                Ok((before, batch))
            }
            Err(error) => Err(self.source.wrong(before + 1, error)),
        })
    }
}

fn row(
    columns: &[(String, Option<ColumnType>)],
    batch: &RecordBatch,
    at: usize,
) -> Result<Row, String> {
    let mut row = Row::default();
    for ((name, ty), column) in columns.iter().zip(batch.columns()) {
        let cell = cell_of(column, at).map_err(|_| format!("column {name} cannot be read"))?;
        if name == "id" {
            row.id = id(cell)?;
        } else if name != "idx" {
            let value = value::of_cell(cell, *ty).map_err(|why| format!("column {name}: {why}"))?;
            row.fields.push((name.clone(), value));
        }
    }
    Ok(row)
}

fn id(cell: Cell) -> Result<String, String> {
    match cell {
        Cell::Text(text) => Ok(text),
        Cell::Int(int) => Ok(int.to_string()),
        Cell::Digits(digits) => Ok(digits),
        Cell::Null => Err("it has no id".to_owned()),
        other => Err(format!("{other:?} is no id")),
    }
}

/// The column that keeps a field exactly; text where there is none.
fn column_type(field: &Field) -> ColumnType {
    let extension = field.metadata().get("ARROW:extension:name");
    match (extension.map(String::as_str), field.data_type()) {
        (Some("arrow.uuid"), _) => ColumnType::Uuid,
        (Some("arrow.json"), _) => ColumnType::Json,
        (_, ty) => of_data_type(ty),
    }
}

fn of_data_type(ty: &DataType) -> ColumnType {
    match ty {
        DataType::Boolean => ColumnType::Bool,
        ty if ty.is_integer() => ColumnType::Int,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => ColumnType::Float,
        DataType::Decimal128(precision, 0) if *precision <= 18 => ColumnType::Int,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => ColumnType::Bytes,
        DataType::Date32 => ColumnType::Date,
        DataType::Timestamp(..) => ColumnType::Timestamp,
        DataType::Struct(_) | DataType::Map(..) => ColumnType::Json,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            list_of(column_type(item))
        }
        DataType::Dictionary(_, values) => of_data_type(values),
        _ => ColumnType::Text,
    }
}

fn list_of(item: ColumnType) -> ColumnType {
    let item = match item {
        ColumnType::Text => ListItem::Text,
        ColumnType::Int => ListItem::Int,
        ColumnType::Float => ListItem::Float,
        ColumnType::Bool => ListItem::Bool,
        ColumnType::Timestamp => ListItem::Timestamp,
        ColumnType::Date => ListItem::Date,
        ColumnType::Uuid => ListItem::Uuid,
        ColumnType::Json | ColumnType::List(_) => ListItem::Json,
        // No list has bytes: as JSON, in hexadecimal.
        ColumnType::Bytes | ColumnType::Blob => ListItem::Json,
    };
    ColumnType::List(item)
}

fn open(source: &Source<'_>) -> Result<Builder> {
    Builder::try_new(source.open()?).map_err(|error| refused(source, &error))
}

fn refused(source: &Source<'_>, error: &ParquetError) -> Failure {
    Failure::usage(format!("{}: {error}", source.name))
}
