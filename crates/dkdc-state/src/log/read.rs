//! Reading records by id: now, as of a version, and their history.
//!
//! Every read names the columns it needs, and decodes them by the type the
//! schema gives; a value that does not fit is damage, never a wrong answer.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::append::{Head, column_number, find_head};
use super::catalog::TableMeta;
use super::hash::{Hash, Leaf};
use super::{DbResult, damaged, recent};
use crate::error::{Error, Result};
use crate::record::{Idx, Op, Value, Version};
use crate::schema::TableSchema;
use crate::schema::sql::Cell;

/// One row of a log table, decoded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LogRow {
    pub(crate) version: Version,
    pub(crate) id: String,
    /// By place of column.
    pub(crate) values: Vec<Value>,
    /// What the values are of.
    pub(crate) schema: Arc<TableSchema>,
}

/// Decodes what [`TableSql::row_columns`](super::format::TableSql) selects.
pub(crate) fn decode(schema: &Arc<TableSchema>, row: &Row<'_>) -> Result<LogRow> {
    let begun = beginning(schema, row)?;
    decode_some(schema, row, begun, None)
}

/// The same, where only the columns at these places were selected: the others are
/// NULL.
pub(crate) fn decode_some(
    schema: &Arc<TableSchema>,
    row: &Row<'_>,
    (version, id): Begun<'_>,
    wanted: Option<&[usize]>,
) -> Result<LogRow> {
    let mut values = Vec::with_capacity(schema.columns.len());
    for at in 0..schema.columns.len() {
        values.push(if wanted.is_some_and(|places| !places.contains(&at)) {
            Value::Null
        } else {
            value(schema, row, (version, id), at)?
        });
    }
    Ok(LogRow {
        version,
        id: id.to_owned(),
        values,
        schema: Arc::clone(schema),
    })
}

/// What every row begins with: its version, and its record's id.
pub(crate) type Begun<'r> = (Version, &'r str);

/// Decodes what every row begins with.
pub(crate) fn beginning<'r>(schema: &TableSchema, row: &'r Row<'_>) -> Result<Begun<'r>> {
    let idx = Idx(row.get(0).db()?);
    let of = |of: String, what: &str| {
        damaged(format!("table {}, version {idx}{of}: {what}", schema.name))
    };
    let id = row.get_ref(1).db()?.as_str();
    let id = id.map_err(|_| of(String::new(), "its id is no text"))?;
    let wrong = |what: &str| of(format!(" of {id:?}"), what);
    let number = |_| wrong("a number is none");
    let prev: Option<i64> = row.get(2).map_err(number)?;
    let code: i64 = row.get(3).map_err(number)?;
    let op = Op::from_code(code).ok_or_else(|| wrong(&format!("unknown op {code}")))?;
    let prev = prev.map(Idx);
    Ok((Version { idx, prev, op }, id))
}

/// What a row has in the column at a place.
pub(crate) fn value(
    schema: &TableSchema,
    row: &Row<'_>,
    (version, id): Begun<'_>,
    at: usize,
) -> Result<Value> {
    let column = &schema.columns[at];
    let cell = Cell::of_ref(row.get_ref(at + 4).db()?);
    let value = match cell {
        Ok(Cell::Null) => Ok(column.absent(version.idx, version.op)),
        Ok(cell) => cell
            .into_value(column.ty)
            .map_err(|what| format!("column {} has {what}", column.name)),
        Err(what) => Err(what.to_owned()),
    };
    value.map_err(|what| {
        let (table, idx) = (&schema.name, version.idx);
        damaged(format!("table {table}, version {idx} of {id:?}: {what}"))
    })
}

