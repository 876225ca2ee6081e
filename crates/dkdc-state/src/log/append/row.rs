//! One row into the log: bound, hashed and chained in one go, so that a value is
//! looked at once; or hashed before, by whoever makes writes ahead.

use rusqlite::CachedStatement;

use crate::error::Result;
use crate::log::DbResult;
use crate::log::catalog::TableMeta;
use crate::log::hash::{self, Hash, Leaf, Salt, Salts};
use crate::record::{Given, Idx, Op, Version};
use crate::schema::sql::Cell;

/// What hashing rows needs, kept from row to row.
#[derive(Default)]
pub(crate) struct Scribe {
    salts: Salts,
    leaf: Leaf,
}

/// A row's leaf hash, and what salts it.
pub(crate) struct Salted {
    salt: Salt,
    leaf: Hash,
}

impl Scribe {
    /// The leaf of the row that appends a record which never was there.
    pub(super) fn first(
        &mut self,
        table: u32,
        id: &str,
        values: &[Option<Given<'_>>],
    ) -> Result<Salted> {
        let salt = self.salts.take()?;
        self.leaf.start(&salt, table, None, Op::Append, id);
        for (at, value) in values.iter().enumerate() {
            let cell = value.as_ref().map_or(Cell::Null, Given::cell);
            self.leaf.column(column_number(at), &cell);
        }
        let leaf = self.leaf.finish();
        Ok(Salted { salt, leaf })
    }
}

/// Where a row's leaf comes from.
pub(crate) enum Hashed<'s> {
    Before(Salted),
    Now(&'s mut Scribe),
}

/// Inserts one row into a log table, with the statement
/// [`TableSql::insert`](super::format::TableSql), and returns its hash, chained
/// to `previous`. Columns beyond the cells given are NULL.
pub(crate) fn insert_row<'v>(
    meta: &TableMeta,
    insert: &mut CachedStatement<'_>,
    hashed: Hashed<'_>,
    previous: &Hash,
    id: &str,
    version: Version,
    cells: impl IntoIterator<Item = Cell<'v>>,
) -> Result<Hash> {
    let columns = meta.schema.columns.len();
    let Version { idx, prev, op } = version;
    insert.raw_bind_parameter(1, idx.as_micros()).db()?;
    insert.raw_bind_parameter(2, id).db()?;
    let mut cells = cells.into_iter();
    let cells = (0..columns).map(|at| (at, cells.next().unwrap_or(Cell::Null)));
    let Salted { salt, leaf } = match hashed {
        Hashed::Before(salted) => {
            for (at, cell) in cells {
                insert.raw_bind_parameter(at + 3, &cell).db()?;
            }
            salted
        }
        Hashed::Now(Scribe { salts, leaf }) => {
            let salt = salts.take()?;
            leaf.start(&salt, meta.schema.number, prev, op, id);
            for (at, cell) in cells {
                leaf.column(column_number(at), &cell);
                insert.raw_bind_parameter(at + 3, &cell).db()?;
            }
            let leaf = leaf.finish();
            Salted { salt, leaf }
        }
    };
    let hash = hash::link(previous, idx, &leaf);
    insert
        .raw_bind_parameter(columns + 3, prev.map(Idx::as_micros))
        .db()?;
    insert.raw_bind_parameter(columns + 4, op.code()).db()?;
    insert.raw_bind_parameter(columns + 5, salt).db()?;
    insert.raw_bind_parameter(columns + 6, hash).db()?;
    insert.raw_execute().db()?;
    Ok(hash)
}

/// The permanent number of the column at a place.
pub(crate) fn column_number(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}
