//! Heads of chains, to keep elsewhere, and the proof that nothing since was cut
//! off or rewritten.
//!
//! A chain proves that nothing *in* it was changed. Whoever can write the file can
//! cut off its end, or make the whole chain anew; who has kept the newest hash
//! elsewhere finds both.

use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension};

use super::catalog::{Catalog, TableMeta};
use super::hash::Hash;
use super::{DbResult, Store};
use crate::error::Result;
use crate::record::{Idx, hex};

/// What the chain of events is called among those of tables.
const EVENTS: &str = "_dkdc_events";

/// The newest link of a table's hash chain.
///
/// As a text it is `table idx hash`, which parses back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainHead {
    /// The table; `_dkdc_events` for the events.
    pub table: String,
    /// Its newest version, or the newest event.
    pub idx: Idx,
    /// That one's hash, in hexadecimal.
    pub hash: String,
}

impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.table, self.idx, self.hash)
    }
}

impl FromStr for ChainHead {
    type Err = String;

    fn from_str(line: &str) -> Result<ChainHead, String> {
        let wrong = || format!("{line:?} is not \"table idx hash\"");
        // A table's name may have spaces in it.
        let mut words = line.trim().rsplitn(3, ' ');
        let (Some(hash), Some(idx), Some(table)) = (words.next(), words.next(), words.next())
        else {
            return Err(wrong());
        };
        let hash = blake3::Hash::from_hex(hash).map_err(|_| wrong())?;
        Ok(ChainHead {
            table: table.trim_end().to_owned(),
            idx: idx.parse().map_err(|_| wrong())?,
            hash: hash.to_hex().to_string(),
        })
    }
}

/// How a store compares with heads that were kept elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expected {
    /// What was cut off or rewritten.
    pub wrong: Vec<String>,
    /// What cannot be proven, since it was cleared or pruned since.
    pub unproven: Vec<String>,
}

impl Store {
    /// The newest link of each chain; tables without rows have none.
    pub(crate) fn chain_heads(&self) -> Result<Vec<ChainHead>> {
        self.read(|conn, catalog| {
            let names = catalog.tables.iter().map(|meta| meta.name());
            let tables = catalog.tables.iter().map(|meta| meta.sql.table.as_str());
            let all = std::iter::once((EVENTS, EVENTS)).chain(names.zip(tables));
            let mut heads = Vec::new();
            for (name, table) in all {
                let sql = format!("SELECT idx, _hash FROM {table} ORDER BY idx DESC LIMIT 1");
                let newest: Option<(i64, Hash)> = conn
                    .prepare_cached(&sql)
                    .and_then(|mut s| {
                        s.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
                            .optional()
                    })
                    .db()?;
                heads.extend(newest.map(|(idx, hash)| ChainHead {
                    table: name.to_owned(),
                    idx: Idx(idx),
                    hash: hex(&hash),
                }));
            }
            Ok(heads)
        })
    }

    /// Looks for heads that were kept elsewhere in the chains there are now.
    pub(crate) fn expect(&self, heads: &[ChainHead]) -> Result<Expected> {
        self.read(|conn, _| {
            let catalog = Catalog::read(conn)?;
            let mut expected = Expected::default();
            for head in heads {
                let (table, idx) = (&head.table, head.idx);
                let there = match catalog.tables.iter().find(|meta| meta.name() == table) {
                    Some(meta) => link(conn, &meta.sql.table, idx)?,
                    None if table == EVENTS => link(conn, EVENTS, idx)?,
                    None => {
                        expected.wrong.push(format!("{table}: there is no such table"));
                        continue;
                    }
                };
                let meta = catalog.tables.iter().find(|meta| meta.name() == table);
                match (there, meta) {
                    (Some(hash), _) if hex(&hash) == head.hash => {}
                    (Some(_), _) => expected.wrong.push(format!(
                        "{table}: version {idx} is not the one expected: what was there was rewritten"
                    )),
                    (None, Some(meta)) => missing(conn, meta, head, &mut expected)?,
                    (None, None) => expected.wrong.push(cut_off(head)),
                }
            }
            Ok(expected)
        })
    }
}

fn cut_off(head: &ChainHead) -> String {
    format!(
        "{}: version {} is gone: what was newest then was cut off",
        head.table, head.idx
    )
}

/// The hash of a version.
fn link(conn: &Connection, table: &str, idx: Idx) -> Result<Option<Hash>> {
    conn.query_row(
        &format!("SELECT _hash FROM {table} WHERE idx = ?1"),
        [idx.as_micros()],
        |row| row.get(0),
    )
    .optional()
    .db()
}

/// A version that is not there: cleared, pruned, or cut off.
fn missing(
    conn: &Connection,
    meta: &TableMeta,
    head: &ChainHead,
    expected: &mut Expected,
) -> Result<()> {
    let (number, idx) = (meta.schema.number, head.idx.as_micros());
    let cleared = conn
        .prepare_cached(
            "SELECT 1 FROM _dkdc_events WHERE kind = 'clear' AND \"table\" = ?1 AND idx > ?2",
        )
        .and_then(|mut s| s.exists((number, idx)))
        .db()?;
    // A run of pruned versions ends where the next one that is there goes on.
    let sql = format!(
        "SELECT upto, hash FROM _dkdc_pruned WHERE \"table\" = ?1 AND upto >= ?2 \
         AND upto < (SELECT min(idx) FROM {} WHERE idx > ?2) ORDER BY upto LIMIT 1",
        meta.sql.table
    );
    let run: Option<(i64, Hash)> = conn
        .query_row(&sql, (number, idx), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .db()?;
    let table = &head.table;
    match run {
        _ if cleared => expected.unproven.push(format!(
            "{table}: it was cleared since version {}",
            head.idx
        )),
        Some((upto, hash)) if upto == idx && hex(&hash) == head.hash => {}
        Some((upto, _)) if upto == idx => expected.wrong.push(format!(
            "{table}: version {} is not the one expected: what was there was rewritten",
            head.idx
        )),
        Some(_) => expected
            .unproven
            .push(format!("{table}: version {} was pruned since", head.idx)),
        None => expected.wrong.push(cut_off(head)),
    }
    Ok(())
}