/// The leaf hash of a row, selected as `row_columns, _seal`: made of what it says,
/// or in a stub, what it keeps.
pub(crate) fn leaf(row: &Row<'_>, meta: &TableMeta, leaf: &mut Leaf) -> Result<Hash, String> {
    let read = |error: rusqlite::Error| error.to_string();
    let columns = meta.schema.columns.len();
    let id = row.get_ref(1).map_err(read)?;
    let id = id.as_str().map_err(|_| "its id is no text".to_owned())?;
    let prev: Option<i64> = row.get(2).map_err(read)?;
    let op = Op::from_code(row.get(3).map_err(read)?).ok_or("its op is unknown")?;
    let seal = row.get_ref(columns + 4).map_err(read)?;
    let seal = seal
        .as_blob()
        .map_err(|_| "its seal is no blob".to_owned())?;
    if op == Op::Erased {
        let holds = |at: usize| row.get_ref(at).is_ok_and(|cell| cell != ValueRef::Null);
        if !id.is_empty() || prev.is_some() || (0..columns).any(|at| holds(at + 4)) {
            return Err("it is erased, and yet holds something".to_owned());
        }
        return seal
            .try_into()
            .map_err(|_| "its stub has no hash".to_owned());
    }
    leaf.start(seal, meta.schema.number, prev.map(Idx), op, id);
    for at in 0..columns {
        let cell = Cell::of_ref(row.get_ref(at + 4).map_err(read)?)?;
        leaf.column(column_number(at), &cell);
    }
    Ok(leaf.finish())
}

/// What a look for a record's newest version found.
enum Newest {
    Row(LogRow),
    /// No head: there never was such a record, or it was erased.
    None,
    /// The head names a version that the log does not have.
    Lost(Idx),
}

/// The record's current row. A head that leads to no version, or to another
/// record's, is damage: neither "there is none" nor a row that was not asked for.
pub(crate) fn current(conn: &Connection, meta: &TableMeta, id: &str) -> Result<Option<LogRow>> {
    let fresh = meta.schema.columns.len() + 4;
    let newest = recent::look_up(conn, meta, || {
        let mut statement = conn.prepare_cached(&meta.sql.current).db()?;
        let mut rows = statement.query([id]).db()?;
        let Some(row) = rows.next().db()? else {
            return Err(damaged("BUG: a row that is always there is not"));
        };
        let complete: bool = row.get(fresh).db()?;
        let newest = if row.get_ref(0).db()? != ValueRef::Null {
            Newest::Row(decode(&meta.schema, row)?)
        } else {
            let lost: Option<i64> = row.get(fresh + 1).db()?;
            lost.map_or(Newest::None, |idx| Newest::Lost(Idx(idx)))
        };
        Ok((newest, complete))
    })?;
    match newest {
        Newest::Row(row) if row.id != id => Err(anothers(meta, id, row.version.idx)),
        Newest::Row(row) => Ok(Some(row).filter(|row| row.version.op.is_live())),
        Newest::Lost(idx) => Err(nowhere(meta, id, idx)),
        Newest::None => Ok(None),
    }
}

/// The error for a head that leads to another record's version.
fn anothers(meta: &TableMeta, id: &str, idx: Idx) -> Error {
    astray(meta, id, idx, "which is another record's")
}

/// The error for a head that leads to no version.
pub(crate) fn nowhere(meta: &TableMeta, id: &str, idx: Idx) -> Error {
    astray(meta, id, idx, "which is not there")
}

fn astray(meta: &TableMeta, id: &str, idx: Idx, why: &str) -> Error {
    let table = meta.name();
    damaged(format!(
        "table {table}: the head of {id:?} leads to version {idx}, {why}"
    ))
}

/// The row with this `idx`.
pub(crate) fn row(conn: &Connection, meta: &TableMeta, idx: Idx) -> Result<Option<LogRow>> {
    let mut statement = conn.prepare_cached(&meta.sql.row).db()?;
    let mut rows = statement.query([idx.as_micros()]).db()?;
    match rows.next().db()? {
        Some(row) => decode(&meta.schema, row).map(Some),
        None => Ok(None),
    }
}

/// The row with this `idx`, which must be the record's.
pub(crate) fn row_of(
    conn: &Connection,
    meta: &TableMeta,
    id: &str,
    idx: Idx,
) -> Result<Option<LogRow>> {
    match row(conn, meta, idx)? {
        Some(row) if row.id != id => Err(anothers(meta, id, idx)),
        found => Ok(found),
    }
}

