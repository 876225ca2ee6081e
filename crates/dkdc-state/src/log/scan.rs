//! Reading a table's log in order, column by column, for questions over many
//! rows.
//!
//! Each call is one short statement over a range of `idx`; the log is append
//! only, so that calls agree with each other as long as the table is not
//! cleared between them, which the caller sees by its floor.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use rusqlite::Connection;

use super::catalog::TableMeta;
use super::{DbResult, damaged};
use crate::error::Result;
use crate::record::{Idx, Op};
use crate::schema::arrow::{ColumnBuilder, data_type};
use crate::schema::sql::{Cell, quote};
use crate::schema::{ColumnType, TableSchema};

/// A page ends with the row that fills it, however few those are: values may be
/// large, and Arrow counts the bytes of a column in 31 bits.
pub(crate) const PAGE_BYTES: usize = 16 << 20;

/// One column of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scanned {
    Idx,
    Id,
    /// The user's column at this place.
    Column(usize),
    Prev,
    Op,
}

/// All columns of a table, in the order that SQL shows them.
pub(crate) fn all_columns(schema: &TableSchema) -> Vec<Scanned> {
    let mut all = vec![Scanned::Idx, Scanned::Id];
    all.extend((0..schema.columns.len()).map(Scanned::Column));
    all.extend([Scanned::Prev, Scanned::Op]);
    all
}

/// The columns of current rows: what a record is.
pub(crate) fn current_columns(schema: &TableSchema) -> Vec<Scanned> {
    let mut all = all_columns(schema);
    all.retain(|column| !matches!(column, Scanned::Prev | Scanned::Op));
    all
}

impl Scanned {
    /// The column's name in SQL; those of the log's own begin with `_`.
    pub(crate) fn name(self, schema: &TableSchema) -> &str {
        match self {
            Scanned::Idx => "idx",
            Scanned::Id => "id",
            Scanned::Column(at) => &schema.columns[at].name,
            Scanned::Prev => "_prev",
            Scanned::Op => "_op",
        }
    }

    /// Its name between the log and DuckDB, which no rename changes: a view that
    /// was made before one goes on.
    #[cfg(feature = "query")]
    pub(crate) fn label(self) -> String {
        match self {
            Scanned::Idx => "idx".to_owned(),
            Scanned::Id => "id".to_owned(),
            Scanned::Column(at) => format!("c{}", at + 1),
            Scanned::Prev => "_prev".to_owned(),
            Scanned::Op => "_op".to_owned(),
        }
    }

    pub(crate) fn ty(self, schema: &TableSchema) -> ColumnType {
        match self {
            Scanned::Idx | Scanned::Prev => ColumnType::Timestamp,
            Scanned::Op => ColumnType::Int,
            Scanned::Id => ColumnType::Text,
            Scanned::Column(at) => schema.columns[at].ty,
        }
    }

    /// The column's permanent number in the mirror's files.
    pub(crate) fn field_id(self) -> usize {
        match self {
            Scanned::Idx => 1,
            Scanned::Id => 2,
            Scanned::Prev => 3,
            Scanned::Op => 4,
            Scanned::Column(at) => 101 + at,
        }
    }

    pub(crate) fn data_type(self, schema: &TableSchema) -> DataType {
        data_type(self.ty(schema))
    }
}

