//! Arrow's columns as cells: answers in SQL on their way out, Parquet files on
//! their way in.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use jiff::Timestamp;

use super::cell::Cell;
use super::{Column, Sheet};
use crate::exit::{Code, Failure, Result};

/// Batches as a sheet, one batch in memory at a time.
pub(crate) fn batches<'a>(
    schema: &Schema,
    batches: impl Iterator<Item = Result<RecordBatch>> + 'a,
) -> Sheet<'a> {
    let fields = schema.fields().iter();
    let columns = fields.map(|field| Column::new(field.name(), ibis_name(field)));
    let rows = batches.flat_map(|batch| -> Box<dyn Iterator<Item = Result<Vec<Cell>>>> {
        match batch {
            Ok(batch) => Box::new((0..batch.num_rows()).map(move |at| row(&batch, at))),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    });
    Sheet::streamed(columns.collect(), Box::new(rows))
}

fn row(batch: &RecordBatch, at: usize) -> Result<Vec<Cell>> {
    batch
        .columns()
        .iter()
        .map(|column| cell_of(column, at))
        .collect()
}

/// What Ibis calls a field's type.
fn ibis_name(field: &Field) -> String {
    let extension = field.metadata().get("ARROW:extension:name");
    match extension.map(String::as_str) {
        Some("arrow.uuid") => "uuid".to_owned(),
        Some("arrow.json") => "json".to_owned(),
        _ => ibis_type(field.data_type()),
    }
}

fn ibis_type(ty: &DataType) -> String {
    match ty {
        DataType::Null => "null".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "binary".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "time".to_owned(),
        DataType::Timestamp(unit, None) => format!("timestamp({})", digits(*unit)),
        DataType::Timestamp(unit, Some(zone)) => {
            format!("timestamp('{zone}', {})", digits(*unit))
        }
        DataType::Interval(_) | DataType::Duration(_) => "interval".to_owned(),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => format!("decimal({p}, {s})"),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => format!("array<{}>", ibis_name(item)),
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|f| format!("{}: {}", f.name(), ibis_name(f)));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(", "))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                let names = fields.iter().map(|field| ibis_name(field));
                format!("map<{}>", names.collect::<Vec<_>>().join(", "))
            }
            _ => "map".to_owned(),
        },
        DataType::Dictionary(_, values) => ibis_type(values),
        // Int8 to UInt64, Float16 to Float64: called the same, in lower case.
        other => other.to_string().to_lowercase(),
    }
}

fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// One value of a column.
///
/// # Errors
/// A value that Arrow itself cannot show.
pub(crate) fn cell_of(array: &dyn Array, at: usize) -> Result<Cell> {
    if array.is_null(at) {
        return Ok(Cell::Null);
    }
    Ok(match array.data_type() {
        DataType::Null => Cell::Null,
        DataType::Boolean => Cell::Bool(array.as_boolean().value(at)),
        DataType::Int8 => Cell::Int(array.as_primitive::<Int8Type>().value(at).into()),
        DataType::Int16 => Cell::Int(array.as_primitive::<Int16Type>().value(at).into()),
        DataType::Int32 => Cell::Int(array.as_primitive::<Int32Type>().value(at).into()),
        DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(at)),
        DataType::UInt8 => Cell::Int(array.as_primitive::<UInt8Type>().value(at).into()),
        DataType::UInt16 => Cell::Int(array.as_primitive::<UInt16Type>().value(at).into()),
        DataType::UInt32 => Cell::Int(array.as_primitive::<UInt32Type>().value(at).into()),
        DataType::UInt64 => Cell::from(array.as_primitive::<UInt64Type>().value(at)),
        DataType::Float32 => single(array.as_primitive::<Float32Type>().value(at)),
        DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(at)),
        DataType::Utf8 => Cell::from(array.as_string::<i32>().value(at)),
        DataType::LargeUtf8 => Cell::from(array.as_string::<i64>().value(at)),
        DataType::Utf8View => Cell::from(array.as_string_view().value(at)),
        DataType::Binary => Cell::Bytes(array.as_binary::<i32>().value(at).to_vec()),
        DataType::LargeBinary => Cell::Bytes(array.as_binary::<i64>().value(at).to_vec()),
        DataType::BinaryView => Cell::Bytes(array.as_binary_view().value(at).to_vec()),
        DataType::FixedSizeBinary(_) => {
            Cell::Bytes(array.as_fixed_size_binary().value(at).to_vec())
        }
        DataType::Date32 => date(array, at)?,
        DataType::Timestamp(unit, _) => timestamp(array, *unit, at)?,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Cell::Digits(formatted(array, at)?),
        DataType::List(_) => list(&*array.as_list::<i32>().value(at))?,
        DataType::LargeList(_) => list(&*array.as_list::<i64>().value(at))?,
        DataType::FixedSizeList(..) => list(&*array.as_fixed_size_list().value(at))?,
        DataType::Struct(_) => structure(array, at)?,
        DataType::Map(..) => list(&array.as_map().value(at))?,
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            cell_of(dictionary.values(), dictionary.normalized_keys()[at])?
        }
        _ => Cell::Text(formatted(array, at)?),
    })
}

