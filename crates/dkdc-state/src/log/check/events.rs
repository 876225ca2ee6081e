//! What the events tell of each table: where its chain begins, where its history
//! does, and what was taken out of it.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::Value as Json;

use crate::error::Result;
use crate::log::catalog::{Catalog, TableMeta};
use crate::log::event::{self, EventKind};
use crate::log::hash::{self, Hash};
use crate::log::{DbResult, damaged};
use crate::record::Idx;

/// What a table must look like, by the events.
#[derive(Clone, Copy)]
pub(super) struct Begins {
    /// Its history begins here: after its last clear, or as of its last prune.
    pub(super) floor: Idx,
    /// Its chain begins here.
    pub(super) anchor: Hash,
    /// The hash over the runs of versions that were pruned.
    pub(super) runs: Hash,
    /// Versions that were erased.
    pub(super) erased: u64,
}

impl Begins {
    fn at(floor: Idx, anchor: Hash) -> Begins {
        Begins {
            floor,
            anchor,
            runs: blake3::hash(b"").into(),
            erased: 0,
        }
    }
}

/// What the events tell, by table.
pub(super) struct Told(BTreeMap<u32, Begins>);

impl Told {
    /// Nothing has been told yet: every table begins with the store.
    pub(super) fn new(catalog: &Catalog) -> Told {
        let numbers = catalog.tables.iter().map(|meta| meta.schema.number);
        let begins = |number| {
            let anchor = hash::genesis(&catalog.store_id, number);
            (number, Begins::at(Idx::ZERO, anchor))
        };
        Told(numbers.map(begins).collect())
    }

    /// Of one table.
    pub(super) fn of(&self, meta: &TableMeta) -> Begins {
        let known = self.0.get(&meta.schema.number).copied();
        known.unwrap_or_else(|| Begins::at(Idx::ZERO, [0; 32]))
    }

    /// Verifies the events, and takes in what they tell; returns how many there
    /// are.
    pub(super) fn read(
        &mut self,
        conn: &Connection,
        catalog: &Catalog,
        damage: &mut Vec<String>,
    ) -> Result<u64> {
        let mut statement = conn
            .prepare("SELECT idx, kind, \"table\", detail, _hash FROM _dkdc_events ORDER BY idx")
            .db()?;
        let mut rows = statement.query([]).db()?;
        let mut previous = event::genesis(&catalog.store_id);
        let mut events = 0;
        while let Some(row) = rows.next().db()? {
            let idx = Idx(row.get(0).db()?);
            let (kind, detail): (String, String) = (row.get(1).db()?, row.get(3).db()?);
            let table: Option<u32> = row.get(2).db()?;
            let hash: Hash = row.get(4).db()?;
            if event::hash(&previous, idx, &kind, table, &detail) != hash {
                damage.push(format!("event {idx} ({kind}) is not what was written"));
            }
            let about = table.and_then(|table| self.0.get_mut(&table));
            if let (Some(begins), Ok(kind)) = (about, kind.parse())
                && take_in(begins, idx, kind, &detail).is_none()
            {
                return Err(damaged(format!("event {idx} ({kind}) does not parse")));
            }
            previous = hash;
            events += 1;
        }
        Ok(events)
    }
}

/// What one event changes; `None` when it does not parse.
fn take_in(begins: &mut Begins, idx: Idx, kind: EventKind, detail: &str) -> Option<()> {
    let detail: Json = serde_json::from_str(detail).ok()?;
    let hash = |name: &str| {
        Some(
            *blake3::Hash::from_hex(detail.get(name)?.as_str()?)
                .ok()?
                .as_bytes(),
        )
    };
    match kind {
        EventKind::Clear => *begins = Begins::at(idx, hash("last_hash")?),
        EventKind::Prune => {
            begins.floor = Idx(detail.get("floor")?.as_i64()?);
            begins.runs = hash("runs")?;
        }
        EventKind::Erase => begins.erased += detail.get("versions")?.as_u64()?,
        _ => {}
    }
    Some(())
}
