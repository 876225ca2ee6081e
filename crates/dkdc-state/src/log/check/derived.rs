//! What is derived from the log's rows, and the contents they name.

use rusqlite::Connection;

use super::{Damage, LINES, count};
use crate::error::{Error, Result};
use crate::log::catalog::{Catalog, TableMeta};
use crate::log::format::{self, DEAD, is_waypoint};
use crate::log::{DbResult, chunks, index, read, recent, writer};
use crate::record::{Idx, Op};
use crate::schema::ColumnType;
use crate::schema::sql::quote;

/// Compares the head table with the log up to where it is complete: for each id
/// its newest version, and whether it is live; and each `_prev` with the version
/// before.
pub(super) fn heads(conn: &Connection, meta: &TableMeta, damage: &mut Damage) -> Result<()> {
    let (log, head) = (&meta.sql.table, &meta.sql.head_table);
    let floor = meta.schema.floor.as_micros();
    let upto = recent::folded(conn, meta)?;
    const ERASED: u8 = Op::Erased as u8;
    let sql = format!(
        "WITH l AS (SELECT idx, id, _prev, _op, \
                      lag(idx) OVER w AS before, lead(idx) OVER w AS after \
                    FROM {log} WHERE _op <> {ERASED} WINDOW w AS (PARTITION BY id ORDER BY idx)), \
              c AS (SELECT l.idx, l.id, \
                      l._prev IS NOT l.before AND coalesce(l._prev, 0) >= {floor} AS link, \
                      l.idx <= {upto} AND coalesce(l.after > {upto}, 1) \
                        AND (h.idx IS NOT l.idx OR h.deleted IS NOT (l._op IN ({DEAD}))) AS head \
                    FROM l LEFT JOIN {head} h ON h.id = l.id) \
         SELECT idx, id, link FROM c WHERE link OR head LIMIT {LINES}"
    );
    let mut statement = conn.prepare(&sql).db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let (idx, id): (i64, String) = (row.get(0).db()?, row.get(1).db()?);
        if row.get(2).db()? {
            damage.add(format!(
                "version {idx} of {id:?} does not name the one it replaced"
            ));
        } else {
            damage.add(format!(
                "the head of {id:?} does not fit its newest version, {idx}"
            ));
        }
    }
    let sql = format!(
        "SELECT h.id FROM {head} h LEFT JOIN {log} l ON l.idx = h.idx AND l.id = h.id \
         WHERE l.idx IS NULL OR h.idx > {upto} LIMIT {LINES}"
    );
    let mut statement = conn.prepare(&sql).db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let id: String = row.get(0).db()?;
        damage.add(format!("the head of {id:?} names no version"));
    }
    Ok(())
}

/// Compares the waypoints with the log: there is one for each version that is to
/// have one, and no other.
pub(super) fn waypoints(conn: &Connection, meta: &TableMeta, damage: &mut Damage) -> Result<()> {
    let number = meta.schema.number;
    let mut find = conn
        .prepare("SELECT 1 FROM _dkdc_waypoints WHERE \"table\" = ?1 AND id = ?2 AND idx = ?3")
        .db()?;
    let replacing = format!(
        "SELECT idx, id FROM {} WHERE _prev IS NOT NULL",
        meta.sql.table
    );
    let mut statement = conn.prepare(&replacing).db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let (idx, id): (i64, String) = (row.get(0).db()?, row.get(1).db()?);
        if is_waypoint(Idx(idx)) && !find.exists((number, &id, idx)).db()? {
            damage.add(format!(
                "the waypoint of {id:?} at version {idx} is missing"
            ));
        }
    }
    let there = format!(
        "SELECT w.idx, w.id, l._prev FROM _dkdc_waypoints w \
         LEFT JOIN {} l ON l.idx = w.idx AND l.id = w.id WHERE w.\"table\" = {number}",
        meta.sql.table
    );
    let mut statement = conn.prepare(&there).db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let (idx, id): (i64, String) = (row.get(0).db()?, row.get(1).db()?);
        let replaces: Option<i64> = row.get(2).db()?;
        if replaces.is_none() || !is_waypoint(Idx(idx)) {
            damage.add(format!(
                "the waypoint of {id:?} at version {idx} leads astray"
            ));
        }
    }
    Ok(())
}

