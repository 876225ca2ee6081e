//! The content of blobs in SQL: `dkdc_content` gives it as bytes, and
//! `dkdc_csv`, `dkdc_json`, `dkdc_parquet` and `dkdc_text` read files that a
//! table of files keeps, as of the question's snapshot or a moment before it.
//!
//! A table of files has the columns `path` and `filename`, texts, and `data`, a
//! blob; perhaps `user_id`. For the table `lake`, [`views`](super::views) gives the
//! functions the names `lake_csv(pattern, at := ..., user := ...)` and so on.

mod formats;

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow_schema::{DataType, Schema};
use duckdb::core::{DataChunkHandle, LogicalTypeHandle, LogicalTypeId};
use duckdb::vscalar::{ArrowFunctionSignature, VArrowScalar};
use duckdb::vtab::{
    BindInfo, InitInfo, TableFunctionInfo, VTab, record_batch_to_duckdb_data_chunk,
    to_duckdb_logical_type,
};

use super::pin::{self, Failure, Pin};
use super::scan;
use crate::error::{Error, Result};
use crate::log::Store;
use crate::record::{BlobRef, Idx, VALUE_LIMIT, Value};
use crate::snapshot::Snapshot;
use crate::state::Select;
use formats::{Batches, Kind};

/// Rows in one of DuckDB's vectors.
const VECTOR: usize = 2048;

/// Registers the functions.
pub(super) fn register(connection: &duckdb::Connection) -> duckdb::Result<()> {
    connection.register_scalar_function::<Content>("dkdc_content")?;
    connection.register_table_function::<Files<CSV>>("dkdc_csv")?;
    connection.register_table_function::<Files<JSON>>("dkdc_json")?;
    connection.register_table_function::<Files<PARQUET>>("dkdc_parquet")?;
    connection.register_table_function::<Files<TEXT>>("dkdc_text")
}

/// `dkdc_content(token, hash, size)`.
struct Content;

impl VArrowScalar for Content {
    type State = ();

    fn invoke((): &(), input: RecordBatch) -> Result<Arc<dyn Array>, Failure> {
        let tokens = input.column(0).as_primitive::<Int64Type>();
        let hashes = input.column(1).as_string::<i32>();
        let sizes = input.column(2).as_primitive::<Int64Type>();
        let mut contents = BinaryBuilder::new();
        for row in 0..input.num_rows() {
            if hashes.is_null(row) || sizes.is_null(row) || tokens.is_null(row) {
                contents.append_null();
                continue;
            }
            let pin = pin::of(tokens.value(row))?;
            let read = content_of(&pin.store, hashes.value(row), sizes.value(row));
            contents.append_value(read.map_err(|error| pin.fail(error))?);
        }
        Ok(Arc::new(contents.finish()))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        let parameters = vec![DataType::Int64, DataType::Utf8, DataType::Int64];
        vec![ArrowFunctionSignature::exact(parameters, DataType::Binary)]
    }
}

fn content_of(store: &Arc<Store>, hash: &str, size: i64) -> Result<Vec<u8>> {
    let refuse = |why: String| Error::Query(format!("the content of blob {hash}: {why}"));
    let blob = BlobRef {
        hash: *blake3::Hash::from_hex(hash)
            .map_err(|error| refuse(error.to_string()))?
            .as_bytes(),
        size: u64::try_from(size).unwrap_or(u64::MAX),
    };
    if blob.size > VALUE_LIMIT as u64 {
        return Err(refuse(format!(
            "{size} bytes are too many for one value of SQL"
        )));
    }
    whole(store, &blob)
}

fn whole(store: &Arc<Store>, blob: &BlobRef) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut reader = store.open_blob(blob)?;
    let read = std::io::Read::read_to_end(&mut reader, &mut content);
    read.map_err(|error| typed(&error))?;
    Ok(content)
}

/// The error that a reader of content met.
fn typed(error: &std::io::Error) -> Error {
    let own = error.get_ref().and_then(|own| own.downcast_ref::<Error>());
    own.cloned()
        .unwrap_or_else(|| Error::Query(error.to_string()))
}