/// The Arrow schema of a scan.
pub(crate) fn arrow_schema(schema: &TableSchema, columns: &[Scanned]) -> SchemaRef {
    let field = |c: &Scanned| {
        let id = ("PARQUET:field_id".to_owned(), c.field_id().to_string());
        Field::new(c.name(schema), c.data_type(schema), true)
            .with_metadata(std::collections::HashMap::from([id]))
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// A table's newest version; zero when there is none.
#[cfg(feature = "query")]
pub(crate) fn newest(conn: &Connection, meta: &TableMeta) -> Result<Idx> {
    let sql = format!("SELECT coalesce(max(idx), 0) FROM {}", meta.sql.table);
    conn.prepare_cached(&sql)
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .map(Idx)
        .db()
}

/// True when a range of a table has more than so many rows.
#[cfg(feature = "query")]
pub(crate) fn is_longer(
    conn: &Connection,
    meta: &TableMeta,
    (after, upto): (Idx, Idx),
    rows: usize,
) -> Result<bool> {
    let sql = format!(
        "SELECT 1 FROM {} WHERE idx > ?1 AND idx <= ?2 LIMIT 1 OFFSET {rows}",
        meta.sql.table
    );
    conn.prepare_cached(&sql)
        .and_then(|mut s| s.exists((after.as_micros(), upto.as_micros())))
        .db()
}

/// The next rows after one version, up to another, in order: at most `limit`, or
/// [`PAGE_BYTES`]. `None` when there are none. The second value is the last
/// row's number.
pub(crate) fn batch(
    conn: &Connection,
    meta: &TableMeta,
    columns: &[Scanned],
    (after, upto): (Idx, Idx),
    limit: usize,
) -> Result<Option<(RecordBatch, Idx)>> {
    let schema = &meta.schema;
    let mut sql = "SELECT idx, _op".to_owned();
    for column in columns {
        sql += ", ";
        sql += &quote(column.name(schema));
    }
    sql += &format!(
        " FROM {} WHERE idx > ?1 AND idx <= ?2 ORDER BY idx LIMIT ?3",
        meta.sql.table
    );
    let mut statement = conn.prepare_cached(&sql).db()?;
    let limit_sql = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement
        .query((after.as_micros(), upto.as_micros(), limit_sql))
        .db()?;
    let mut builders: Vec<ColumnBuilder> = columns
        .iter()
        .map(|column| match column {
            Scanned::Idx | Scanned::Prev => ColumnBuilder::of_versions(limit.min(1 << 16)),
            column => ColumnBuilder::new(column.ty(schema), limit.min(1 << 16)),
        })
        .collect();
    let mut last = None;
    let (mut count, mut bytes) = (0, 0);
    while bytes < PAGE_BYTES
        && let Some(row) = rows.next().db()?
    {
        let idx = Idx(row.get(0).db()?);
        let op = Op::from_code(row.get(1).db()?);
        for (at, (builder, column)) in builders.iter_mut().zip(columns).enumerate() {
            let cell = Cell::of_ref(row.get_ref(at + 2).db()?).map_err(str::to_owned);
            let appended = cell.and_then(|cell| match (cell, column, op) {
                (Cell::Null, Scanned::Column(at), Some(op)) => {
                    let value = schema.columns[*at].absent(idx, op);
                    bytes += Cell::of(&value).bytes();
                    builder.append(&value)
                }
                (cell, _, _) => {
                    bytes += cell.bytes();
                    builder.append_cell(cell)
                }
            });
            appended.map_err(|what| {
                damaged(format!(
                    "table {}, version {idx}: column {} has {what}",
                    schema.name,
                    column.name(schema)
                ))
            })?;
        }
        last = Some(idx);
        count += 1;
    }
    let Some(last) = last else { return Ok(None) };
    let arrays: Vec<ArrayRef> = builders.iter_mut().map(ColumnBuilder::finish).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let batch = RecordBatch::try_new_with_options(arrow_schema(schema, columns), arrays, &options);
    let batch = batch.map_err(|error| damaged(format!("BUG: {error}")))?;
    Ok(Some((batch, last)))
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;
    use crate::schema::{ColumnDef, TableDef};
    use crate::state::{Row, State};

    /// The failure to prevent: a page of large values that fills the memory, or
    /// more bytes in one column than Arrow can count.
    #[test]
    fn a_page_ends_when_it_is_large_and_the_scan_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = State::open(folder.path().join("data.db")).expect("a store");
        let def = TableDef::new("t").column(ColumnDef::new("body", ColumnType::Text));
        let table = state.define(&def).expect("a table");
        for n in 0..64 {
            let row = Row::new(format!("{n:02}")).with("body", "x".repeat(1 << 20));
            table.append(&row).expect("new");
        }
        // Rows that lack a column have its default, which counts as well.
        let late = ColumnDef::new("late", ColumnType::Text).default("y".repeat(1 << 20));
        state.define(&def.column(late)).expect("a column");
        let (mut after, mut sizes) = (Idx::ZERO, Vec::new());
        loop {
            let page = state.store().read(|conn, catalog| {
                let meta = catalog.by_number(1)?;
                let columns = all_columns(&meta.schema);
                batch(conn, meta, &columns, (after, Idx(i64::MAX)), 1 << 14)
            });
            let Some((page, last)) = page.expect("a page") else {
                break;
            };
            let bodies = page.column(2).as_string::<i32>();
            assert!(bodies.iter().all(|b| b.is_some_and(|b| b.len() == 1 << 20)));
            sizes.push(page.num_rows());
            after = last;
        }
        assert_eq!(sizes, [8; 8]);
    }
}