/// Compares one index with the current records.
pub(super) fn entries(
    conn: &Connection,
    meta: &TableMeta,
    at: usize,
    damage: &mut Damage,
) -> Result<()> {
    recent::catch_up(conn, meta)?;
    let def = &meta.schema.indexes[at];
    let name = quote(&format::index_name(meta.name(), def.number));
    let sql = format!(
        "SELECT {} FROM {} h CROSS JOIN {} l ON l.idx = h.idx WHERE h.deleted = 0",
        meta.sql.row_columns, meta.sql.heads, meta.sql.table
    );
    let mut statement = conn.prepare(&sql).db()?;
    let mut find = conn
        .prepare(&format!("SELECT 1 FROM {name} WHERE key = ?1 AND id = ?2"))
        .db()?;
    let mut rows = statement.query([]).db()?;
    let mut expected = 0;
    while let Some(row) = rows.next().db()? {
        let row = match read::decode(&meta.schema, row) {
            Ok(row) => row,
            Err(Error::Damaged { what, .. }) => {
                damage.add(what);
                continue;
            }
            Err(error) => return Err(error),
        };
        let Some(key) = index::key(def, &row.id, row.version.idx, &row.values) else {
            continue;
        };
        expected += 1;
        if !find.exists((key, &row.id)).db()? {
            damage.add(format!("index {} does not have {:?}", def.number, row.id));
        }
    }
    let found = count(conn, &name)?;
    if found != expected {
        damage.add(format!(
            "index {} has {found} entries, not {expected}",
            def.number
        ));
    }
    Ok(())
}

/// Every content that a version names is there.
pub(super) fn named_contents(
    conn: &Connection,
    meta: &TableMeta,
    damage: &mut Damage,
) -> Result<()> {
    let columns = meta.schema.columns.iter();
    for column in columns.filter(|column| column.ty == ColumnType::Blob) {
        let sql = format!(
            "SELECT l.idx, l.id FROM {log} l WHERE l.{name} IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM _dkdc_chunks c WHERE c.hash = substr(l.{name}, 1, 32) AND c.codec < 3) LIMIT {LINES}",
            log = meta.sql.table,
            name = quote(&column.name),
        );
        let mut statement = conn.prepare(&sql).db()?;
        let mut rows = statement.query([]).db()?;
        while let Some(row) = rows.next().db()? {
            let (idx, id): (i64, String) = (row.get(0).db()?, row.get(1).db()?);
            damage.add(format!(
                "version {idx} of {id:?}: the content of column {} is gone",
                column.name
            ));
        }
    }
    Ok(())
}

/// The commits follow each other, and none is newer than what there is.
pub(super) fn commits(
    conn: &Connection,
    catalog: &Catalog,
    damage: &mut Vec<String>,
) -> Result<()> {
    let newest = writer::last(conn, catalog)?.as_micros();
    let mut statement = conn
        .prepare(&format!(
            "SELECT first FROM (SELECT first, last, lag(last) OVER (ORDER BY first) AS before \
             FROM _dkdc_commits) WHERE last < first OR before >= first OR last > ?1 LIMIT {LINES}"
        ))
        .db()?;
    let mut rows = statement.query([newest]).db()?;
    while let Some(row) = rows.next().db()? {
        let first: i64 = row.get(0).db()?;
        damage.push(format!(
            "the commit that begins at {first} is not what was written"
        ));
    }
    Ok(())
}

/// Hashes every content again.
pub(super) fn contents(conn: &Connection, damage: &mut Damage) -> Result<()> {
    chunks::verify(conn, |number, what| {
        damage.add(format!("content {number} {what}"));
    })
}
