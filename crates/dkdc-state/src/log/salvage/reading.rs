//! Reading a damaged table in order: what cannot be read is skipped, and said.

use std::cell::RefCell;

use rusqlite::{Connection, Statement};

use super::pages;

use crate::error::{Error, Result};
use crate::log::DbResult;
use crate::log::catalog::TableMeta;
use crate::log::hash::{Hash, Leaf};
use crate::log::read::{self, LogRow};
use crate::record::Idx;

/// A row of the damaged file, as far as it can be read.
pub(super) struct Found {
    pub(super) idx: Idx,
    pub(super) row: Option<LogRow>,
    pub(super) leaf: Option<Hash>,
    pub(super) hash: Option<Hash>,
}

/// What comes next in a damaged table.
pub(super) enum Next {
    Row(Box<Found>),
    /// Nothing can be read up to there.
    Lost(Idx, String),
    End,
}

/// A table on its way.
#[derive(Default)]
pub(super) struct Reading {
    leaf: Leaf,
    /// Where pages may begin; known from the first that cannot be read.
    bounds: Option<Vec<i64>>,
}

impl Reading {
    /// The next row that can be read.
    pub(super) fn next(&mut self, conn: &Connection, meta: &TableMeta, after: Idx) -> Result<Next> {
        match read_after(conn, meta, after, &mut self.leaf) {
            Ok(Some(found)) => return Ok(Next::Row(Box::new(found))),
            Ok(None) => return Ok(Next::End),
            Err(error) if !is_damage(&error) => return Err(error),
            Err(_) => {}
        }
        if let Some(Some(found)) =
            Probe::new(conn, meta)?.at(after.as_micros().saturating_add(1))?
        {
            // Its number can be read, the rest cannot.
            let found = Idx(found);
            return Ok(Next::Lost(
                found,
                format!("version {found}: it cannot be read"),
            ));
        }
        let Some(next) = self.readable(conn, meta, after)? else {
            return Ok(Next::Lost(
                Idx(i64::MAX),
                format!("all versions after {}: they cannot be read", shown(after)),
            ));
        };
        let before = Idx(next.as_micros() - 1);
        if before > after {
            let range = format!("versions after {} and before {next}", shown(after));
            return Ok(Next::Lost(before, format!("{range}: they cannot be read")));
        }
        // Its number can be read, the rest cannot.
        Ok(Next::Lost(
            next,
            format!("version {next}: it cannot be read"),
        ))
    }

    /// The least number after one that can be read again: where a page begins, or
    /// what is found by trial, if that is less: the rest of a page of which only one
    /// row is bad, and pages that no sound page leads to. `None`: none can.
    fn readable(&mut self, conn: &Connection, meta: &TableMeta, after: Idx) -> Result<Option<Idx>> {
        let bounds = self.bounds.get_or_insert_with(|| pages::bounds(conn, meta));
        let probe = Probe::new(conn, meta)?;
        let from = bounds.partition_point(|bound| *bound < after.as_micros());
        let mut begins = None;
        for bound in &bounds[from..] {
            if let Some(Some(found)) = probe.at(bound.saturating_add(1))? {
                begins = Some(Idx(found));
                break;
            }
        }
        let tried = probe.by_trial(after)?;
        Ok(begins.into_iter().chain(tried).min())
    }
}

fn shown(after: Idx) -> String {
    if after == Idx(i64::MIN) {
        "the first".to_owned()
    } else {
        after.to_string()
    }
}

fn is_damage(error: &Error) -> bool {
    match error {
        Error::Damaged { .. } => true,
        Error::Sqlite { code, .. } => {
            [rusqlite::ffi::SQLITE_CORRUPT, rusqlite::ffi::SQLITE_IOERR].contains(&(code & 0xff))
        }
        _ => false,
    }
}

fn read_after(
    conn: &Connection,
    meta: &TableMeta,
    after: Idx,
    leaf: &mut Leaf,
) -> Result<Option<Found>> {
    let sql = format!(
        "SELECT {}, l._seal, l._hash FROM {} l WHERE l.idx >= ?1 ORDER BY l.idx LIMIT 1",
        meta.sql.row_columns, meta.sql.table
    );
    let mut statement = conn.prepare_cached(&sql).db()?;
    // Not `>`: that looks for the row before, which may be on the page that is bad.
    let from = after.as_micros().saturating_add(1);
    let mut rows = statement.query([from]).db()?;
    let Some(row) = rows.next().db()? else {
        return Ok(None);
    };
    Ok(Some(Found {
        idx: Idx(row.get(0).db()?),
        row: read::decode(&meta.schema, row).ok(),
        leaf: read::leaf(row, meta, leaf).ok(),
        hash: row.get(meta.schema.columns.len() + 5).ok(),
    }))
}

/// Looks for what can be read.
struct Probe<'c>(RefCell<Statement<'c>>);

impl<'c> Probe<'c> {
    fn new(conn: &'c Connection, meta: &TableMeta) -> Result<Probe<'c>> {
        let sql = format!(
            "SELECT min(idx) FROM (SELECT idx FROM {} WHERE idx >= ?1 ORDER BY idx LIMIT 1)",
            meta.sql.table
        );
        Ok(Probe(RefCell::new(conn.prepare(&sql).db()?)))
    }

    /// The first number from one on, if there is any; `None` where it cannot be read.
    fn at(&self, from: i64) -> Result<Option<Option<i64>>> {
        let mut probe = self.0.borrow_mut();
        match probe
            .query_row([from], |row| row.get::<_, Option<i64>>(0))
            .db()
        {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_damage(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// In steps that double, then between the last two: may pass over pages that
    /// can be read, where the ones above them cannot.
    fn by_trial(&self, after: Idx) -> Result<Option<Idx>> {
        let base = after.as_micros().max(0);
        let (mut bad, mut step) = (base, 1i64);
        let mut good = loop {
            let from = base.saturating_add(step);
            if self.at(from)?.is_some() {
                break from;
            }
            if from == i64::MAX {
                return Ok(None);
            }
            (bad, step) = (from, step.saturating_mul(2));
        };
        while good - bad > 1 {
            let middle = bad + (good - bad) / 2;
            if self.at(middle)?.is_some() {
                good = middle;
            } else {
                bad = middle;
            }
        }
        Ok(self.at(good)?.flatten().map(Idx))
    }
}
