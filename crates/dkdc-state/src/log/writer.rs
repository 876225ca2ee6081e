//! One write transaction: the lock, the clock, the chains, the commit.
//!
//! A [`Tx`] is between BEGIN IMMEDIATE and COMMIT on the one writer connection.
//! It may carry several callers' writes (group commit): each is a *unit*, with
//! a savepoint of its own when it is not alone, its own row in
//! `_dkdc_commits`, and its own judgement of uniqueness.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use super::append::Scribe;
use super::catalog::Catalog;
use super::hash::Hash;
use super::recent::Heads;
use super::request::Once;
use super::{DbResult, Store, damaged};
use crate::error::{Error, ErrorKind, Result};
use crate::record::Idx;

/// A commit whose clock is further behind than this records the wall time.
const SKEW: i64 = 1_000_000;

/// The writer connection and what it knows of the store's end.
pub(crate) struct Writer {
    pub(crate) conn: Connection,
    tail: Tail,
    heads: Heads,
    /// `PRAGMA data_version` when `tail` was read; `None`: read it again.
    seen: Option<i64>,
    scribe: Scribe,
    ahead: Scribe,
}

/// The end of the log, as of the transaction under way.
#[derive(Clone, Default)]
struct Tail {
    last: Idx,
    /// By table number minus one: the hash of its newest row.
    chains: Vec<Option<Hash>>,
}

impl Writer {
    pub(crate) fn new(conn: Connection) -> Writer {
        Writer {
            conn,
            tail: Tail::default(),
            heads: Heads::default(),
            seen: None,
            scribe: Scribe::default(),
            ahead: Scribe::default(),
        }
    }
}

/// What one caller's transaction did so far.
#[derive(Default)]
struct Unit {
    first: Option<Idx>,
    rows: u64,
    /// Keys in unique indexes that were written.
    unique: Vec<Touched>,
    /// Requests that the transaction answers as a whole.
    once: Vec<Once>,
}

/// A key in a unique index that must belong to one record when the unit ends.
struct Touched {
    table: u32,
    index: usize,
    key: Vec<u8>,
    id: String,
}

/// A write transaction.
pub(crate) struct Tx<'w> {
    pub(crate) store: &'w Store,
    pub(crate) conn: &'w Connection,
    tail: &'w mut Tail,
    pub(crate) heads: &'w mut Heads,
    seen: &'w mut Option<i64>,
    pub(crate) scribe: &'w mut Scribe,
    /// Of the thread that makes writes beside this one.
    pub(crate) ahead: &'w mut Scribe,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) now: i64,
    unit: Unit,
    open: bool,
    /// The end of the log before this transaction.
    before: Tail,
    /// The first error that was no refusal: SQLite may have rolled back
    /// everything, or a write may be half done. Nothing goes on from there.
    broken: Option<Error>,
}

