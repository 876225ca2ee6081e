//! The snapshot that a question is asked of, for as long as it takes: what its table
//! functions read, by a token that is random, one for each connection.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;

use super::replaced::At;
use crate::error::{Error, Result};
use crate::log::catalog::{Catalog, TableMeta};
use crate::log::manifest::{self, Manifest};
use crate::log::scan::{self, Scanned, newest};
use crate::log::{Store, moment};
use crate::mirror::{Held, Pieces, Superseded};
use crate::record::Idx;

pub(super) type Failure = Box<dyn std::error::Error>;

pub(super) const NOT_OURS: &str = "dkdc's table functions serve only its own views";

/// Snapshots of questions under way, by token.
static PINNED: LazyLock<Mutex<HashMap<i64, Arc<Pin>>>> = LazyLock::new(Mutex::default);

/// What a question's table functions read.
pub(super) struct Pin {
    pub(super) store: Arc<Store>,
    pub(super) idx: Idx,
    pub(super) now: i64,
    manifest: Manifest,
    /// The tables that the views are made of: a column renamed since has here
    /// the name that the views use.
    pub(super) catalog: Arc<Catalog>,
    /// Tails are kept in memory: it is the question that reads, and not what
    /// brings other things up to date for it.
    pub(super) keeps_tails: AtomicBool,
    /// What newer versions replaced, by table, as far as it was asked for.
    replaced: Mutex<HashMap<u32, Arc<Superseded>>>,
    /// The error behind the text that DuckDB reports.
    error: Mutex<Option<Error>>,
}

impl Pin {
    /// What the versions that are newer than a table's file of current rows replace.
    pub(super) fn replaced(&self, table: u32) -> Result<Arc<Superseded>> {
        // Who comes meanwhile waits: it is the same that they want.
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = replaced.get(&table) {
            return Ok(Arc::clone(known));
        }
        let found = self.store.tails.replaced.read(&At {
            store: &self.store,
            manifest: &self.manifest,
            table: &self.catalog.by_number(table)?.schema,
            event: self.catalog.event,
            upto: self.idx,
        })?;
        replaced.insert(table, Arc::clone(&found));
        Ok(found)
    }

    /// Keeps the error, and gives DuckDB its text.
    pub(super) fn fail(&self, error: Error) -> Failure {
        let text = error.to_string();
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        text.into()
    }
}

/// A snapshot, for as long as its question takes.
pub(super) struct Pinned {
    token: i64,
    pin: Arc<Pin>,
    pub(super) catalog: Arc<Catalog>,
    /// From where each table is read, by number minus one.
    pub(super) pieces: Vec<Pieces>,
    /// The newest version of each table, of whatever snapshot.
    pub(super) newest: Vec<Idx>,
    /// The newest version or event of all.
    last: Idx,
    /// The pieces' files, which stay while this is there.
    held: Vec<Held>,
}

impl Pinned {
    /// Of a snapshot, or of the state as it is now. The token is one that no
    /// other question has.
    pub(super) fn new(store: &Arc<Store>, idx: Option<Idx>, token: i64) -> Result<Pinned> {
        let read = store.read(|conn, catalog| {
            let newest = catalog.tables.iter().map(|meta| newest(conn, meta));
            let newest = newest.collect::<Result<Vec<_>>>()?;
            Ok((Arc::clone(catalog), manifest::read(conn)?, newest))
        });
        let (catalog, manifest, newest) = read?;
        let last = newest.iter().copied().fold(catalog.event, Idx::max);
        let idx = idx.unwrap_or(last);
        let mut held = Vec::new();
        let numbers = catalog.tables.iter().map(|meta| meta.schema.number);
        let pieces = numbers
            .map(|number| store.mirror().pieces(&manifest, number, &mut held))
            .collect();
        let pin = Arc::new(Pin {
            now: store.config.clock.now(),
            store: Arc::clone(store),
            idx,
            manifest,
            catalog: Arc::clone(&catalog),
            keeps_tails: AtomicBool::new(false),
            replaced: Mutex::default(),
            error: Mutex::new(None),
        });
        lock().insert(token, Arc::clone(&pin));
        Ok(Pinned {
            token,
            pin,
            catalog,
            pieces,
            newest,
            last,
            held,
        })
    }

    /// The versions that those of a range replace; `None` when it has too many.
    pub(super) fn replaced(
        &self,
        meta: &TableMeta,
        range: (Idx, Idx),
        limit: usize,
    ) -> Result<Option<Vec<Idx>>> {
        let read = self.pin.store.read(|conn, catalog| {
            let meta = catalog.by_number(meta.schema.number)?;
            moment::check_floor(meta, range.1)?;
            scan::batch(conn, meta, &[Scanned::Prev], range, limit)
        })?;
        let Some((batch, _)) = read else {
            return Ok(Some(Vec::new()));
        };
        let replaced = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        let replaced = replaced.iter().flatten().map(Idx::from_micros);
        Ok((batch.num_rows() < limit).then(|| replaced.collect()))
    }

    /// True when the snapshot is the newest there is.
    pub(super) fn is_last(&self) -> bool {
        self.pin.idx == self.last
    }

    /// Runs something as if the snapshot were the newest: views are made for
    /// every table, also for those whose history begins after the snapshot.
    pub(super) fn at_last<T>(&self, run: impl FnOnce() -> T) -> T {
        let last = Pin {
            now: self.pin.now,
            store: Arc::clone(&self.pin.store),
            idx: self.last,
            manifest: Manifest::default(),
            catalog: Arc::clone(&self.catalog),
            keeps_tails: AtomicBool::new(false),
            replaced: Mutex::default(),
            error: Mutex::new(None),
        };
        lock().insert(self.token, Arc::new(last));
        let done = run();
        lock().insert(self.token, Arc::clone(&self.pin));
        done
    }

    /// From here on, tails that are read are kept for the questions to come.
    pub(super) fn keep_tails(&self) {
        self.pin.keeps_tails.store(true, Ordering::Relaxed);
    }

    /// Refuses what was read of files that somebody altered meanwhile.
    pub(super) fn verify(&self) -> Result<()> {
        match self.held.iter().find(|held| held.is_altered()) {
            Some(held) => Err(changed(held)),
            None => Ok(()),
        }
    }

    /// The error behind what DuckDB reported: the log's, or that a file is gone.
    pub(super) fn cause(&self, error: Error) -> Error {
        let of_log = self.take_error();
        let gone = || self.held.iter().find(|held| !held.is_there());
        of_log.unwrap_or_else(|| gone().map_or(error, changed))
    }

    /// The snapshot's version.
    pub(super) fn idx(&self) -> Idx {
        self.pin.idx
    }

    /// The error behind what DuckDB reported.
    pub(super) fn take_error(&self) -> Option<Error> {
        let mut error = self
            .pin
            .error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        error.take()
    }
}

fn changed(held: &Held) -> Error {
    Error::Changed {
        path: held.path.clone(),
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        lock().remove(&self.token);
    }
}

fn lock() -> std::sync::MutexGuard<'static, HashMap<i64, Arc<Pin>>> {
    PINNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a token stands for.
pub(super) fn of(token: i64) -> Result<Arc<Pin>, Failure> {
    let pin = lock().get(&token).cloned();
    pin.ok_or_else(|| NOT_OURS.into())
}
