//! A walk along a table's chain: every row is hashed again.
//!
//! Where a page cannot be read, the walk goes on from the other end, from the newest
//! row back to that place. What a row continues from says the row before it; so the
//! last one on the way back is read, but nothing proves it.

use rusqlite::{Connection, Row};

use super::{Damage, STEP, told_of};
use crate::error::Result;
use crate::log::catalog::TableMeta;
use crate::log::hash::{Hash, Leaf, link};
use crate::log::{DbResult, read};
use crate::record::{Idx, Op};

/// What a walk found.
#[derive(Default)]
pub(super) struct Chained {
    pub(super) versions: u64,
    pub(super) sound: u64,
    pub(super) first: Option<Idx>,
    pub(super) stubs: u64,
    /// Every row was read.
    pub(super) is_whole: bool,
    /// The newest that is sound, on the way from the oldest.
    last: Option<Idx>,
}

/// A walk under way.
pub(super) struct Walk<'a> {
    conn: &'a Connection,
    meta: &'a TableMeta,
    damage: &'a mut Damage,
    tick: &'a mut dyn FnMut(u64),
    leaf: Leaf,
    found: Chained,
}

/// What rows continue from that have no row before them.
pub(super) struct Begins {
    /// No version is older.
    pub(super) from: Idx,
    pub(super) anchor: Hash,
    /// The last number of each run of rows that was pruned, and its hash.
    pub(super) runs: Vec<(Idx, Hash)>,
}

impl Begins {
    /// What the row with this number continues from.
    fn previous(&self, idx: Idx, before: Option<(Idx, Hash)>) -> Hash {
        let upto = self.runs.partition_point(|(upto, _)| *upto < idx);
        let run = self.runs[..upto].last().copied();
        run.max(before).map_or(self.anchor, |(_, hash)| hash)
    }
}

/// A row, as far as it can be read.
struct Found {
    idx: Idx,
    id: String,
    leaf: Result<Hash, String>,
    hash: Option<Hash>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        conn: &'a Connection,
        meta: &'a TableMeta,
        damage: &'a mut Damage,
        tick: &'a mut dyn FnMut(u64),
    ) -> Walk<'a> {
        Walk {
            conn,
            meta,
            damage,
            tick,
            leaf: Leaf::default(),
            found: Chained::default(),
        }
    }

    pub(super) fn run(mut self, begins: &Begins) -> Result<Chained> {
        match self.forward(begins)? {
            None => self.found.is_whole = true,
            Some(why) => {
                let next = self.found.last.map_or(begins.from, after);
                self.found.first = Some(self.found.first.map_or(next, |first| first.min(next)));
                self.backward(begins, &why)?;
            }
        }
        Ok(self.found)
    }

    /// From the oldest to the newest; or to where no row can be read, and why.
    fn forward(&mut self, begins: &Begins) -> Result<Option<String>> {
        let mut statement = self.conn.prepare(&self.select("ORDER BY l.idx")).db()?;
        let mut rows = statement.query([]).db()?;
        let mut before = None;
        loop {
            let found = match rows.next().db() {
                Ok(Some(row)) => self.read(row)?,
                Ok(None) => break,
                Err(error) => return told_of(error).map(Some),
            };
            let previous = begins.previous(found.idx, before);
            if self.judge(&found, &previous) {
                self.passed(found.idx);
            } else {
                let first = self
                    .found
                    .last
                    .map_or(found.idx, |last| found.idx.max(after(last)));
                self.found.first.get_or_insert(first);
            }
            before = Some((found.idx, found.hash.unwrap_or(previous)));
        }
        self.ends(begins, before.map(|(idx, _)| idx));
        Ok(None)
    }

    /// From the newest back to where no row can be read.
    fn backward(&mut self, begins: &Begins, why: &str) -> Result<()> {
        let sql = self.select("WHERE l.idx > ?1 ORDER BY l.idx DESC");
        let mut statement = self.conn.prepare(&sql).db()?;
        let end = self.found.last.map_or(i64::MIN, Idx::as_micros);
        let mut rows = statement.query([end]).db()?;
        let mut newer: Option<Found> = None;
        loop {
            let found = match rows.next().db() {
                Ok(Some(row)) => self.read(row)?,
                Ok(None) => break,
                Err(error) => {
                    told_of(error)?;
                    break;
                }
            };
            match &newer {
                None => self.ends(begins, Some(found.idx)),
                Some(newer) => {
                    let before = found.hash.map(|hash| (found.idx, hash));
                    self.judge(newer, &begins.previous(newer.idx, before));
                }
            }
            newer = Some(found);
        }
        let which = match (self.found.last, newer.map(|row| row.idx)) {
            (Some(last), Some(next)) => format!("versions after {last} and before {next}"),
            (None, Some(next)) => format!("versions before {next}"),
            (Some(last), None) => format!("versions after {last}"),
            (None, None) => "its versions".to_owned(),
        };
        self.damage.0.push(format!("{which} cannot be read: {why}"));
        Ok(())
    }

    fn select(&self, which: &str) -> String {
        let sql = &self.meta.sql;
        format!(
            "SELECT {}, l._seal, l._hash FROM {} l {which}",
            sql.row_columns, sql.table
        )
    }

    fn read(&mut self, row: &Row<'_>) -> Result<Found> {
        let found = Found {
            idx: Idx(row.get(0).db()?),
            id: row.get_ref(1).db()?.as_str().unwrap_or("?").to_owned(),
            leaf: read::leaf(row, self.meta, &mut self.leaf),
            hash: row.get(self.meta.schema.columns.len() + 5).ok(),
        };
        self.found.stubs += u64::from(row.get(3).ok() == Some(Op::Erased.code()));
        self.found.versions += 1;
        if self.found.versions.is_multiple_of(STEP) {
            (self.tick)(self.found.versions);
        }
        Ok(found)
    }

    /// True when a row is what was written.
    fn judge(&mut self, found: &Found, previous: &Hash) -> bool {
        let (idx, id) = (found.idx, &found.id);
        let line = match (&found.leaf, found.hash) {
            (Ok(leaf), Some(hash)) if link(previous, idx, leaf) == hash => {
                self.found.sound += 1;
                return true;
            }
            (Ok(_), Some(_)) => format!("version {idx} of {id:?} is not what was written"),
            (Err(what), _) => format!("version {idx} of {id:?}: {what}"),
            (_, None) => format!("version {idx} of {id:?} has no hash"),
        };
        self.damage.add(line);
        false
    }

    /// A sound row. One before it that says it is newer has a number that is wrong.
    fn passed(&mut self, idx: Idx) {
        if self.found.first.is_some_and(|first| first > idx) {
            self.found.first = self.found.last.map(after).or(Some(idx));
        }
        self.found.last = Some(idx);
    }

    fn ends(&mut self, begins: &Begins, newest: Option<Idx>) {
        let run = begins.runs.last().map(|(upto, _)| *upto);
        if run > newest {
            let line = "its newest versions are gone, as if they had been pruned";
            self.damage.add(line.to_owned());
        }
    }
}

/// The number after another.
fn after(idx: Idx) -> Idx {
    Idx(idx.as_micros().saturating_add(1))
}
