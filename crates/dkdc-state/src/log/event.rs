//! Events: what was done to tables rather than to records.
//!
//! Numbered by the same clock as versions and chained like them, so that an
//! event cannot be changed, or taken from between others, unnoticed; the newest
//! could be cut off. A reader that meets a new event drops whatever it
//! cached of the table.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::catalog::Catalog;
use super::hash::{self, Hash, Leaf};
use super::writer::Tx;
use super::{DbResult, Store, damaged};
use crate::error::{Error, Result};
use crate::record::{Idx, Op};
use crate::schema::sql::Cell;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// The store or a table was created.
    Create,
    /// A table's schema changed.
    Alter,
    /// A file of the original packages became this store.
    Adopt,
    /// A record's content was erased.
    Erase,
    /// Old versions were pruned.
    Prune,
    /// A table was emptied.
    Clear,
    /// Derived data was rebuilt.
    Repair,
}

const KINDS: [(EventKind, &str); 7] = [
    (EventKind::Create, "create"),
    (EventKind::Alter, "alter"),
    (EventKind::Adopt, "adopt"),
    (EventKind::Erase, "erase"),
    (EventKind::Prune, "prune"),
    (EventKind::Clear, "clear"),
    (EventKind::Repair, "repair"),
];

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(kind, _)| kind == self);
        f.pad(name.map_or("BUG: unnamed event", |(_, name)| name))
    }
}

impl FromStr for EventKind {
    type Err = String;

    fn from_str(s: &str) -> Result<EventKind, String> {
        let found = KINDS.iter().find(|(_, name)| *name == s);
        found
            .map(|(kind, _)| *kind)
            .ok_or_else(|| format!("an event of unknown kind {s:?}"))
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Its number, from the same clock as versions.
    pub idx: Idx,
    /// What happened.
    pub kind: EventKind,
    /// The table it concerns; `None`: the store.
    pub table: Option<String>,
    /// The particulars, such as how many versions were cleared.
    pub detail: serde_json::Value,
}

/// The events' chain begins as that of a table with number 0.
const CHAIN: u32 = 0;

/// An event's hash, after that of the event before it.
pub(crate) fn hash(
    previous: &Hash,
    idx: Idx,
    kind: &str,
    table: Option<u32>,
    detail: &str,
) -> Hash {
    let mut leaf = Leaf::default();
    leaf.start(&[], CHAIN, None, Op::Append, kind);
    if let Some(table) = table {
        leaf.column(1, &Cell::Int(i64::from(table)));
    }
    leaf.column(2, &Cell::Text(detail.into()));
    hash::link(previous, idx, &leaf.finish())
}

/// The hash that the first event continues from.
pub(crate) fn genesis(store: &uuid::Uuid) -> Hash {
    hash::genesis(store, CHAIN)
}

/// Writes an event inside the connection's transaction.
pub(crate) fn insert(
    conn: &Connection,
    store: &uuid::Uuid,
    idx: Idx,
    kind: EventKind,
    table: Option<u32>,
    detail: &serde_json::Value,
) -> Result<()> {
    let last: Option<Hash> = conn
        .query_row(
            "SELECT _hash FROM _dkdc_events ORDER BY idx DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()
        .db()?;
    let previous = last.unwrap_or_else(|| genesis(store));
    let detail = detail.to_string();
    let hash = hash(&previous, idx, &kind.to_string(), table, &detail);
    conn.execute(
        "INSERT INTO _dkdc_events(idx, kind, \"table\", detail, _hash) VALUES (?1, ?2, ?3, ?4, ?5)",
        (idx.as_micros(), kind.to_string(), table, detail, hash),
    )
    .db()?;
    Ok(())
}

impl Tx<'_> {
    /// Writes an event, and makes the catalog one that includes it.
    pub(crate) fn event(
        &mut self,
        kind: EventKind,
        table: Option<u32>,
        detail: &serde_json::Value,
    ) -> Result<Idx> {
        let idx = self.next_idx()?;
        self.event_at(idx, kind, table, detail)?;
        Ok(idx)
    }

    /// The same with a number that was drawn before.
    pub(crate) fn event_at(
        &mut self,
        idx: Idx,
        kind: EventKind,
        table: Option<u32>,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let store = self.catalog.store_id;
        insert(self.conn, &store, idx, kind, table, detail)?;
        let mut catalog = Catalog::clone(&self.catalog);
        catalog.event = idx;
        self.catalog = Arc::new(catalog);
        Ok(())
    }
}

/// True when an event after `since` took rows, or what they held, from a table.
pub(crate) fn took(conn: &Connection, table: u32, since: Idx) -> Result<bool> {
    conn.prepare_cached(
        "SELECT 1 FROM _dkdc_events WHERE idx > ?1 AND \"table\" = ?2 \
         AND kind IN ('clear', 'erase', 'prune')",
    )
    .and_then(|mut s| s.exists((since.as_micros(), table)))
    .db()
}

/// Refuses to go on with what was read of a table when something was taken from it
/// between two events.
pub(crate) fn check(
    conn: &Connection,
    store: &Store,
    table: u32,
    (since, last): (Idx, Idx),
) -> Result<()> {
    if last != since && took(conn, table, since)? {
        return Err(Error::Changed {
            path: store.path.clone(),
        });
    }
    Ok(())
}

/// The events after one `idx` up to another, oldest first.
pub(crate) fn read(
    conn: &Connection,
    catalog: &Catalog,
    after: Idx,
    upto: Idx,
) -> Result<Vec<Event>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT idx, kind, \"table\", detail FROM _dkdc_events \
             WHERE idx > ?1 AND idx <= ?2 ORDER BY idx",
        )
        .db()?;
    let mut rows = statement
        .query((after.as_micros(), upto.as_micros()))
        .db()?;
    let mut events = Vec::new();
    while let Some(row) = rows.next().db()? {
        let idx = Idx(row.get(0).db()?);
        let kind: String = row.get(1).db()?;
        let table: Option<u32> = row.get(2).db()?;
        let detail: String = row.get(3).db()?;
        let table = table
            .map(|number| catalog.by_number(number).map(|t| t.name().to_owned()))
            .transpose()?;
        events.push(Event {
            idx,
            kind: kind.parse().map_err(damaged)?,
            table,
            detail: serde_json::from_str(&detail)
                .map_err(|_| damaged(format!("the event {idx} does not parse")))?,
        });
    }
    Ok(events)
}
