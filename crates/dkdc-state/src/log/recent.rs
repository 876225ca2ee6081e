//! Recent heads: those that the head tables do not have yet.
//!
//! A head table is a tree by id, and ids come in no order: keeping it up to date
//! in each commit would dirty a page for every row. So it lags behind the log:
//! `_dkdc_heads` says up to which version it is complete. The heads of newer
//! rows are made from the log's tail and kept in memory: by the writer in a map
//! ([`Recent`]), by each reader in a temporary table that its statements join
//! ([`catch_up`]). When they are many, when writes pause and on close they are
//! folded into the head table, in the order of ids. The log stays the only
//! truth: a process that dies loses nothing, since the next one reads the tail
//! again.
//!
//! What must hold: a head table has exactly the heads as of its `upto`; recent
//! heads are looked into first, and only when they go up to the newest row that
//! the transaction sees.

mod map;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::DbResult;
use super::append::Head;
use super::catalog::{Catalog, TableMeta};
use super::known::{self, Known};
use super::writer::run;
use crate::error::Result;
use crate::record::Idx;
use map::{HeadMap, Key};

/// So many recent heads are folded: few enough to read them from the log when a
/// process begins, enough for a fold to meet several heads on each page.
pub(crate) const MANY: usize = 131_072;

/// Each connection's own tables: the recent heads of all tables, and up to where
/// it has them.
pub(super) const TABLES: &str = "
PRAGMA temp.journal_mode = MEMORY;
PRAGMA temp.cache_size = -262144;
CREATE TEMP TABLE _dkdc_recent(
  \"table\" INTEGER NOT NULL,
  id TEXT NOT NULL,
  idx INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  PRIMARY KEY (\"table\", id)
) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE _dkdc_seen(
  \"table\" INTEGER PRIMARY KEY,
  folded INTEGER NOT NULL,
  last INTEGER
) STRICT;
";

/// Up to which version the head table is complete.
pub(crate) fn folded(conn: &Connection, meta: &TableMeta) -> Result<i64> {
    conn.prepare_cached("SELECT coalesce(max(upto), 0) FROM _dkdc_heads WHERE \"table\" = ?1")
        .and_then(|mut s| s.query_row([meta.schema.number], |row| row.get(0)))
        .db()
}

/// Makes a reader's recent heads of a table complete, inside its transaction.
pub(crate) fn catch_up(conn: &Connection, meta: &TableMeta) -> Result<()> {
    // Several statements, which must see one snapshot.
    assert!(
        !conn.is_autocommit(),
        "BUG: heads are read outside a transaction"
    );
    let fresh = conn
        .prepare_cached(&meta.sql.fresh)
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .db()?;
    if fresh {
        return Ok(());
    }
    let number = meta.schema.number;
    let folded = folded(conn, meta)?;
    let seen: Option<(i64, i64)> = {
        let mut statement = conn
            .prepare_cached(
                "SELECT folded, coalesce(last, 0) FROM temp._dkdc_seen WHERE \"table\" = ?1",
            )
            .db()?;
        let mut rows = statement.query([number]).db()?;
        match rows.next().db()? {
            Some(row) => Some((row.get(0).db()?, row.get(1).db()?)),
            None => None,
        }
    };
    let from = match seen {
        Some((then, last)) if then == folded => last,
        _ => {
            conn.prepare_cached("DELETE FROM temp._dkdc_recent WHERE \"table\" = ?1")
                .and_then(|mut s| s.execute([number]))
                .db()?;
            folded
        }
    };
    conn.prepare_cached(&meta.sql.recent)
        .and_then(|mut s| s.execute([from]))
        .db()?;
    conn.prepare_cached(&meta.sql.seen)
        .and_then(|mut s| s.execute([folded]))
        .map(|_| ())
        .db()
}

/// Looks something up by `look`, which also says whether the recent heads were
/// complete; when they were not, completes them and looks again.
pub(crate) fn look_up<T>(
    conn: &Connection,
    meta: &TableMeta,
    look: impl Fn() -> Result<(T, bool)>,
) -> Result<T> {
    let (found, complete) = look()?;
    if complete {
        return Ok(found);
    }
    if !conn.is_autocommit() {
        catch_up(conn, meta)?;
        return Ok(look()?.0);
    }
    run(conn, "BEGIN")?;
    let found = catch_up(conn, meta).and_then(|()| look());
    end(conn, found.map(|(found, _)| found))
}

/// Ends a transaction as its result says.
fn end<T>(conn: &Connection, result: Result<T>) -> Result<T> {
    let result = result.and_then(|value| run(conn, "COMMIT").map(|()| value));
    if result.is_err() && !conn.is_autocommit() {
        // The first error is the one that tells what happened.
        if let Err(error) = run(conn, "ROLLBACK") {
            tracing::warn!(%error, "rollback failed");
        }
    }
    result
}

/// Folds the recent heads of every table, in a transaction of its own. `verify`:
/// that the file is still the one that was opened, asked inside it.
pub(crate) fn fold_all(conn: &Connection, verify: impl Fn() -> Result<()>) -> Result<()> {
    if behind(conn)?.is_empty() {
        return Ok(());
    }
    run(conn, "BEGIN IMMEDIATE")?;
    let folded = verify()
        .and_then(|()| behind(conn))
        .and_then(|due| due.iter().try_for_each(|meta| fold_table(conn, meta)));
    end(conn, folded)
}

/// Folds the recent heads of a table, inside a write transaction.
pub(crate) fn fold_table(conn: &Connection, meta: &TableMeta) -> Result<()> {
    let mut recent = Recent::new(RandomState::new());
    recent.complete(conn, meta)?;
    recent.fold(conn, meta)
}

/// The tables that have recent heads.
fn behind(conn: &Connection) -> Result<Vec<Arc<TableMeta>>> {
    let mut due = Vec::new();
    for meta in Catalog::read(conn)?.tables {
        let folded = folded(conn, &meta)?;
        if newest(conn, &meta)?.is_some_and(|newest| newest > folded) {
            due.push(meta);
        }
    }
    Ok(due)
}

fn newest(conn: &Connection, meta: &TableMeta) -> Result<Option<i64>> {
    conn.prepare_cached(&meta.sql.newest)
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .db()
}

/// Remembers up to which version a head table is complete.
pub(crate) fn set_folded(conn: &Connection, table: u32, upto: Idx) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO _dkdc_heads(\"table\", upto) VALUES (?1, ?2)")
        .and_then(|mut s| s.execute((table, upto.as_micros())))
        .map(|_| ())
        .db()
}

