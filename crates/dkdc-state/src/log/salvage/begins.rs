//! Where a table's chain begins, and where it goes on behind what was pruned.

use rusqlite::Connection;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::log::catalog::TableMeta;
use crate::log::hash::{self, Hash};
use crate::log::prune;
use crate::record::Idx;

/// As far as it can be read.
pub(super) struct Begins {
    /// What the first row may continue from: what the list of tables says, and what the
    /// store and the events say, if that is damaged.
    pub(super) anchors: Vec<Hash>,
    /// The last number of each run of rows that was pruned, and its hash.
    runs: Vec<(Idx, Hash)>,
    /// The runs are those that the events tell of.
    pub(super) is_sound: bool,
}

impl Begins {
    pub(super) fn read(conn: &Connection, store: &Uuid, meta: &TableMeta) -> Begins {
        let number = meta.schema.number;
        let mut anchors = vec![meta.anchor, hash::genesis(store, number)];
        let mut told: Hash = blake3::hash(b"").into();
        let (runs, found) = prune::runs(conn, number).unwrap_or_else(|_| (Vec::new(), told));
        let events = events(conn, number);
        for (kind, detail) in events.iter().flatten() {
            let cleared = kind == "clear";
            let name = if cleared { "last_hash" } else { "runs" };
            let hash = hash_in(detail, name);
            if cleared {
                anchors.extend(hash);
                told = blake3::hash(b"").into();
            } else if let Some(hash) = hash {
                told = hash;
            }
        }
        Begins {
            anchors,
            runs,
            // Nothing can be said against the runs where the events cannot be read.
            is_sound: events.is_none() || told == found,
        }
    }

    /// What a row with this number continues from, if those before it were pruned.
    pub(super) fn pruned_before(&self, idx: Idx) -> Option<&Hash> {
        let upto = self.runs.partition_point(|(upto, _)| *upto < idx);
        self.runs[..upto].last().map(|(_, hash)| hash)
    }
}

/// The kinds and details of what was taken out of a table, in order.
fn events(conn: &Connection, table: u32) -> Option<Vec<(String, String)>> {
    let sql = "SELECT kind, detail FROM _dkdc_events \
               WHERE \"table\" = ?1 AND kind IN ('clear', 'prune') ORDER BY idx";
    let mut statement = conn.prepare(sql).ok()?;
    let rows = statement
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))
        .ok()?;
    rows.collect::<rusqlite::Result<_>>().ok()
}

fn hash_in(detail: &str, name: &str) -> Option<Hash> {
    let detail: Json = serde_json::from_str(detail).ok()?;
    let hash = blake3::Hash::from_hex(detail.get(name)?.as_str()?).ok()?;
    Some(hash.into())
}
