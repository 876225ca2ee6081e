//! Who writes the mirror: a thread of its own in a process that writes, and
//! in one that only reads, the question that meets a large tail.
//!
//! The thread has its own connection and does not keep the store open: it ends
//! with it, in the middle of a file if need be.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Mirror;
use super::plan::{Due, Table};
use super::publish;
use super::trust::Held;
use crate::error::{Error, Result};
use crate::log::catalog::{self, Catalog};
use crate::log::identity::FileKey;
use crate::log::manifest::{self, Kind, Manifest, Sealed};
use crate::log::{Config, Reader, open, writer};
use crate::record::Idx;

/// After a failure, the next attempt waits so long.
pub(super) const RETRY: Duration = Duration::from_secs(10);

/// Where a store is, for those who must not keep it open.
#[derive(Clone)]
pub(crate) struct Site {
    pub(super) path: PathBuf,
    pub(super) config: Config,
    pub(super) key: FileKey,
    pub(super) mirror: Arc<Mirror>,
    /// The store is being closed.
    pub(super) stop: Arc<AtomicBool>,
}

/// A connection to the log, and what it is needed for.
pub(super) struct Keeper {
    pub(super) site: Site,
    pub(super) conn: Reader,
    catalog: Option<Arc<Catalog>>,
}

/// The state of the mirror and of the log beyond it.
pub(super) struct Seen {
    catalog: Arc<Catalog>,
    manifest: Manifest,
    last: Idx,
    pub(super) tails: Vec<manifest::Amount>,
}

impl Keeper {
    pub(super) fn open(site: Site) -> Result<Keeper> {
        let conn = open::keeper(&site.path, &site.config, site.key)?;
        Ok(Keeper {
            site,
            conn,
            catalog: None,
        })
    }

    /// Fails when the store is being closed.
    pub(super) fn go_on(&self) -> Result<()> {
        if self.site.stop.load(Ordering::Acquire) {
            return Err(Error::io(
                &self.site.mirror.folder,
                std::io::Error::new(std::io::ErrorKind::Interrupted, "the store is closed"),
            ));
        }
        Ok(())
    }

    /// Runs `read` in one short read transaction.
    pub(super) fn read<T>(
        &mut self,
        read: impl FnOnce(&Reader, &Arc<Catalog>) -> Result<T>,
    ) -> Result<T> {
        self.go_on()?;
        writer::run(&self.conn, "BEGIN")?;
        let event = catalog::last_event(&self.conn);
        let known = self.catalog.take();
        let result = event.and_then(|event| {
            let known = known.filter(|catalog| catalog.event == event);
            let fresh = || Catalog::read(&self.conn).map(Arc::new);
            let catalog = known.map_or_else(fresh, Ok)?;
            self.catalog = Some(Arc::clone(&catalog));
            read(&self.conn, &catalog)
        });
        let ended = writer::run(&self.conn, "ROLLBACK");
        // The first error is the one that tells what happened.
        result.and_then(|value| ended.map(|()| value))
    }

    pub(super) fn catalog(&mut self) -> Result<Arc<Catalog>> {
        self.read(|_, catalog| Ok(Arc::clone(catalog)))
    }

    /// Takes files for reading; `None` when one of them is not what was written.
    pub(super) fn hold_all(&self, files: &[&Sealed]) -> Option<Vec<Held>> {
        let held = files.iter().map(|sealed| self.site.mirror.hold(sealed));
        held.collect()
    }

