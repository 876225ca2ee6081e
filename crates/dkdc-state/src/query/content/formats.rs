//! Files of a few kinds as Arrow: their columns, and their rows as they are read.

use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::{Source, VECTOR, in_file};
use crate::blob::BlobReader;
use crate::error::Result;
use crate::log::Store;
use crate::record::BlobRef;

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Csv,
    Json,
    Parquet,
    Text,
}

/// Rows of a file, as they are read.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Rows that are looked at to find the types of CSV and JSON.
const LOOK: usize = 10_000;

/// The columns of several files: those of all, by name, each of a type that holds
/// what any of them has.
#[derive(Default)]
pub(super) struct Merged(Vec<Field>);

impl Merged {
    pub(super) fn add(&mut self, schema: Schema) {
        for field in schema.fields() {
            match self.0.iter_mut().find(|known| known.name() == field.name()) {
                Some(known) => {
                    let ty = either(known.data_type(), field.data_type());
                    known.set_data_type(ty);
                }
                None => self.0.push(field.as_ref().clone().with_nullable(true)),
            }
        }
    }

    pub(super) fn schema(self) -> Schema {
        let typed = self.0.into_iter().map(|field| match field.data_type() {
            // Nothing but NULLs was seen.
            DataType::Null => field.with_data_type(DataType::Utf8),
            _ => field,
        });
        Schema::new(typed.collect::<Vec<_>>())
    }
}

fn either(one: &DataType, other: &DataType) -> DataType {
    match (one, other) {
        (one, other) if one == other => one.clone(),
        (DataType::Null, ty) | (ty, DataType::Null) => ty.clone(),
        (one, other) if one.is_integer() && other.is_integer() => DataType::Int64,
        (one, other) if one.is_numeric() && other.is_numeric() => DataType::Float64,
        _ => DataType::Utf8,
    }
}

/// The columns of one file.
pub(super) fn schema(kind: Kind, store: &Arc<Store>, file: &Source) -> Result<Schema> {
    let content = || store.open_blob(&file.blob);
    let schema = match kind {
        Kind::Csv => csv(file)
            .infer_schema(content()?, Some(LOOK))
            .map(|(schema, _)| schema),
        Kind::Json => {
            let lines = lines(content()?).map_err(|why| in_file(store, file, &why))?;
            arrow_json::reader::infer_json_schema(lines, Some(LOOK)).map(|(schema, _)| schema)
        }
        Kind::Parquet => builder(store, file).map(|builder| Schema::clone(builder.schema())),
        Kind::Text => Ok(Schema::new(vec![
            Field::new("file", DataType::Utf8, false),
            Field::new("size", DataType::Int64, false),
            Field::new("text", DataType::Utf8, true),
        ])),
    };
    schema.map_err(|why| in_file(store, file, &why))
}

/// Opens a file for the rows of these columns, of those the schema has. The
/// batches have at least the columns that the file has of them.
pub(super) fn open(
    kind: Kind,
    store: &Arc<Store>,
    file: &Source,
    schema: &Schema,
    names: &[&str],
) -> Result<Batches> {
    let content = || store.open_blob(&file.blob);
    let failed = |why: ArrowError| in_file(store, file, &why);
    Ok(match kind {
        Kind::Csv => {
            let inferred = csv(file).infer_schema(content()?, Some(1));
            let own = inferred.map_err(failed)?.0;
            // Named as in the file, and typed as in all of them.
            let fields = own.fields().iter().map(|field| {
                let typed = schema.field_with_name(field.name());
                typed.map_or_else(|_| field.as_ref().clone(), Field::clone)
            });
            let own = Schema::new(fields.collect::<Vec<_>>());
            let wanted = own.fields().iter().enumerate();
            let mut wanted: Vec<usize> = wanted
                .filter(|(_, field)| names.contains(&field.name().as_str()))
                .map(|(at, _)| at)
                .collect();
            if wanted.is_empty() && !own.fields().is_empty() {
                wanted.push(0);
            }
            let reader = arrow_csv::ReaderBuilder::new(Arc::new(own))
                .with_format(csv(file))
                .with_batch_size(VECTOR)
                .with_projection(wanted)
                .build(content()?);
            Box::new(reader.map_err(failed)?)
        }
        Kind::Json => {
            let some = |field: &&Arc<Field>| names.contains(&field.name().as_str());
            let mut fields: Vec<Arc<Field>> =
                schema.fields().iter().filter(some).cloned().collect();
            if fields.is_empty() {
                fields.extend(schema.fields().first().cloned());
            }
            let reader = arrow_json::ReaderBuilder::new(Arc::new(Schema::new(fields)))
                .with_batch_size(VECTOR)
                .with_coerce_primitive(true)
                .build(lines(content()?).map_err(|why| in_file(store, file, &why))?);
            Box::new(reader.map_err(failed)?)
        }
        Kind::Parquet => {
            let builder = builder(store, file).map_err(failed)?;
            let own: SchemaRef = Arc::clone(builder.schema());
            let wanted = own.fields().iter().enumerate();
            let wanted = wanted
                .filter(|(_, field)| names.contains(&field.name().as_str()))
                .map(|(at, _)| at);
            let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
            let reader = builder
                .with_projection(mask)
                .with_batch_size(VECTOR)
                .build();
            Box::new(reader.map_err(|why| in_file(store, file, &why))?)
        }
        Kind::Text => Box::new(std::iter::once(text(store, file, names.contains(&"text")))),
    })
}