impl<'w> Tx<'w> {
    /// Takes the write lock and learns where the store ends. The caller has
    /// been waiting `since` then: other threads' turns count towards its
    /// deadline.
    pub(crate) fn begin(
        store: &'w Store,
        writer: &'w mut Writer,
        since: Instant,
    ) -> Result<Tx<'w>> {
        store.refuse_unwritable()?;
        store.mirror().give_way();
        let Writer {
            conn,
            tail,
            heads,
            seen,
            scribe,
            ahead,
        } = writer;
        lock(conn, store.config.busy_timeout, since).map_err(|error| store.locate(error))?;
        let before = tail.clone();
        let mut tx = Tx {
            store,
            conn,
            tail,
            heads,
            seen,
            scribe,
            ahead,
            catalog: store.catalog(),
            now: store.config.clock.now(),
            unit: Unit::default(),
            open: true,
            before,
            broken: None,
        };
        tx.catch_up()?;
        tx.before = tx.tail.clone();
        Ok(tx)
    }

    fn catch_up(&mut self) -> Result<()> {
        self.store.identity.verify()?;
        let version: i64 = self
            .conn
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .db()?;
        if *self.seen != Some(version) {
            self.catalog = self.store.current_catalog(self.conn)?;
            self.tail.last = last(self.conn, &self.catalog)?;
            self.tail.chains.clear();
            self.heads.doubt();
            *self.seen = Some(version);
        }
        Ok(())
    }

    /// The next version's number.
    pub(crate) fn next_idx(&mut self) -> Result<Idx> {
        let after = self.tail.last.as_micros().checked_add(1);
        let after = after.ok_or_else(|| Error::Sqlite {
            path: self.store.path.clone(),
            code: 0,
            message: "the store's clock is at its end: no version can be newer".to_owned(),
        })?;
        let idx = Idx(after.max(self.now));
        self.tail.last = idx;
        self.unit.first.get_or_insert(idx);
        self.unit.rows += 1;
        Ok(idx)
    }

    /// The hash that the table's next row continues from.
    pub(crate) fn chain(&mut self, table: u32) -> Result<Hash> {
        let at = table as usize - 1;
        if let Some(Some(hash)) = self.tail.chains.get(at) {
            return Ok(*hash);
        }
        let meta = self.catalog.by_number(table)?;
        let sql = format!(
            "SELECT _hash FROM {} ORDER BY idx DESC LIMIT 1",
            meta.sql.table
        );
        let last: Option<Hash> = self
            .conn
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([], |row| row.get(0)).optional())
            .db()?;
        Ok(last.unwrap_or(meta.anchor))
    }

    /// Remembers the hash of the table's newest row; `None` after a clear.
    pub(crate) fn set_chain(&mut self, table: u32, hash: Option<Hash>) {
        let at = table as usize - 1;
        if self.tail.chains.len() <= at {
            self.tail.chains.resize(at + 1, None);
        }
        self.tail.chains[at] = hash;
    }

    /// A key of a unique index was written: judged when the unit ends.
    pub(crate) fn touch(&mut self, table: u32, index: usize, key: Vec<u8>, id: &str) {
        self.unit.unique.push(Touched {
            table,
            index,
            key,
            id: id.to_owned(),
        });
    }

    /// What a transaction with this request key is known by, until it ends.
    pub(crate) fn once(&mut self, key: &str) -> Result<&mut Once> {
        let known = self.unit.once.iter().position(|once| once.key() == key);
        let at = match known {
            Some(at) => at,
            None => {
                let once = Once::begin(self.conn, &self.catalog.store_id, key)?;
                self.unit.once.push(once);
                self.unit.once.len() - 1
            }
        };
        Ok(&mut self.unit.once[at])
    }

    /// One caller's writes. When others share the transaction (`guarded`), a
    /// failure takes back these alone.
    pub(crate) fn unit<T, E: From<Error>>(
        &mut self,
        guarded: bool,
        write: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.unit = Unit::default();
        let whole = |tx: &mut Self| {
            let value = write(tx)?;
            tx.end_unit().map_err(|error| tx.locate(error))?;
            Ok(value)
        };
        if guarded {
            self.savepoint(whole)
        } else {
            whole(self)
        }
    }

    /// Runs `write`; when it fails, what it did is taken back.
    pub(crate) fn savepoint<T, E: From<Error>>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mark = self.heads.mark();
        let before = (self.tail.clone(), Arc::clone(&self.catalog));
        // Of what the unit has, only these go back: its keys are many.
        let (first, rows, unique) = (self.unit.first, self.unit.rows, self.unit.unique.len());
        let once = self.unit.once.len();
        run(self.conn, "SAVEPOINT part")?;
        let result = write(self);
        // Some errors end the whole transaction in SQLite.
        if self.conn.is_autocommit() {
            return result;
        }
        if result.is_err() {
            (*self.tail, self.catalog) = before;
            (self.unit.first, self.unit.rows) = (first, rows);
            self.unit.unique.truncate(unique);
            self.unit.once.truncate(once);
            self.heads.undo(mark);
            // When even this fails, what was written so far must not commit.
            if let Err(error) = run(self.conn, "ROLLBACK TO part") {
                self.broken = Some(error.clone());
                return Err(error.into());
            }
        }
        run(self.conn, "RELEASE part")?;
        result
    }

    /// Runs one step of a caller's transaction. After an error that is no
    /// refusal every further step meets the same one, and so does the commit.
    pub(crate) fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.refuse_broken()?;
        step(self).map_err(|error| {
            let error = self.locate(error);
            let refused = !matches!(
                error.kind(),
                ErrorKind::Failure | ErrorKind::Damaged | ErrorKind::Busy
            );
            if !refused || self.conn.is_autocommit() {
                self.broken = Some(error.clone());
            }
            error
        })
    }

    fn refuse_broken(&self) -> Result<()> {
        match &self.broken {
            Some(error) => Err(error.clone()),
            // Also a read may meet an error that ends the transaction.
            None if self.conn.is_autocommit() => Err(Error::Sqlite {
                path: self.store.path.clone(),
                code: 0,
                message: "an error before has taken the transaction back".to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Puts the store's path into an error.
    pub(crate) fn locate(&self, error: Error) -> Error {
        self.store.locate(error)
    }

    fn end_unit(&mut self) -> Result<()> {
        self.refuse_broken()?;
        for touched in std::mem::take(&mut self.unit.unique) {
            self.judge(touched)?;
        }
        let last = self.tail.last;
        // No version has the number zero.
        let made = self
            .unit
            .first
            .map_or((Idx::ZERO, Idx::ZERO), |first| (first, last));
        for once in std::mem::take(&mut self.unit.once) {
            once.end(self.conn, &self.catalog.store_id, made)?;
        }
        let Some(first) = self.unit.first else {
            return Ok(());
        };
        let skewed = self.now < first.as_micros() - SKEW;
        if self.unit.rows > 1 || skewed {
            self.conn
                .prepare_cached("INSERT INTO _dkdc_commits(first, last, wall) VALUES (?1, ?2, ?3)")
                .and_then(|mut s| {
                    s.execute((
                        first.as_micros(),
                        self.tail.last.as_micros(),
                        skewed.then_some(self.now),
                    ))
                })
                .db()?;
        }
        Ok(())
    }

    fn judge(&self, touched: Touched) -> Result<()> {
        let meta = self.catalog.by_number(touched.table)?;
        let sql = &meta.sql.index_other[touched.index];
        let own = format!(
            "SELECT 1 FROM {} WHERE key = ?1 AND id = ?2",
            crate::schema::sql::quote(&super::format::index_name(
                meta.name(),
                meta.schema.indexes[touched.index].number
            ))
        );
        let other: Option<String> = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut s| {
                s.query_row((&touched.key, &touched.id), |row| row.get(0))
                    .optional()
            })
            .db()?;
        let Some(other) = other else { return Ok(()) };
        // A later write of the unit may have taken the key away again.
        let still = self
            .conn
            .prepare_cached(&own)
            .and_then(|mut s| s.exists((&touched.key, &touched.id)))
            .db()?;
        if !still {
            return Ok(());
        }
        let def = &meta.schema.to_def().indexes[touched.index];
        Err(Error::NotUnique {
            table: meta.name().to_owned(),
            columns: def.columns.iter().map(|c| c.name.clone()).collect(),
            id: touched.id,
            other,
        })
    }

    /// Makes everything durable, and only then says so.
    pub(crate) fn commit(mut self) -> Result<()> {
        self.refuse_broken()?;
        if let Err(error) = self.heads.fold_many(self.conn, &self.catalog) {
            *self.heads = Heads::default();
            return Err(self.store.locate(error));
        }
        self.open = false;
        let committed = run(self.conn, "COMMIT").and_then(|()| self.store.identity.verify());
        if let Err(error) = committed {
            *self.seen = None;
            let error = self.store.locate(error);
            if !self.conn.is_autocommit() {
                roll_back(self.conn);
            }
            if leaves_doubt(&error) {
                self.store.poison(&error);
            }
            // What was folded may be so, or not.
            *self.heads = Heads::default();
            return Err(error);
        }
        self.heads.ended();
        self.store.publish(&self.catalog);
        self.store.wrote();
        self.store.tidy(self.conn);
        Ok(())
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        self.heads.undo(0);
        self.heads.ended();
        let ended = !self.conn.is_autocommit() && roll_back(self.conn);
        if ended {
            *self.tail = std::mem::take(&mut self.before);
        } else {
            *self.seen = None;
        }
    }
}

/// True when the commit may or may not be on the disk: an I/O error while
/// committing, or a file that is not the one that was opened.
fn leaves_doubt(error: &Error) -> bool {
    match error {
        Error::Sqlite { code, .. } => code & 0xff == rusqlite::ffi::SQLITE_IOERR,
        Error::Replaced { .. } => true,
        _ => false,
    }
}

/// True when that is done. When it fails, SQLite has rolled back already, or the
/// next BEGIN fails and says why.
fn roll_back(conn: &Connection) -> bool {
    run(conn, "ROLLBACK")
        .inspect_err(|error| tracing::warn!(%error, "rollback failed"))
        .is_ok()
}

/// Takes the write lock by the deadline.
fn lock(conn: &Connection, timeout: Duration, since: Instant) -> Result<()> {
    let waited = since.elapsed();
    if waited < timeout / 16 {
        return run(conn, "BEGIN IMMEDIATE");
    }
    conn.busy_timeout(timeout.saturating_sub(waited)).db()?;
    let begun = run(conn, "BEGIN IMMEDIATE");
    conn.busy_timeout(timeout).db()?;
    begun
}

/// Runs one of the few statements without values.
pub(crate) fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(|_| ())
        .db()
}

/// The newest `idx` of the store.
pub(crate) fn last(conn: &Connection, catalog: &Catalog) -> Result<Idx> {
    let mut last = catalog.event;
    for meta in &catalog.tables {
        let sql = format!(
            "SELECT idx FROM {} ORDER BY idx DESC LIMIT 1",
            meta.sql.table
        );
        let newest: Option<i64> = conn
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([], |row| row.get(0)).optional())
            .db()?;
        last = last.max(Idx(newest.unwrap_or(0)));
    }
    if last < Idx::ZERO {
        return Err(damaged("a version number is negative"));
    }
    Ok(last)
}
