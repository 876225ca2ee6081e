//! The mapping between columns and Arrow.
//!
//! Standard types only: text, UUIDs and JSON are `Utf8`, moments are
//! `Timestamp(us)` without a zone (UTC), days `Date32`, lists `List`, and a
//! blob is a struct of its hash in hexadecimal and its size.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};

use super::ColumnType;
use super::sql::{Cell, days, is_timestamp};
use crate::record::Value;

/// The Arrow type of a column.
pub(crate) fn data_type(ty: ColumnType) -> DataType {
    match ty {
        ColumnType::Text | ColumnType::Uuid | ColumnType::Json => DataType::Utf8,
        ColumnType::Int => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Bytes => DataType::Binary,
        ColumnType::Blob => DataType::Struct(blob_fields()),
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Date => DataType::Date32,
        ColumnType::List(item) => DataType::List(item_field(item.as_column())),
    }
}

fn blob_fields() -> Fields {
    Fields::from(vec![
        Field::new("hash", DataType::Utf8, true),
        Field::new("size", DataType::Int64, true),
    ])
}

fn item_field(item: ColumnType) -> FieldRef {
    Arc::new(Field::new("item", data_type(item), true))
}

/// Collects the cells of one column.
pub(crate) struct ColumnBuilder {
    ty: ColumnType,
    /// Of numbers of versions, which are times as far as there are such.
    of_versions: bool,
    array: Building,
}

enum Building {
    Text(StringBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Bytes(BinaryBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    Blob {
        hash: StringBuilder,
        size: Int64Builder,
        valid: NullBufferBuilder,
    },
    List {
        items: Box<ColumnBuilder>,
        lengths: Vec<usize>,
        valid: NullBufferBuilder,
    },
}

impl ColumnBuilder {
    pub(crate) fn new(ty: ColumnType, capacity: usize) -> ColumnBuilder {
        let array = match ty {
            ColumnType::Text | ColumnType::Uuid | ColumnType::Json => {
                Building::Text(StringBuilder::with_capacity(capacity, capacity * 8))
            }
            ColumnType::Int => Building::Int(Int64Builder::with_capacity(capacity)),
            ColumnType::Float => Building::Float(Float64Builder::with_capacity(capacity)),
            ColumnType::Bool => Building::Bool(BooleanBuilder::with_capacity(capacity)),
            ColumnType::Bytes => {
                Building::Bytes(BinaryBuilder::with_capacity(capacity, capacity * 8))
            }
            ColumnType::Timestamp => {
                Building::Timestamp(TimestampMicrosecondBuilder::with_capacity(capacity))
            }
            ColumnType::Date => Building::Date(Date32Builder::with_capacity(capacity)),
            ColumnType::Blob => Building::Blob {
                hash: StringBuilder::new(),
                size: Int64Builder::new(),
                valid: NullBufferBuilder::new(capacity),
            },
            ColumnType::List(item) => Building::List {
                items: Box::new(ColumnBuilder::new(item.as_column(), capacity)),
                lengths: Vec::with_capacity(capacity),
                valid: NullBufferBuilder::new(capacity),
            },
        };
        ColumnBuilder {
            ty,
            of_versions: false,
            array,
        }
    }

    /// A column of versions' numbers: any number is one.
    pub(crate) fn of_versions(capacity: usize) -> ColumnBuilder {
        ColumnBuilder {
            of_versions: true,
            ..ColumnBuilder::new(ColumnType::Timestamp, capacity)
        }
    }

    /// Adds a cell as the log holds it.
    ///
    /// # Errors
    /// What was found instead of a value of the column's type.
    pub(crate) fn append_cell(&mut self, cell: Cell<'_>) -> Result<(), String> {
        match (&mut self.array, cell) {
            (Building::Text(b), Cell::Text(t)) => b.append_value(t),
            (Building::Int(b), Cell::Int(i)) => b.append_value(i),
            (Building::Float(b), Cell::Real(f)) => b.append_value(f),
            (Building::Bool(b), Cell::Int(i @ 0..=1)) => b.append_value(i == 1),
            (Building::Bytes(b), Cell::Blob(bytes)) => b.append_value(bytes),
            (Building::Timestamp(b), Cell::Int(i)) if self.of_versions || is_timestamp(i) => {
                b.append_value(i);
            }
            (Building::Date(b), Cell::Int(i)) => b.append_value(day(i)?),
            (_, Cell::Null) => self.append_null(),
            // Rarer, and structured: by way of a value.
            (_, cell) => {
                let value = cell.into_value(self.ty)?;
                return self.append(&value);
            }
        }
        Ok(())
    }

    /// Adds a value of the column's type.
    ///
    /// # Errors
    /// What was found instead.
    pub(crate) fn append(&mut self, value: &Value) -> Result<(), String> {
        match (&mut self.array, value) {
            (_, Value::Null) => self.append_null(),
            (Building::Blob { hash, size, valid }, Value::Blob(blob)) => {
                hash.append_value(blob.hex());
                size.append_value(i64::try_from(blob.size).unwrap_or(i64::MAX));
                valid.append_non_null();
            }
            (
                Building::List {
                    items,
                    lengths,
                    valid,
                },
                Value::List(list),
            ) => {
                for item in list {
                    items.append(item)?;
                }
                lengths.push(list.len());
                valid.append_non_null();
            }
            (Building::Date(b), Value::Date(date)) => b.append_value(day(days(*date))?),
            (Building::Text(_), Value::List(_)) => return Err("a list".to_owned()),
            (
                Building::Text(_)
                | Building::Int(_)
                | Building::Float(_)
                | Building::Bool(_)
                | Building::Bytes(_)
                | Building::Timestamp(_),
                value,
            ) => return self.append_cell(Cell::of(value)),
            (_, value) => return Err(format!("{value} where {} was expected", self.ty)),
        }
        Ok(())
    }

    fn append_null(&mut self) {
        match &mut self.array {
            Building::Text(b) => b.append_null(),
            Building::Int(b) => b.append_null(),
            Building::Float(b) => b.append_null(),
            Building::Bool(b) => b.append_null(),
            Building::Bytes(b) => b.append_null(),
            Building::Timestamp(b) => b.append_null(),
            Building::Date(b) => b.append_null(),
            Building::Blob { hash, size, valid } => {
                hash.append_null();
                size.append_null();
                valid.append_null();
            }
            Building::List { lengths, valid, .. } => {
                lengths.push(0);
                valid.append_null();
            }
        }
    }

    /// The column.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match &mut self.array {
            Building::Text(b) => Arc::new(b.finish()),
            Building::Int(b) => Arc::new(b.finish()),
            Building::Float(b) => Arc::new(b.finish()),
            Building::Bool(b) => Arc::new(b.finish()),
            Building::Bytes(b) => Arc::new(b.finish()),
            Building::Timestamp(b) => Arc::new(b.finish()),
            Building::Date(b) => Arc::new(b.finish()),
            Building::Blob { hash, size, valid } => {
                let columns: Vec<ArrayRef> = vec![Arc::new(hash.finish()), Arc::new(size.finish())];
                Arc::new(StructArray::new(blob_fields(), columns, valid.finish()))
            }
            Building::List {
                items,
                lengths,
                valid,
            } => {
                let offsets = OffsetBuffer::from_lengths(lengths.drain(..));
                let field = item_field(items.ty);
                Arc::new(ListArray::new(
                    field,
                    offsets,
                    items.finish(),
                    valid.finish(),
                ))
            }
        }
    }
}

fn day(days: i64) -> Result<i32, String> {
    i32::try_from(days).map_err(|_| format!("a day that is out of range: {days}"))
}