fn csv(file: &Source) -> arrow_csv::reader::Format {
    let tabs = file.name.to_lowercase().ends_with(".tsv");
    let format = arrow_csv::reader::Format::default().with_header(true);
    if tabs {
        format.with_delimiter(b'\t')
    } else {
        format
    }
}

/// A file as one row; its text is NULL when it is none.
fn text(store: &Arc<Store>, file: &Source, wanted: bool) -> Result<RecordBatch, ArrowError> {
    let text = if wanted {
        let content = super::whole(store, &file.blob);
        let content = content.map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
        String::from_utf8(content).ok()
    } else {
        None
    };
    let size = i64::try_from(file.blob.size).unwrap_or(i64::MAX);
    RecordBatch::try_from_iter_with_nullable([
        (
            "file",
            Arc::new(StringArray::from(vec![file.name.as_str()])) as ArrayRef,
            true,
        ),
        (
            "size",
            Arc::new(Int64Array::from(vec![size])) as ArrayRef,
            true,
        ),
        (
            "text",
            Arc::new(StringArray::from(vec![text])) as ArrayRef,
            true,
        ),
    ])
}

/// JSON as one object after the other: an array's objects are taken out of it.
fn lines(content: BlobReader) -> Result<Box<dyn BufRead + Send>, std::io::Error> {
    let mut content = BufReader::new(content);
    let first = loop {
        let buffer = content.fill_buf()?;
        let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace());
        let blank = blank.count();
        if blank < buffer.len() || buffer.is_empty() {
            break buffer.get(blank).copied();
        }
        content.consume(blank);
    };
    if first != Some(b'[') {
        return Ok(Box::new(content));
    }
    let objects: Vec<Box<serde_json::value::RawValue>> = serde_json::from_reader(content)?;
    let lines: Vec<&str> = objects.iter().map(|object| object.get()).collect();
    Ok(Box::new(Cursor::new(lines.join("\n").into_bytes())))
}

fn builder(
    store: &Arc<Store>,
    file: &Source,
) -> Result<ParquetRecordBatchReaderBuilder<Stored>, ArrowError> {
    let stored = Stored {
        store: Arc::clone(store),
        blob: file.blob,
    };
    Ok(ParquetRecordBatchReaderBuilder::try_new(stored)?)
}

/// A file of Parquet's, read in ranges.
struct Stored {
    store: Arc<Store>,
    blob: BlobRef,
}

impl Stored {
    fn at(&self, start: u64) -> Result<BlobReader, ParquetError> {
        let content = self.store.open_blob(&self.blob);
        let mut content = content.map_err(|error| ParquetError::External(Box::new(error)))?;
        content.seek(SeekFrom::Start(start))?;
        Ok(content)
    }
}

impl Length for Stored {
    fn len(&self) -> u64 {
        self.blob.size
    }
}

impl ChunkReader for Stored {
    type T = BufReader<BlobReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(self.at(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = vec![0; length];
        self.at(start)?.read_exact(&mut bytes)?;
        Ok(Bytes::from(bytes))
    }
}