/// True when a current record has this id.
pub(crate) fn contains(conn: &Connection, meta: &TableMeta, id: &str) -> Result<bool> {
    recent::look_up(conn, meta, || {
        conn.prepare_cached(&meta.sql.contains)
            .and_then(|mut s| s.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))))
            .db()
    })
}

/// The record's head, whether deleted or not, inside a transaction.
pub(crate) fn head(conn: &Connection, meta: &TableMeta, id: &str) -> Result<Option<Head>> {
    recent::catch_up(conn, meta)?;
    find_head(&mut conn.prepare_cached(&meta.sql.head).db()?, id)
}

/// The number of the record's newest version at or before `asof`.
///
/// Walks `_prev` from the nearest waypoint after `asof`, else from the head: 32
/// steps on average, however many versions are newer.
pub(crate) fn newest(
    conn: &Connection,
    meta: &TableMeta,
    id: &str,
    asof: Idx,
) -> Result<Option<Idx>> {
    let Some(head) = head(conn, meta, id)? else {
        return Ok(None);
    };
    let mut at = head.idx;
    if at > asof {
        let waypoint: Option<i64> = conn
            .prepare_cached(
                "SELECT idx FROM _dkdc_waypoints \
                 WHERE \"table\" = ?1 AND id = ?2 AND idx >= ?3 ORDER BY idx LIMIT 1",
            )
            .and_then(|mut s| {
                s.query_row((meta.schema.number, id, asof.as_micros()), |row| row.get(0))
                    .optional()
            })
            .db()?;
        at = waypoint.map_or(at, Idx);
    }
    let mut step = conn.prepare_cached(&meta.sql.step).db()?;
    while at > asof {
        let next: Option<(String, Option<i64>)> = step
            .query_row([at.as_micros()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .db()?;
        match next {
            Some((of, _)) if of != id => return Err(anothers(meta, id, at)),
            Some((_, Some(prev))) if prev < at.as_micros() => at = Idx(prev),
            Some((_, Some(_))) => {
                return Err(damaged(format!(
                    "table {}, version {at}: it replaces a newer one",
                    meta.name()
                )));
            }
            Some((_, None)) | None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// The record as of a version of the store, deleted or not.
pub(crate) fn as_of(
    conn: &Connection,
    meta: &TableMeta,
    id: &str,
    asof: Idx,
) -> Result<Option<LogRow>> {
    match newest(conn, meta, id, asof)? {
        Some(idx) => row_of(conn, meta, id, idx),
        None => Ok(None),
    }
}

/// Every version of a record up to `asof`, oldest first. A version that is no
/// longer there ends it.
pub(crate) fn history(
    conn: &Connection,
    meta: &TableMeta,
    id: &str,
    asof: Idx,
) -> Result<Vec<LogRow>> {
    let mut rows = Vec::new();
    let mut next = newest(conn, meta, id, asof)?;
    while let Some(idx) = next {
        let Some(found) = row_of(conn, meta, id, idx)? else {
            break;
        };
        next = found.version.prev.filter(|prev| *prev < idx);
        rows.push(found);
    }
    rows.reverse();
    Ok(rows)
}

/// Ids of current records that begin with `prefix`, in order.
pub(crate) fn ids(
    conn: &Connection,
    meta: &TableMeta,
    prefix: &str,
    limit: usize,
) -> Result<Vec<String>> {
    recent::catch_up(conn, meta)?;
    let sql = format!(
        "SELECT id FROM {} WHERE id >= ?1 AND deleted = 0 ORDER BY id LIMIT ?2",
        meta.sql.heads
    );
    let mut statement = conn.prepare_cached(&sql).db()?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((prefix, limit)).db()?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next().db()? {
        let id: String = row.get(0).db()?;
        if !id.starts_with(prefix) {
            break;
        }
        ids.push(id);
    }
    Ok(ids)
}

/// How many current records there are.
pub(crate) fn count(conn: &Connection, meta: &TableMeta) -> Result<u64> {
    recent::catch_up(conn, meta)?;
    let sql = format!("SELECT count(*) FROM {} WHERE deleted = 0", meta.sql.heads);
    let count: i64 = conn
        .prepare_cached(&sql)
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .db()?;
    Ok(u64::try_from(count).unwrap_or(0))
}
