//! Records in by the PyCapsule interface, by the million.
//!
//! The one place with `unsafe`: a stream of another library is a pointer.
#![expect(unsafe_code, reason = "a stream comes in as a pointer in a capsule")]

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use arrow_array::cast::AsArray;
use arrow_array::ffi_stream::RecordBatchStreamReader;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader, StringArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use dkdc_state::jiff::{Span, Timestamp, civil};
use dkdc_state::record_support::{Existing, Given};
use dkdc_state::{ColumnType, Error, Row, TableSchema, TxTable, Value, ValueError, parse_json};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::bulk::{self, PIECE, Piece, Target};
use crate::errors::{raise, state_error};

/// Records on their way in.
pub(crate) struct Incoming {
    reader: RecordBatchStreamReader,
    layout: Layout,
}

/// What their columns are.
struct Layout {
    table: String,
    columns: Vec<(String, ColumnType)>,
    /// The place of the ids.
    id: usize,
}

/// Some of them, whose values are lent to the log as they are.
struct Batch<'l> {
    layout: &'l Layout,
    ids: StringArray,
    /// The values: no ids, and no version's numbers.
    values: Vec<(&'l str, ColumnType, ArrayRef)>,
}

/// The first microsecond that a datetime of Python's can be.
const YEAR_1: i64 = -62_135_596_800_000_000;

impl Incoming {
    pub(crate) fn new(data: &Bound<'_, PyAny>, table: &TableSchema) -> PyResult<Incoming> {
        let py = data.py();
        let Ok(method) = data.getattr("__arrow_c_stream__") else {
            let kind = data.get_type().name()?;
            let message = format!("{kind} is no Arrow stream: it has no __arrow_c_stream__");
            return Err(raise(py, "Invalid", &message));
        };
        let capsule = method.call0()?;
        let pointer = capsule.cast::<PyCapsule>().ok().and_then(|capsule| {
            let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"));
            pointer.ok()
        });
        let Some(pointer) = pointer else {
            let kind = data.get_type().name()?;
            let message = format!("{kind}.__arrow_c_stream__() gave no Arrow stream");
            return Err(raise(py, "Invalid", &message));
        };
        // SAFETY: a capsule of this name holds an ArrowArrayStream, by the
        // PyCapsule interface; it is moved out, which leaves it released. That its
        // arrays are what its schema says is its producer's promise: no consumer can
        // tell a short buffer from a long one. `frames.py` sees to it for those of
        // pyarrow that do not keep it.
        let reader = unsafe { RecordBatchStreamReader::from_raw(pointer.as_ptr().cast()) };
        let invalid = |why: String| {
            let table = table.name.clone();
            state_error(py, &Error::InvalidRow { table, why })
        };
        let kind = data.get_type().name()?;
        let reader =
            reader.map_err(|error| invalid(format!("{kind} is no stream of records: {error}")))?;
        let mut columns = Vec::new();
        for field in reader.schema().fields() {
            let known = table
                .columns
                .iter()
                .find(|column| column.name == *field.name());
            let ty = match field.name().as_str() {
                "id" | "idx" => ColumnType::Text,
                name => match known {
                    Some(column) => column.ty,
                    None => {
                        let error = Error::UnknownColumn {
                            table: table.name.clone(),
                            column: name.to_owned(),
                            known: table.columns.iter().map(|c| c.name.clone()).collect(),
                        };
                        return Err(state_error(py, &error));
                    }
                },
            };
            columns.push((field.name().clone(), ty));
        }
        let mut names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(invalid(format!("column {} is named twice", twice[0])));
        }
        let Some(id) = columns.iter().position(|(name, _)| name == "id") else {
            let why = "a record needs an id: there is no such column";
            return Err(invalid(why.to_owned()));
        };
        let table = table.name.clone();
        let layout = Layout { table, columns, id };
        Ok(Incoming { reader, layout })
    }

    /// Writes all of it, or nothing, while another thread reads on: how many.
    pub(crate) fn write(self, py: Python<'_>, to: &Target<'_>, mode: Existing) -> PyResult<u64> {
        let Incoming { reader, layout } = self;
        let written = py.detach(|| {
            std::thread::scope(|scope| {
                let (send, batches) = sync_channel(1);
                let layout = &layout;
                let mut reading = Some(scope.spawn(move || read(reader, layout, &send)));
                let all = std::iter::from_fn(|| match batches.recv() {
                    Ok(batch) => Some(batch),
                    // It has ended: by a panic, too, and then nothing is written.
                    Err(_) => match reading.take()?.join() {
                        Ok(()) => None,
                        Err(panic) => resume_unwind(panic),
                    },
                });
                bulk::write(to, mode, all)
            })
        });
        written.map_err(|stop| stop.raised(py))
    }
}

