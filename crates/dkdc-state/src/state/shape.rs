//! How one kind of record meets its table.
//!
//! A [`Shape`] translates between a record and the columns of the stored table:
//! for a derived type by the permanent numbers of its columns, for a [`Row`] by
//! their names. Every handle reads and writes through one.

use std::borrow::Cow;
use std::sync::Arc;

use super::Row;
use super::select::Select;
use crate::error::{Error, Result};
use crate::log::Reader;
use crate::log::append::{Action, Existing, Write};
use crate::log::catalog::TableMeta;
use crate::log::list::{self, Scope};
use crate::log::read::LogRow;
use crate::record::{Given, Idx, Record, ValueError, Values, Versioned};
use crate::schema::TableSchema;

/// Values by place of column; `None`: not named.
pub(crate) type Cells<'r> = Vec<Option<Given<'r>>>;

/// The translation of records `R` of one table.
pub(crate) struct Shape<R> {
    /// The table's permanent number.
    pub(crate) table: u32,
    /// For a derived type: the place in the table of each of its columns.
    places: Arc<[usize]>,
    /// A derived type: no other columns are needed.
    typed: bool,
    id: fn(&R) -> Cow<'_, str>,
    encode: for<'r> fn(&'r R, &[usize], &TableSchema) -> Result<Cells<'r>>,
    decode: fn(LogRow, &[usize]) -> Result<R>,
}

impl<R> Clone for Shape<R> {
    fn clone(&self) -> Shape<R> {
        Shape {
            places: Arc::clone(&self.places),
            ..*self
        }
    }
}

impl<R: Record> Shape<R> {
    /// The shape of a derived type, whose declaration the table has met.
    pub(crate) fn typed(schema: &TableSchema) -> Result<Shape<R>> {
        let declared = R::table();
        let places = declared
            .columns
            .iter()
            .map(|column| schema.column(&column.name).map(|(at, _)| at))
            .collect::<Result<_>>()?;
        Ok(Shape {
            table: schema.number,
            places,
            typed: true,
            id: R::id,
            encode: |record, places, schema| {
                let invalid = |source| invalid(schema, &record.id(), source);
                let values = record.give().map_err(invalid)?;
                placed(schema, &record.id(), values, places)
            },
            decode: |mut row, places| {
                let in_place = places.iter().copied().eq(0..row.values.len());
                let mut values = Values::new(if in_place {
                    row.values
                } else {
                    let take = |at: &usize| std::mem::take(&mut row.values[*at]);
                    places.iter().map(take).collect()
                });
                let id = row.id.clone();
                R::from_values(row.id, &mut values)
                    .map_err(|source| invalid(&row.schema, &id, source))
            },
        })
    }
}

impl Shape<Row> {
    /// The shape of rows by name.
    pub(crate) fn untyped(table: u32) -> Shape<Row> {
        Shape {
            table,
            places: Arc::new([]),
            typed: false,
            id: |row| Cow::Borrowed(&row.id),
            encode: |row, _, schema| {
                let mut cells = Cells::new();
                cells.resize_with(schema.columns.len(), || None);
                for (name, value) in &row.fields {
                    let (at, column) = schema.column(name)?;
                    let checked = value.check_depth();
                    let value = checked.and_then(|()| Given::of(value).check(column.ty));
                    let value =
                        value.map_err(|e| invalid(schema, &row.id, e.in_column(&column.name)))?;
                    if cells[at].replace(value).is_some() {
                        return Err(named_twice(schema, &column.name));
                    }
                }
                Ok(cells)
            },
            decode: |row, _| Ok(Row::from_log(row)),
        }
    }
}

impl<R> Shape<R> {
    /// The write that puts a record.
    pub(crate) fn put<'r>(
        &self,
        schema: &TableSchema,
        record: &'r R,
        existing: Existing,
        expected: Option<Idx>,
    ) -> Result<Write<'r>> {
        let cells = (self.encode)(record, &self.places, schema)?;
        Ok(Write {
            id: (self.id)(record),
            action: Action::Put(existing, cells),
            expected,
        })
    }

    /// Records of a list, of which only the columns that they have are read.
    pub(crate) fn list(
        &self,
        conn: &Reader,
        meta: &TableMeta,
        listed: (&Select, Scope),
    ) -> Result<Vec<Versioned<R>>> {
        let wanted = self.typed.then_some(&*self.places);
        list::list_made(conn, meta, listed, wanted, |row| self.live(row))
    }

    /// A live row as a record.
    pub(crate) fn live(&self, row: LogRow) -> Result<Versioned<R>> {
        let version = row.version;
        let record = (self.decode)(row, &self.places)?;
        Ok(Versioned { version, record })
    }

    /// A row as a record, if it holds one.
    pub(crate) fn any(&self, row: LogRow) -> Result<Versioned<Option<R>>> {
        let version = row.version;
        let live = version.op.is_live();
        let record = live.then(|| (self.decode)(row, &self.places)).transpose()?;
        Ok(Versioned { version, record })
    }
}

/// Values for the columns at these places, checked.
pub(crate) fn placed<'r>(
    schema: &TableSchema,
    id: &str,
    values: Vec<Given<'r>>,
    places: &[usize],
) -> Result<Cells<'r>> {
    if values.len() != places.len() {
        return Err(Error::InvalidRow {
            table: schema.name.clone(),
            why: format!(
                "the record gives {} values for {} columns",
                values.len(),
                places.len()
            ),
        });
    }
    let mut cells = Vec::new();
    cells.resize_with(schema.columns.len(), || None);
    for (value, at) in values.into_iter().zip(places) {
        let column = &schema.columns[*at];
        let value = value.check(column.ty);
        let value = value.map_err(|e| invalid(schema, id, e.in_column(&column.name)))?;
        cells[*at] = Some(value);
    }
    Ok(cells)
}

/// A column that a row names twice.
pub(crate) fn named_twice(schema: &TableSchema, column: &str) -> Error {
    Error::InvalidRow {
        table: schema.name.clone(),
        why: format!("column {column} is named twice"),
    }
}

fn invalid(schema: &TableSchema, id: &str, source: ValueError) -> Error {
    Error::InvalidValue {
        table: schema.name.clone(),
        id: id.to_owned(),
        source,
    }
}
