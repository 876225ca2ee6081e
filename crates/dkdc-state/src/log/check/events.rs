//! What the events tell of each table: what its schema is, where its chain begins,
//! where its history does, and what was taken out of it.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::Value as Json;

use super::Damage;
use crate::error::Result;
use crate::log::catalog::{Catalog, TableMeta};
use crate::log::event::{self, EventKind};
use crate::log::hash::{self, Hash};
use crate::log::{DbResult, damaged};
use crate::record::Idx;

/// What a table must look like, by the events.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    /// Its history begins here: after its last clear, or as of its last prune.
    floor: Idx,
    /// Its chain begins here.
    pub(super) anchor: Hash,
    /// The hash over the runs of versions that were pruned.
    runs: Hash,
    /// Versions that were erased.
    pub(super) erased: u64,
    /// The hash of its schema; not known of one that an older program declared.
    schema: Option<Hash>,
}

impl Expected {
    fn at(floor: Idx, anchor: Hash) -> Expected {
        Expected {
            floor,
            anchor,
            runs: blake3::hash(b"").into(),
            erased: 0,
            schema: None,
        }
    }

    /// Compares what is stored of a table; `schema` and `runs` are hashes, if these can
    /// be read.
    pub(super) fn compare(
        &self,
        meta: &TableMeta,
        (schema, runs): (Option<Hash>, Option<Hash>),
        damage: &mut Damage,
    ) {
        if schema.zip(self.schema).is_some_and(|(is, was)| is != was) {
            damage.add("its schema is not what was written".to_owned());
        }
        if meta.schema.floor != self.floor {
            damage.add(format!(
                "its history begins at {}, but by the events, after its last clear or prune, at {}",
                meta.schema.floor, self.floor
            ));
        }
        if meta.anchor != self.anchor {
            let line = "its chain does not begin where the store or its last clear left it";
            damage.add(line.to_owned());
        }
        if runs.is_some_and(|runs| runs != self.runs) {
            let line = "its versions are not gone where, by the events, they were pruned";
            damage.add(line.to_owned());
        }
    }
}

/// What the events tell.
pub(super) struct Told {
    tables: BTreeMap<u32, Expected>,
    /// Events verified.
    pub(super) events: u64,
    /// All there are.
    is_whole: bool,
}

impl Told {
    /// Nothing has been told yet: every table begins with the store.
    pub(super) fn new(catalog: &Catalog) -> Told {
        let numbers = catalog.tables.iter().map(|meta| meta.schema.number);
        let begins = |number| {
            let anchor = hash::genesis(&catalog.store_id, number);
            (number, Expected::at(Idx::ZERO, anchor))
        };
        Told {
            tables: numbers.map(begins).collect(),
            events: 0,
            is_whole: false,
        }
    }

    /// Of one table; nothing unless all events could be read.
    pub(super) fn of(&self, meta: &TableMeta) -> Option<Expected> {
        let known = self.tables.get(&meta.schema.number).copied();
        known.filter(|_| self.is_whole)
    }

    /// Verifies the events, and takes in what they tell.
    pub(super) fn read(
        &mut self,
        conn: &Connection,
        catalog: &Catalog,
        damage: &mut Vec<String>,
    ) -> Result<()> {
        let mut statement = conn
            .prepare("SELECT idx, kind, \"table\", detail, _hash FROM _dkdc_events ORDER BY idx")
            .db()?;
        let mut rows = statement.query([]).db()?;
        let mut previous = event::genesis(&catalog.store_id);
        while let Some(row) = rows.next().db()? {
            let idx = Idx(row.get(0).db()?);
            let (kind, detail): (String, String) = (row.get(1).db()?, row.get(3).db()?);
            let table: Option<u32> = row.get(2).db()?;
            let hash: Hash = row.get(4).db()?;
            if event::hash(&previous, idx, &kind, table, &detail) != hash {
                damage.push(format!("event {idx} ({kind}) is not what was written"));
            }
            let detail = serde_json::from_str(&detail).ok();
            let taken = detail.and_then(|detail| self.take_in(idx, &kind, table, &detail));
            if taken.is_none() {
                return Err(damaged(format!("event {idx} ({kind}) does not parse")));
            }
            previous = hash;
            self.events += 1;
        }
        self.is_whole = true;
        Ok(())
    }

    /// What one event changes; `None` when it does not parse.
    fn take_in(&mut self, idx: Idx, kind: &str, table: Option<u32>, detail: &Json) -> Option<()> {
        let Some(table) = table else {
            let schemas = detail.get("schemas").and_then(Json::as_array);
            for (number, schema) in (1..).zip(schemas.into_iter().flatten()) {
                if let Some(expected) = self.tables.get_mut(&number) {
                    expected.schema = Some(hash_of(schema)?);
                }
            }
            return Some(());
        };
        let Some(expected) = self.tables.get_mut(&table) else {
            return Some(());
        };
        match kind.parse() {
            Ok(EventKind::Create | EventKind::Alter) => {
                expected.schema = match detail.get("schema") {
                    Some(schema) => Some(hash_of(schema)?),
                    None => None,
                };
            }
            Ok(EventKind::Clear) => {
                *expected = Expected {
                    schema: expected.schema,
                    ..Expected::at(idx, hash_of(detail.get("last_hash")?)?)
                };
            }
            Ok(EventKind::Prune) => {
                expected.floor = Idx(detail.get("floor")?.as_i64()?);
                expected.runs = hash_of(detail.get("runs")?)?;
            }
            Ok(EventKind::Erase) => expected.erased += detail.get("versions")?.as_u64()?,
            _ => {}
        }
        Some(())
    }
}

fn hash_of(hex: &Json) -> Option<Hash> {
    let hash = blake3::Hash::from_hex(hex.as_str()?).ok()?;
    Some(hash.into())
}