/// Hands over all of it, or what is before an error, and that; or until nobody takes it.
fn read<'l>(
    reader: RecordBatchStreamReader,
    layout: &'l Layout,
    batches: &SyncSender<Result<Batch<'l>, Error>>,
) {
    for batch in reader {
        let batch = batch.and_then(valid);
        let batch = batch.map_err(|error| layout.invalid(error.to_string()));
        let rows = batch.as_ref().map_or(1, RecordBatch::num_rows);
        for from in (0..rows).step_by(PIECE) {
            let piece = batch.clone().and_then(|batch| {
                let piece = batch.slice(from, PIECE.min(rows - from));
                layout.batch(&piece)
            });
            let failed = piece.is_err();
            if batches.send(piece).is_err() || failed {
                return;
            }
        }
    }
}

/// What comes from another library may break Arrow's rules, above all that text is
/// UTF-8: no value is read of it that does, if the buffers are those of its schema.
fn valid(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let valid = array.to_data().validate_full();
        valid.map_err(|error| {
            ArrowError::InvalidArgumentError(format!("column {}: {error}", field.name()))
        })?;
    }
    Ok(batch)
}

impl Layout {
    fn invalid(&self, why: impl Into<String>) -> Error {
        Error::InvalidRow {
            table: self.table.clone(),
            why: why.into(),
        }
    }

    fn batch(&self, batch: &RecordBatch) -> Result<Batch<'_>, Error> {
        let mut plain = Vec::with_capacity(self.columns.len());
        for ((name, _), array) in self.columns.iter().zip(batch.columns()) {
            let array = canonical(array);
            let array = array.map_err(|error| self.invalid(format!("column {name}: {error}")))?;
            plain.push(array);
        }
        // Of an empty frame, or one without any id, nobody knows that it would be text.
        let ids = match plain[self.id].data_type() {
            DataType::Null => StringArray::new_null(batch.num_rows()),
            _ => {
                let ids = plain[self.id].as_string_opt::<i32>();
                ids.cloned().ok_or_else(|| self.invalid("an id is text"))?
            }
        };
        let values = self.columns.iter().zip(plain);
        let values = values.filter(|((name, _), _)| name != "id" && name != "idx");
        Ok(Batch {
            layout: self,
            ids,
            values: values
                .map(|((name, ty), array)| (name.as_str(), *ty, array))
                .collect(),
        })
    }
}

impl Batch<'_> {
    /// The id and the values of the record at a place.
    fn record(&self, at: usize) -> Result<(&str, Vec<Given<'_>>), Error> {
        if self.ids.is_null(at) {
            return Err(self.layout.invalid("a record needs an id"));
        }
        let id = self.ids.value(at);
        let mut given = Vec::with_capacity(self.values.len());
        for (name, ty, array) in &self.values {
            let value = cell(array, at, *ty).map_err(|source| Error::InvalidValue {
                table: self.layout.table.clone(),
                id: id.to_owned(),
                source: source.in_column(name),
            })?;
            given.push(value);
        }
        Ok((id, given))
    }
}

impl Piece for Batch<'_> {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn put(&self, to: &TxTable<'_, '_, '_, Row>, mode: Existing) -> Result<(), Error> {
        let columns: Vec<&str> = self.values.iter().map(|(name, ..)| *name).collect();
        let give = |at: usize| {
            let (id, values) = self.record(at)?;
            Ok((Cow::Borrowed(id), values))
        };
        to.put_given(mode, &columns, (self.len(), &give)).map(drop)
    }

    fn into_rows(self) -> Result<Vec<Row>, Error> {
        let row = |at: usize| {
            let (id, values) = self.record(at)?;
            let names = self.values.iter().map(|(name, ..)| (*name).to_owned());
            let mut row = Row::new(id);
            row.fields = names
                .zip(values.into_iter().map(Given::into_value))
                .collect();
            Ok(row)
        };
        (0..self.len()).map(row).collect()
    }
}