/// The recent heads of one table, as the writer has them.
#[derive(Debug)]
struct Recent {
    hasher: RandomState,
    /// Whether no other process can have written since.
    complete: bool,
    /// The head table's `upto`.
    folded: i64,
    /// The newest row whose head is here, or folded.
    last: i64,
    heads: HeadMap,
    /// The ids that the head table has, once they are worth knowing.
    known: Option<Known>,
    /// Look-ups in the head table that found nothing.
    in_vain: usize,
}

impl Recent {
    fn new(hasher: RandomState) -> Recent {
        Recent {
            hasher,
            complete: false,
            folded: 0,
            last: 0,
            heads: HeadMap::default(),
            known: None,
            in_vain: 0,
        }
    }

    /// Reads what is missing from the log, inside a write transaction.
    fn complete(&mut self, conn: &Connection, meta: &TableMeta) -> Result<()> {
        if self.complete {
            return Ok(());
        }
        let folded = folded(conn, meta)?;
        if folded != self.folded {
            // Whoever folded no more than what is here put these ids into the
            // head table, and no others.
            let seen = self.folded < folded && folded <= self.last;
            self.known = self.known.take().filter(|_| seen);
            self.know_recent();
            self.heads.clear();
            (self.folded, self.last) = (folded, folded);
        }
        if self.known.is_none() && is_empty(conn, meta)? {
            self.known = Some(Known::with_room(0));
        }
        // Who folds in each pause leaves nothing to fold to who writes in between.
        self.know_folded(conn, meta)?;
        let mut statement = conn.prepare_cached(&meta.sql.tail_heads).db()?;
        let mut rows = statement.query([self.last]).db()?;
        while let Some(row) = rows.next().db()? {
            let id = text(row.get_ref(1).db()?, meta)?;
            let hash = self.hasher.hash_one(id);
            let idx = Idx(row.get(0).db()?);
            let deleted = row.get(2).db()?;
            self.heads.put(hash, id, Head { idx, deleted });
            self.last = idx.as_micros();
        }
        self.complete = true;
        Ok(())
    }