/// The shortest digits that mean the same `f32`, rather than all of an `f64`.
fn single(value: f32) -> Cell {
    match value.to_string().parse() {
        Ok(float) => Cell::Float(float),
        Err(_) => Cell::Float(value.into()),
    }
}

/// Days are text in every format; jiff's years end sooner than Arrow's.
fn date(array: &dyn Array, at: usize) -> Result<Cell> {
    let days = array.as_primitive::<Date32Type>().value(at);
    if let Some(infinite) = infinite(days.into(), i32::MAX.into()) {
        return Ok(infinite);
    }
    let epoch = jiff::civil::date(1970, 1, 1);
    let span = jiff::Span::new().try_days(days);
    match span.and_then(|span| epoch.checked_add(span)) {
        Ok(date) => Ok(Cell::Text(date.to_string())),
        Err(_) => formatted(array, at).map(Cell::Text),
    }
}

/// DuckDB has a day and a time after all others, and one before.
fn infinite(value: i64, most: i64) -> Option<Cell> {
    let text = match value {
        value if value == most => "infinity",
        value if value == -most => "-infinity",
        _ => return None,
    };
    Some(Cell::from(text))
}

fn timestamp(array: &dyn Array, unit: TimeUnit, at: usize) -> Result<Cell> {
    if unit == TimeUnit::Microsecond {
        let micros = array.as_primitive::<TimestampMicrosecondType>().value(at);
        if let Some(infinite) = infinite(micros, i64::MAX) {
            return Ok(infinite);
        }
    }
    let time = match unit {
        TimeUnit::Second => {
            Timestamp::from_second(array.as_primitive::<TimestampSecondType>().value(at))
        }
        TimeUnit::Millisecond => {
            Timestamp::from_millisecond(array.as_primitive::<TimestampMillisecondType>().value(at))
        }
        TimeUnit::Microsecond => {
            Timestamp::from_microsecond(array.as_primitive::<TimestampMicrosecondType>().value(at))
        }
        TimeUnit::Nanosecond => {
            let nanos = array.as_primitive::<arrow_array::types::TimestampNanosecondType>();
            Timestamp::from_nanosecond(nanos.value(at).into())
        }
    };
    match time {
        Ok(time) => Ok(Cell::Timestamp(time)),
        Err(_) => formatted(array, at).map(Cell::Text),
    }
}

fn list(items: &dyn Array) -> Result<Cell> {
    let cells = (0..items.len()).map(|at| cell_of(items, at));
    Ok(Cell::List(cells.collect::<Result<_>>()?))
}

