//! Which version a moment means.
//!
//! A time means everything committed at or before it: by the wall time where a
//! commit recorded one, else by `idx`. A moment at or after a transaction's
//! first version includes all of it. What history does not cover is an error,
//! never an empty answer.

use rusqlite::{Connection, OptionalExtension};

use super::catalog::{Catalog, TableMeta};
use super::{DbResult, writer};
use crate::error::{Error, Result};
use crate::record::Idx;
use crate::time::Moment;

/// The newest version that the moment includes.
pub(crate) fn resolve(
    conn: &Connection,
    catalog: &Catalog,
    moment: Moment,
    now: i64,
) -> Result<Idx> {
    let outside = |why: String| {
        Err(Error::OutsideHistory {
            asked: moment.to_string(),
            why,
        })
    };
    let last = writer::last(conn, catalog)?;
    let asked = match moment {
        Moment::Idx(idx) if idx > last => {
            return outside(format!("the newest version is {}", last.shown()));
        }
        Moment::Idx(idx) => idx,
        Moment::Time(time) => {
            let time = time.as_microsecond();
            if time > now.max(last.as_micros()) {
                return outside(format!(
                    "it is after now and after the newest version, {}",
                    last.shown()
                ));
            }
            Idx(time).max(skewed(conn, time)?).min(last)
        }
    };
    if asked < catalog.begins {
        return outside(format!("history begins at {}", catalog.begins.shown()));
    }
    let whole = conn
        .prepare_cached(
            "SELECT last FROM _dkdc_commits WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
        )
        .and_then(|mut s| {
            s.query_row([asked.as_micros()], |row| row.get(0))
                .optional()
        })
        .db()?;
    let upto = asked.max(Idx(whole.unwrap_or(0)));
    newest(conn, catalog, upto)
}

/// The last version of the newest commit whose recorded wall time is at or
/// before `time`. Only commits made while the clock was behind have one.
fn skewed(conn: &Connection, time: i64) -> Result<Idx> {
    let last: Option<i64> = conn
        .prepare_cached(
            "SELECT last FROM _dkdc_commits WHERE wall IS NOT NULL AND wall <= ?1 \
             ORDER BY last DESC LIMIT 1",
        )
        .and_then(|mut s| s.query_row([time], |row| row.get(0)).optional())
        .db()?;
    Ok(Idx(last.unwrap_or(0)))
}

/// The newest version or event at or before `upto`.
fn newest(conn: &Connection, catalog: &Catalog, upto: Idx) -> Result<Idx> {
    let mut newest = catalog.begins;
    let tables = catalog.tables.iter().map(|meta| meta.sql.table.as_str());
    for table in tables.chain(["_dkdc_events"]) {
        let sql = format!("SELECT idx FROM {table} WHERE idx <= ?1 ORDER BY idx DESC LIMIT 1");
        let found: Option<i64> = conn
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([upto.as_micros()], |row| row.get(0)).optional())
            .db()?;
        newest = newest.max(Idx(found.unwrap_or(0)));
    }
    Ok(newest)
}

/// Refuses a version at which the table's history is gone.
pub(crate) fn check_floor(meta: &TableMeta, asof: Idx) -> Result<()> {
    let floor = meta.schema.floor;
    if asof < floor {
        return Err(Error::OutsideHistory {
            asked: asof.shown(),
            why: format!(
                "the history of table {} begins at {}",
                meta.name(),
                floor.shown()
            ),
        });
    }
    Ok(())
}
