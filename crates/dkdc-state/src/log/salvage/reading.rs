//! Reading a damaged table: its rows as they lie in the file, one after the other.

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::chain::Found;
use super::pages::RowPage;
use super::record::Record;
use super::trees::{Gap, Place, Trees};
use crate::error::Result;
use crate::log::catalog::TableMeta;
use crate::log::hash::Leaf;
use crate::log::{DbResult, damaged, read};
use crate::record::Idx;
use crate::schema::ColumnType;

/// The columns of a log table besides the user's.
const OWN: [&str; 6] = ["idx", "id", "_prev", "_op", "_seal", "_hash"];

/// What comes next in a damaged table.
pub(super) enum Next {
    Row(Box<Found>),
    /// Something cannot be read.
    Gap(Gap),
    End,
}

/// A table on its way.
pub(super) struct Reading {
    places: std::vec::IntoIter<Place>,
    /// The page that is read: its number, and which of its rows is next.
    page: Option<(u32, RowPage, usize)>,
    columns: Vec<Column>,
    /// Makes a row of SQLite's of a record's values.
    sql: String,
    leaf: Leaf,
    /// What was lost besides rows.
    pub(super) lost: Vec<String>,
}

/// A column as it is read: where a record has it, and whether it is a float, which
/// SQLite keeps as an integer where that is the same.
struct Column {
    place: usize,
    is_float: bool,
}

impl Reading {
    /// Begins with what a file's list of tables says of one.
    pub(super) fn begin(conn: &Connection, trees: &Trees, meta: &TableMeta) -> Result<Reading> {
        let root = root(conn, meta.name())?;
        let Some(root) = root.filter(|root| !trees.is_below(*root)) else {
            let what = format!("the list of tables does not lead to table {}", meta.name());
            return Err(damaged(what));
        };
        let (columns, lost) = columns(conn, meta)?;
        let marks: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
        Ok(Reading {
            places: trees.places(root).into_iter(),
            page: None,
            columns,
            sql: format!("SELECT {}", marks.join(", ")),
            leaf: Leaf::default(),
            lost,
        })
    }

    /// The next row, made with the help of any connection.
    pub(super) fn next(
        &mut self,
        trees: &Trees,
        conn: &Connection,
        meta: &TableMeta,
    ) -> Result<Next> {
        loop {
            if let Some((page, rows, at)) = self.page.take() {
                if at == rows.len() {
                    if rows.is_sound {
                        continue;
                    }
                    return Ok(Next::Gap(Gap::Possible));
                }
                let next = self.row((page, &rows, at), trees, conn, meta);
                self.page = Some((page, rows, at + 1));
                return next;
            }
            match self.places.next() {
                None => return Ok(Next::End),
                Some(Place::Gap(gap)) => return Ok(Next::Gap(gap)),
                Some(Place::Rows(page)) => match trees.rows(page) {
                    Some(rows) => self.page = Some((page, rows, 0)),
                    None => return Ok(Next::Gap(Gap::Certain)),
                },
            }
        }
    }

    fn row(
        &mut self,
        (page, rows, at): (u32, &RowPage, usize),
        trees: &Trees,
        conn: &Connection,
        meta: &TableMeta,
    ) -> Result<Next> {
        let Some(idx) = rows.number(at) else {
            return Ok(Next::Gap(Gap::Possible));
        };
        let mut found = Found {
            idx: Idx(idx),
            row: None,
            leaf: None,
            hash: None,
            page,
            goes_on: rows.goes_on(at),
            is_on_sound_page: rows.is_sound,
        };
        let record = trees.pages.record(rows, at, usize::MAX);
        let values: Option<Vec<ValueRef<'_>>> = record
            .as_deref()
            .and_then(Record::new)
            .and_then(Iterator::collect);
        match values {
            Some(values) => self.decode(&values, &mut found, conn, meta)?,
            // Not even the number is believed.
            None if !rows.is_sound => return Ok(Next::Gap(Gap::Possible)),
            None => {}
        }
        Ok(Next::Row(Box::new(found)))
    }

    fn decode(
        &mut self,
        values: &[ValueRef<'_>],
        found: &mut Found,
        conn: &Connection,
        meta: &TableMeta,
    ) -> Result<()> {
        let mut statement = conn.prepare_cached(&self.sql).db()?;
        for (at, column) in self.columns.iter().enumerate() {
            // Rows from before a column was added end before it.
            let value = match values.get(column.place) {
                _ if at == 0 => ValueRef::Integer(found.idx.as_micros()),
                None => ValueRef::Null,
                Some(ValueRef::Integer(value)) if column.is_float => ValueRef::Real(*value as f64),
                Some(value) => *value,
            };
            let bound = statement.raw_bind_parameter(at + 1, ToSqlOutput::Borrowed(value));
            if bound.is_err() {
                // Longer than any value of ours.
                return Ok(());
            }
        }
        let mut rows = statement.raw_query();
        let Some(row) = rows.next().db()? else {
            return Err(damaged("BUG: a row that is always there is not"));
        };
        found.row = read::decode(&meta.schema, row).ok();
        found.leaf = read::leaf(row, meta, &mut self.leaf).ok();
        found.hash = row.get(meta.schema.columns.len() + 5).ok();
        Ok(())
    }
}

/// The first page of a table's tree.
pub(super) fn root(conn: &Connection, table: &str) -> Result<Option<u32>> {
    let sql = "SELECT max(rootpage) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    conn.query_row(sql, [table], |row| row.get(0)).db()
}

/// Where records have a table's columns, in the order in which rows are decoded; and
/// what is wrong with their names. Columns are told apart by their place, which never
/// changes.
fn columns(conn: &Connection, meta: &TableMeta) -> Result<(Vec<Column>, Vec<String>)> {
    let mut names = conn
        .prepare("SELECT name FROM pragma_table_info(?1, 'main') ORDER BY cid")
        .db()?;
    let names = names.query_map([meta.name()], |row| row.get(0)).db()?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>().db()?;
    let schema = &meta.schema;
    let own = OWN.map(|own| names.iter().position(|name| name == own));
    let users = (0..names.len()).filter(|at| !own.contains(&Some(*at)));
    let users: Vec<usize> = users.collect();
    let [
        Some(idx),
        Some(id),
        Some(prev),
        Some(op),
        Some(seal),
        Some(hash),
    ] = own
    else {
        return Err(damaged(format!("table {} lacks a column", meta.name())));
    };
    if users.len() != schema.columns.len() {
        return Err(damaged(format!(
            "table {} has {} columns, but in the list of tables {}",
            meta.name(),
            users.len(),
            schema.columns.len()
        )));
    }
    let mut lost = Vec::new();
    let exact = |place| Column {
        place,
        is_float: false,
    };
    let mut columns: Vec<Column> = [idx, id, prev, op].map(exact).into();
    for (place, column) in users.into_iter().zip(&schema.columns) {
        if names[place] != column.name {
            let (one, other) = (&column.name, &names[place]);
            lost.push(format!("which of {one:?} and {other:?} a column is called"));
        }
        columns.push(Column {
            place,
            is_float: column.ty == ColumnType::Float,
        });
    }
    columns.extend([seal, hash].map(exact));
    Ok((columns, lost))
}