fn structure(array: &dyn Array, at: usize) -> Result<Cell> {
    let array = array.as_struct();
    let fields = array.fields().iter().zip(array.columns());
    let cells = fields.map(|(field, column)| Ok((field.name().clone(), cell_of(column, at)?)));
    Ok(Cell::Struct(cells.collect::<Result<_>>()?))
}

fn formatted(array: &dyn Array, at: usize) -> Result<String> {
    let failed = |error: arrow_schema::ArrowError| Failure::new(Code::Failure, error.to_string());
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options).map_err(failed)?;
    formatter.value(at).try_to_string().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, Decimal128Array, DictionaryArray, Float32Array, Int64Array, ListArray,
        StringArray, StructArray, TimestampMillisecondArray, UInt64Array,
    };

    use super::*;

    fn one(array: impl Array + 'static) -> (String, Cell) {
        let array: ArrayRef = Arc::new(array);
        (
            ibis_type(array.data_type()),
            cell_of(&array, 0).expect("a cell"),
        )
    }

    #[test]
    fn numbers_stay_exact() {
        let sum = Decimal128Array::from(vec![170_000_000_000_000_000_000_i128])
            .with_precision_and_scale(38, 0)
            .expect("a decimal");
        let digits = Cell::Digits("170000000000000000000".to_owned());
        assert_eq!(one(sum), ("decimal(38, 0)".to_owned(), digits));
        let cents = Decimal128Array::from(vec![-105_i128])
            .with_precision_and_scale(10, 2)
            .expect("a decimal");
        assert_eq!(one(cents).1, Cell::Digits("-1.05".to_owned()));
        let large = Cell::Digits(u64::MAX.to_string());
        assert_eq!(
            one(UInt64Array::from(vec![u64::MAX])),
            ("uint64".to_owned(), large)
        );
        assert_eq!(one(Float32Array::from(vec![0.1])).1, Cell::Float(0.1));
    }

    #[test]
    fn times_and_texts_are_what_they_are() {
        let time = TimestampMillisecondArray::from(vec![1_732_730_565_321]);
        let expected: Timestamp = "2024-11-27T18:02:45.321Z".parse().expect("a timestamp");
        assert_eq!(
            one(time),
            ("timestamp(3)".to_owned(), Cell::Timestamp(expected))
        );
        let enumeration: DictionaryArray<Int8Type> = ["a", "b"].into_iter().collect();
        assert_eq!(one(enumeration), ("string".to_owned(), Cell::from("a")));
    }

    #[test]
    fn what_is_infinite_is_called_so() {
        let days = arrow_array::Date32Array::from(vec![i32::MAX]);
        assert_eq!(one(days).1, Cell::from("infinity"));
        let days = arrow_array::Date32Array::from(vec![-i32::MAX]);
        assert_eq!(one(days).1, Cell::from("-infinity"));
        let times = arrow_array::TimestampMicrosecondArray::from(vec![-i64::MAX]);
        assert_eq!(one(times).1, Cell::from("-infinity"));
    }

    #[test]
    fn lists_and_structs_nest() {
        let items = [Some(vec![Some(1), None]), None];
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>(items);
        let expected = Cell::List(vec![Cell::Int(1), Cell::Null]);
        assert_eq!(one(list), ("array<int64>".to_owned(), expected));
        let field = |name, ty| Arc::new(Field::new(name, ty, true));
        let point = StructArray::from(vec![
            (
                field("x", DataType::Int64),
                Arc::new(Int64Array::from(vec![1])) as ArrayRef,
            ),
            (
                field("s", DataType::Utf8),
                Arc::new(StringArray::from(vec!["a"])) as ArrayRef,
            ),
        ]);
        let (ty, cell) = one(point);
        assert_eq!(ty, "struct<x: int64, s: string>");
        let fields = vec![
            ("x".to_owned(), Cell::Int(1)),
            ("s".to_owned(), Cell::from("a")),
        ];
        assert_eq!(cell, Cell::Struct(fields));
    }
}