    /// Does what is due, until nothing is.
    pub(super) fn keep(&mut self) -> Result<()> {
        publish::share(&self.site.mirror.folder);
        let mut done = false;
        loop {
            match self.step() {
                Ok(true) => done = true,
                Ok(false) => break,
                // The table was cleared meanwhile: what is due is another thing.
                Err(Error::OutsideHistory { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if done {
            self.sweep()?;
        }
        Ok(())
    }

    pub(super) fn seen(&mut self) -> Result<Seen> {
        let mirror = Arc::clone(&self.site.mirror);
        self.read(|conn, catalog| Seen::read(&mirror, conn, catalog))
    }

    /// Does one thing that is due. False: nothing was.
    fn step(&mut self) -> Result<bool> {
        let mirror = Arc::clone(&self.site.mirror);
        let seal_rows = self.site.config.seal_rows;
        let seen = self.seen()?;
        let bad = mirror.trust.bad(&seen.manifest);
        for meta in &seen.catalog.tables {
            let table = meta.schema.number;
            let of_table = seen.table(table, seal_rows);
            if let Some(sealed) = first_bad(&of_table, &bad) {
                return match sealed.kind {
                    Kind::History => {
                        self.seal(table, (sealed.after, sealed.upto), &[sealed])?;
                        Ok(true)
                    }
                    Kind::Current => self.write_current(&seen.manifest, table),
                };
            }
            let done = match of_table.due() {
                None => continue,
                Some(Due::Seal) => {
                    let range = (seen.manifest.watermark(table), seen.last);
                    self.seal(table, range, &[])?
                }
                Some(Due::Current) => self.write_current(&seen.manifest, table)?,
                Some(Due::Merge(from, count)) => {
                    self.merge(&of_table.history[from..from + count], seen.manifest.event)?
                }
            };
            // What was not done was another's to do, or cannot be done now.
            return Ok(done || mirror.trust.has_bad());
        }
        Ok(false)
    }
}

/// History comes first: current rows are made from it.
fn first_bad<'a>(table: &Table<'a>, bad: &HashSet<String>) -> Option<&'a Sealed> {
    let mut files = table.history.iter().chain(&table.current);
    files.find(|sealed| bad.contains(&sealed.file)).copied()
}

impl Seen {
    pub(super) fn read(mirror: &Mirror, conn: &Reader, catalog: &Arc<Catalog>) -> Result<Seen> {
        let manifest = manifest::read(conn)?;
        let last = writer::last(conn, catalog)?;
        let tail = |meta: &Arc<catalog::TableMeta>| {
            let after = manifest.watermark(meta.schema.number);
            mirror.tail(conn, meta, after, last)
        };
        let tails = catalog.tables.iter().map(tail).collect::<Result<_>>()?;
        Ok(Seen {
            catalog: Arc::clone(catalog),
            manifest,
            last,
            tails,
        })
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The newest version of the store.
    pub(super) fn last(&self) -> Idx {
        self.last
    }

    /// The range of a table that the mirror does not have.
    pub(super) fn beyond(&self, table: u32) -> (Idx, Idx) {
        (self.manifest.watermark(table), self.last)
    }

    /// Whether the file of current rows is not of the watermark.
    pub(super) fn lacks_current(&self, table: u32) -> bool {
        let current = self.manifest.current(table).map(|sealed| sealed.upto);
        let watermark = self.manifest.history(table).last();
        watermark.is_some_and(|sealed| current != Some(sealed.upto))
    }

    pub(super) fn table(&self, number: u32, seal_rows: u64) -> Table<'_> {
        Table {
            seal_rows: seal_rows.max(1),
            history: self.manifest.history(number).collect(),
            current: self.manifest.current(number),
            tail: self.tails[number as usize - 1],
        }
    }
}

/// The thread that keeps the mirror, from the first time it is woken.
pub(crate) struct Background {
    pub(super) site: Site,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    woken: Mutex<bool>,
    wake: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Background {
    /// For the file at `path`, with this key.
    pub(crate) fn new(path: &Path, config: Config, key: FileKey) -> Background {
        Background {
            site: Site {
                path: path.to_owned(),
                config,
                key,
                mirror: Arc::new(Mirror::new(path)),
                stop: Arc::default(),
            },
            shared: Arc::default(),
            thread: Mutex::default(),
        }
    }

    /// Has the thread look what is due.
    pub(crate) fn wake(&self) {
        *lock(&self.shared.woken) = true;
        self.shared.wake.notify_one();
        let mut thread = lock(&self.thread);
        if thread.is_none() {
            let (site, shared) = (self.site.clone(), Arc::clone(&self.shared));
            let spawned = std::thread::Builder::new()
                .name("dkdc mirror".to_owned())
                .spawn(move || shared.run(&site));
            match spawned {
                Ok(handle) => *thread = Some(handle),
                Err(error) => tracing::warn!(%error, "no thread keeps the mirror"),
            }
        }
    }

    /// Does what is due, on this thread.
    pub(crate) fn keep_now(&self) -> Result<()> {
        let _at_work = lock(&self.site.mirror.at_work);
        Keeper::open(self.site.clone())?.keep()
    }

    /// Ends the thread and waits for it.
    pub(crate) fn stop(&self) {
        self.site.stop.store(true, Ordering::Release);
        drop(lock(&self.shared.woken));
        self.shared.wake.notify_one();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps the mirror panicked");
        }
    }
}

impl Shared {
    fn run(&self, site: &Site) {
        let mut keeper = None;
        while self.sleep(site) {
            let failed = self.work(site, &mut keeper);
            if let Err(error) = failed {
                if site.stop.load(Ordering::Acquire) {
                    return;
                }
                tracing::warn!(%error, "the mirror was not brought up to date");
                keeper = None;
                self.pause(site);
            }
        }
    }

    fn work(&self, site: &Site, keeper: &mut Option<Keeper>) -> Result<()> {
        if keeper.is_none() {
            *keeper = Some(Keeper::open(site.clone())?);
        }
        let _at_work = lock(&site.mirror.at_work);
        keeper.as_mut().map_or(Ok(()), Keeper::keep)
    }

    /// Waits to be woken. False: stop.
    fn sleep(&self, site: &Site) -> bool {
        let mut woken = lock(&self.woken);
        while !*woken && !site.stop.load(Ordering::Acquire) {
            woken = self
                .wake
                .wait(woken)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
        !site.stop.load(Ordering::Acquire)
    }

    /// What failed may fail again: not at once.
    fn pause(&self, site: &Site) {
        let until = Instant::now() + RETRY;
        let mut woken = lock(&self.woken);
        while !site.stop.load(Ordering::Acquire) && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let waited = self.wake.wait_timeout(woken, left);
            (woken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        *woken = true;
    }
}