const CSV: u8 = 0;
const JSON: u8 = 1;
const PARQUET: u8 = 2;
const TEXT: u8 = 3;

fn kind(number: u8) -> Kind {
    match number {
        CSV => Kind::Csv,
        JSON => Kind::Json,
        PARQUET => Kind::Parquet,
        _ => Kind::Text,
    }
}

/// A file that is read.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) blob: BlobRef,
}

/// The table function of one kind: `(table, token, pattern, moment, user)`; NULL is
/// the question's own moment, and everybody.
struct Files<const KIND: u8>;

struct Bound {
    pin: Arc<Pin>,
    files: Vec<Source>,
    schema: Schema,
}

/// Where a scan is.
struct Position {
    wanted: Vec<usize>,
    cursor: Mutex<Cursor>,
}

struct Cursor {
    file: usize,
    batches: Option<Batches>,
    ready: Vec<RecordBatch>,
}

/// The name of the column that says which file a row is from.
const FILE: &str = "_file";

impl<const KIND: u8> VTab for Files<KIND> {
    type BindData = Bound;
    type InitData = Position;

    fn bind(bind: &BindInfo) -> Result<Bound, Failure> {
        let (pin, table) = scan::pin_of(bind)?;
        let pattern = bind.get_parameter(2);
        if pattern.is_null() {
            return Err("the pattern is NULL".into());
        }
        let given = |place| {
            let value = bind.get_parameter(place);
            (!value.is_null()).then(|| value.to_string())
        };
        let (at, user) = (given(3), given(4));
        let found = scan::bound(&pin, table, at.as_deref())
            .and_then(|idx| find(&pin, table, idx, &pattern.to_string(), user.as_deref()));
        let files = found.map_err(|error| pin.fail(error))?;
        let mut merged = formats::Merged::default();
        for file in &files {
            let schema = formats::schema(kind(KIND), &pin.store, file);
            merged.add(schema.map_err(|error| pin.fail(error))?);
        }
        let schema = merged.schema();
        for field in schema.fields() {
            bind.add_result_column(field.name(), to_duckdb_logical_type(field.data_type())?);
        }
        bind.add_result_column(FILE, LogicalTypeHandle::from(LogicalTypeId::Varchar));
        Ok(Bound { pin, files, schema })
    }

    fn init(init: &InitInfo) -> Result<Position, Failure> {
        let place = |index: u64| usize::try_from(index).unwrap_or(usize::MAX);
        Ok(Position {
            wanted: init.get_column_indices().into_iter().map(place).collect(),
            cursor: Mutex::new(Cursor {
                file: 0,
                batches: None,
                ready: Vec::new(),
            }),
        })
    }

    fn func(
        function: &TableFunctionInfo<Self>,
        output: &mut DataChunkHandle,
    ) -> Result<(), Failure> {
        let bound = function.get_bind_data();
        let position = function.get_init_data();
        let mut cursor = position
            .cursor
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let next = next(kind(KIND), bound, &position.wanted, &mut cursor);
        match next.map_err(|error| bound.pin.fail(error))? {
            Some(batch) => record_batch_to_duckdb_data_chunk(&batch, output),
            None => {
                output.set_len(0);
                Ok(())
            }
        }
    }

    fn supports_pushdown() -> bool {
        true
    }

    fn parameters() -> Option<Vec<LogicalTypeHandle>> {
        let numbers = [LogicalTypeId::Bigint; 2].into_iter();
        let texts = [LogicalTypeId::Varchar; 3];
        Some(numbers.chain(texts).map(LogicalTypeHandle::from).collect())
    }
}