    /// The recent ids are about to be in the head table.
    fn know_recent(&mut self) {
        let Some(known) = &mut self.known else { return };
        if !self.heads.hashes().all(|hash| known.insert(hash)) {
            // Full: made anew, larger.
            self.known = None;
            self.in_vain = MANY;
        }
    }

    /// Puts them into the head table, inside a write transaction.
    fn fold(&mut self, conn: &Connection, meta: &TableMeta) -> Result<()> {
        assert!(
            self.complete,
            "BUG: heads that are not all there are folded"
        );
        self.know_recent();
        // Row by row: of a statement that writes many rows, SQLite keeps every
        // page as it was, to take back that statement alone.
        let mut fold = conn.prepare_cached(&meta.sql.fold).db()?;
        for (id, head) in self.heads.sorted() {
            fold.raw_bind_parameter(1, id).db()?;
            fold.raw_bind_parameter(2, head.idx.as_micros()).db()?;
            fold.raw_bind_parameter(3, head.deleted).db()?;
            fold.raw_execute().db()?;
        }
        self.heads.clear();
        if let Some(upto) = newest(conn, meta)? {
            (self.folded, self.last) = (upto, upto);
            set_folded(conn, meta.schema.number, Idx(upto))?;
        }
        self.know_folded(conn, meta)
    }

    /// Makes the filter of the ids that the head table has, where many looks were in
    /// vain or it was full.
    fn know_folded(&mut self, conn: &Connection, meta: &TableMeta) -> Result<()> {
        if self.known.is_none() && self.in_vain >= MANY {
            self.known = know(conn, meta, &self.hasher)?;
            self.in_vain = 0;
        }
        Ok(())
    }
}

/// True when a table has no head that is not recent.
fn is_empty(conn: &Connection, meta: &TableMeta) -> Result<bool> {
    conn.prepare_cached(&format!("SELECT 1 FROM {} LIMIT 1", meta.sql.head_table))
        .and_then(|mut s| s.exists([]))
        .map(|any| !any)
        .db()
}

/// The ids of a head table, unless they are too many: then a look in the tree
/// costs less than to go through it all.
fn know(conn: &Connection, meta: &TableMeta, hasher: &RandomState) -> Result<Option<Known>> {
    let head_table = &meta.sql.head_table;
    let bounded = format!("SELECT count(*) FROM (SELECT 1 FROM {head_table} LIMIT ?1)");
    let count: u32 = conn
        .prepare_cached(&bounded)
        .and_then(|mut s| s.query_row([known::MOST], |row| row.get(0)))
        .db()?;
    if count >= known::MOST / 2 {
        return Ok(None);
    }
    let mut known = Known::with_room(count as usize);
    let mut statement = conn
        .prepare_cached(&format!("SELECT id FROM {head_table}"))
        .db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let id = text(row.get_ref(0).db()?, meta)?;
        known.insert(hasher.hash_one(id));
    }
    Ok(Some(known))
}

/// An id, which is text.
fn text<'r>(id: ValueRef<'r>, meta: &TableMeta) -> Result<&'r str> {
    id.as_str()
        .map_err(|_| super::damaged(format!("table {}: an id that is not text", meta.name())))
}

/// The recent heads of all tables, as the writer has them, and how to take back
/// what a transaction did to them.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// Of all ids.
    hasher: RandomState,
    /// By table number minus one.
    tables: Vec<Recent>,
    undo: Vec<Undo>,
    /// Something was done in this transaction that `undo` does not know of: what
    /// it takes back is read again from the log.
    beyond_undo: bool,
}