/// The same values in one of the types that [`cell`] reads; nothing is rounded.
fn canonical(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    use DataType as T;
    let to = match array.data_type() {
        T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::Dictionary(_, values) => {
            let values = cast(array, values)?;
            return canonical(&values);
        }
        T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => T::Int64,
        T::Float16 | T::Float32 => T::Float64,
        T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary,
        T::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, _)
        | T::Timestamp(TimeUnit::Microsecond, Some(_)) => T::Timestamp(TimeUnit::Microsecond, None),
        T::Timestamp(TimeUnit::Nanosecond, Some(_)) => T::Timestamp(TimeUnit::Nanosecond, None),
        T::Date64 => T::Date32,
        T::LargeList(item) | T::FixedSizeList(item, _) | T::ListView(item) => {
            T::List(Arc::clone(item))
        }
        _ => return Ok(Arc::clone(array)),
    };
    cast(array, &to)
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let exact = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &exact)
}

/// One value for a column of a type. What is of another type is left to the
/// state to refuse.
fn cell(array: &ArrayRef, at: usize, ty: ColumnType) -> Result<Given<'_>, ValueError> {
    use DataType as T;
    if array.is_null(at) {
        return Ok(Given::Value(Value::Null));
    }
    Ok(Given::Value(match array.data_type() {
        T::Null => Value::Null,
        T::Utf8 => {
            let text = array.as_string::<i32>().value(at);
            match ty {
                ColumnType::Json => Value::Json(parse_json(text)?),
                ColumnType::Uuid => {
                    Value::Uuid(text.parse().map_err(|why| ValueError::Malformed {
                        what: format!("UUID {text:?}"),
                        why: format!("{why}"),
                    })?)
                }
                _ => return Ok(Given::Text(text)),
            }
        }
        T::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(at)),
        T::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(at)),
        T::Boolean => Value::Bool(array.as_boolean().value(at)),
        T::Binary => {
            let bytes = array.as_binary::<i32>().value(at);
            match (ty, <[u8; 16]>::try_from(bytes)) {
                (ColumnType::Uuid, Ok(bytes)) => {
                    Value::Uuid(dkdc_state::uuid::Uuid::from_bytes(bytes))
                }
                _ => return Ok(Given::Bytes(bytes)),
            }
        }
        T::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(at);
            // Python's begin with year 1.
            let time = Timestamp::from_microsecond(micros).ok();
            let time = time.filter(|_| micros >= YEAR_1);
            Value::Timestamp(time.ok_or_else(|| ValueError::OutOfRange(micros.to_string()))?)
        }
        T::Timestamp(TimeUnit::Nanosecond, _) => {
            let nanos = array
                .as_primitive::<arrow_array::types::TimestampNanosecondType>()
                .value(at);
            let time = Timestamp::from_nanosecond(nanos.into());
            Value::Timestamp(time.map_err(|_| ValueError::OutOfRange(nanos.to_string()))?)
        }
        T::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(at);
            let epoch = civil::date(1970, 1, 1);
            let date = Span::new().try_days(days);
            let date = date.and_then(|days| epoch.checked_add(days)).ok();
            // Python's begin with year 1.
            let date = date.filter(|date| date.year() >= 1);
            Value::Date(date.ok_or_else(|| ValueError::OutOfRange(format!("day {days}")))?)
        }
        T::List(_) => {
            let item = match ty {
                ColumnType::List(item) => item.as_column(),
                other => other,
            };
            let items = array.as_list::<i32>().value(at);
            let unreadable = |error: ArrowError| ValueError::Malformed {
                what: "a list".to_owned(),
                why: error.to_string(),
            };
            let items = canonical(&items).map_err(unreadable)?;
            let items = (0..items.len()).map(|at| cell(&items, at, item).map(Given::into_value));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        other => {
            return Err(ValueError::WrongType {
                expected: ty.to_string(),
                found: format!("Arrow's {other}"),
            });
        }
    }))
}