/// The next rows, with the columns that are wanted.
fn next(
    kind: Kind,
    bound: &Bound,
    wanted: &[usize],
    cursor: &mut Cursor,
) -> Result<Option<RecordBatch>> {
    loop {
        if let Some(batch) = cursor.ready.pop() {
            return Ok(Some(batch));
        }
        let Some(file) = bound.files.get(cursor.file) else {
            return Ok(None);
        };
        let names: Vec<&str> = wanted
            .iter()
            .filter_map(|at| bound.schema.fields().get(*at))
            .map(|field| field.name().as_str())
            .collect();
        if cursor.batches.is_none() {
            let batches = formats::open(kind, &bound.pin.store, file, &bound.schema, &names)?;
            cursor.batches = Some(batches);
        }
        let batch = cursor.batches.as_mut().and_then(Iterator::next);
        let Some(batch) = batch
            .transpose()
            .map_err(|why| in_file(&bound.pin.store, file, &why))?
        else {
            cursor.batches = None;
            cursor.file += 1;
            continue;
        };
        let batch = arrange(bound, wanted, file, &batch)
            .map_err(|why| in_file(&bound.pin.store, file, &why))?;
        let starts = (0..batch.num_rows()).step_by(VECTOR);
        let cut = starts.map(|from| batch.slice(from, VECTOR.min(batch.num_rows() - from)));
        cursor.ready = cut.collect();
        cursor.ready.reverse();
    }
}

/// The columns of a batch in the order in which they are wanted, NULL where the
/// file has none.
fn arrange(
    bound: &Bound,
    wanted: &[usize],
    file: &Source,
    batch: &RecordBatch,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let rows = batch.num_rows();
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (place, at) in wanted.iter().enumerate() {
        let array: ArrayRef = match bound.schema.fields().get(*at) {
            Some(field) => match batch.column_by_name(field.name()) {
                Some(array) => arrow_cast::cast(array, field.data_type())?,
                None => new_null_array(field.data_type(), rows),
            },
            None if *at == bound.schema.fields().len() => {
                Arc::new(StringArray::from(vec![file.name.as_str(); rows]))
            }
            // What DuckDB asks for when it only counts.
            None => Arc::new(Int64Array::from(vec![0; rows])),
        };
        columns.push((place.to_string(), array));
    }
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
}

/// Why a file could not be read. Those who read formats make text of what they
/// meet, so that damage is looked for again: it is not the question's fault.
fn in_file(store: &Arc<Store>, file: &Source, why: &dyn std::fmt::Display) -> Error {
    let content = store.open_blob(&file.blob);
    let read = content.and_then(|mut content| {
        let read = std::io::copy(&mut content, &mut std::io::sink());
        read.map_err(|error| typed(&error))
    });
    match read {
        Err(Error::Damaged { path, what }) => {
            let what = format!("{what}, of the file {}", file.name);
            return Error::Damaged { path, what };
        }
        Err(error) => return error,
        Ok(_) => {}
    }
    Error::Query(format!("{}: {why}", file.name))
}

/// The files of a table, of a user or of all, whose path and filename match a pattern,
/// by name.
fn find(pin: &Pin, table: u32, idx: Idx, pattern: &str, user: Option<&str>) -> Result<Vec<Source>> {
    let glob = globset::GlobBuilder::new(pattern)
        .literal_separator(true)
        .build();
    let glob = glob.map_err(|_| {
        Error::Query(format!(
            "{pattern:?} is no pattern: a bracket or brace is not closed"
        ))
    })?;
    let glob = glob.compile_matcher();
    let name = pin.catalog.by_number(table)?.name().to_owned();
    let rows = Snapshot::new(Arc::clone(&pin.store), idx).rows(&name)?;
    let mut files = Vec::new();
    for row in rows.list(&Select::new())? {
        let text = |column| match row.get(column) {
            Some(Value::Text(text)) => text.as_str(),
            _ => "",
        };
        let name = match (text("path"), text("filename")) {
            ("", filename) => filename.to_owned(),
            (path, filename) => format!("{path}/{filename}"),
        };
        if let Some(Value::Blob(blob)) = row.get("data")
            && glob.is_match(&name)
            && user.is_none_or(|user| text("user_id") == user)
        {
            files.push(Source { name, blob: *blob });
        }
    }
    if files.is_empty() {
        let whose = user.map_or(String::new(), |user| format!(", of user {user:?},"));
        return Err(Error::Query(format!(
            "no file of {name}{whose} matches {pattern:?}"
        )));
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}