/// What a change replaced.
#[derive(Debug)]
struct Undo {
    table: u32,
    key: Key,
    head: Option<Head>,
    /// The table's `last`: the numbers of rows that are taken back may be given
    /// to others.
    last: i64,
}

impl Heads {
    fn table(&mut self, number: u32) -> &mut Recent {
        let at = number as usize - 1;
        if self.tables.len() <= at {
            let new = || Recent::new(self.hasher.clone());
            self.tables.resize_with(at + 1, new);
        }
        &mut self.tables[at]
    }

    /// Reads what is missing of a table's from the log.
    pub(crate) fn complete(&mut self, conn: &Connection, meta: &TableMeta) -> Result<()> {
        self.table(meta.schema.number).complete(conn, meta)
    }

    /// The hash of an id, by which a head is found and put.
    pub(crate) fn hash(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    /// Another process may have written.
    pub(crate) fn doubt(&mut self) {
        for table in &mut self.tables {
            table.complete = false;
        }
    }

    /// The head of a record: the recent one, else what `find` finds in the head
    /// table, which is not asked when it cannot have one.
    pub(crate) fn head(
        &mut self,
        table: u32,
        hash: u64,
        id: &str,
        find: impl FnOnce() -> Result<Option<Head>>,
    ) -> Result<Option<Head>> {
        let recent = self.table(table);
        if let Some(head) = recent.heads.get(hash, id) {
            return Ok(Some(head));
        }
        let known = recent.known.as_ref();
        if known.is_some_and(|known| !known.may_have(hash)) {
            return Ok(None);
        }
        let found = find()?;
        recent.in_vain += usize::from(found.is_none());
        Ok(found)
    }

    /// A record of a table has a new head.
    pub(crate) fn put(&mut self, table: u32, hash: u64, id: &str, head: Head) {
        let recent = self.table(table);
        let last = std::mem::replace(&mut recent.last, head.idx.as_micros());
        let (key, head) = recent.heads.put(hash, id, head);
        self.undo.push(Undo {
            table,
            key,
            head,
            last,
        });
    }

    /// The table is empty now, and so is its head table.
    pub(crate) fn clear(&mut self, table: u32) {
        *self.table(table) = Recent::new(self.hasher.clone());
        self.beyond_undo = true;
    }

    /// Where a part of a transaction begins.
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back everything since a mark.
    pub(crate) fn undo(&mut self, mark: usize) {
        if self.beyond_undo {
            // The mark may be of what a fold has forgotten: all is read again.
            self.tables.clear();
            self.undo.clear();
            return;
        }
        for before in self.undo.drain(mark..).rev() {
            let recent = &mut self.tables[before.table as usize - 1];
            recent.last = before.last;
            recent.heads.take_back(before.key, before.head);
        }
    }

    /// Folds those of tables that have many.
    pub(crate) fn fold_many(&mut self, conn: &Connection, catalog: &Catalog) -> Result<()> {
        for (recent, meta) in self.tables.iter_mut().zip(&catalog.tables) {
            if recent.complete && recent.heads.len() >= MANY {
                recent.fold(conn, meta)?;
            }
        }
        Ok(())
    }

    /// Folds those of one table if they are many, within its transaction: one that
    /// writes millions of rows must not keep the heads of all.
    pub(crate) fn fold_within(&mut self, conn: &Connection, meta: &TableMeta) -> Result<()> {
        if self.table(meta.schema.number).heads.len() < MANY {
            return Ok(());
        }
        self.undo.clear();
        self.beyond_undo = true;
        self.table(meta.schema.number).fold(conn, meta)
    }

    /// Folds those of one table, all of which were put.
    pub(crate) fn fold(&mut self, conn: &Connection, meta: &TableMeta) -> Result<()> {
        self.undo.clear();
        let recent = self.table(meta.schema.number);
        recent.complete = true;
        recent.fold(conn, meta)
    }

    /// A transaction has ended, committed or taken back.
    pub(crate) fn ended(&mut self) {
        self.undo.clear();
        self.beyond_undo = false;
    }
}
