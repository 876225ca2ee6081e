//! One store per process and file.
//!
//! Two SQLite handles of one process would be safe, but two *copies* of SQLite
//! are not, and separate group commits would only wait for each other. So a
//! second `State::open` of the same file, by whatever path, shares the first
//! one's store. Keyed by device and inode.
//!
//! Whoever opens a file waits for others that open the same path, and for nobody
//! else: a store may take its time, for another process's lock, or a file to
//! adopt.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use super::identity::{FileKey, beside, file_key};
use super::{Config, Store, open};
use crate::error::{Error, Result};
use crate::state::Durability;

static OPEN: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Registry {
    stores: HashMap<FileKey, Weak<Store>>,
    /// One at a time opens a path: a new file has no inode to be told by.
    turns: HashMap<PathBuf, Weak<Mutex<()>>>,
}

/// Opens the store at `path`, or shares the one this process has open.
pub(crate) fn open(path: &Path, config: Config) -> Result<Arc<Store>> {
    let resolved = open::resolve(path, &config)?;
    let turn = lock(&OPEN).turn(&resolved);
    let _turn = lock(&turn);
    let known = file_key(&resolved).and_then(|key| lock(&OPEN).find(key));
    if let Some(store) = known {
        return share(store, &config);
    }
    let store = Arc::new(open::open(&resolved, config.clone())?);
    let key = store.identity.key();
    let mut registry = lock(&OPEN);
    // Another thread may have opened the file by another name meanwhile.
    if let Some(first) = registry.find(key) {
        drop(registry);
        drop(store);
        return share(first, &config);
    }
    registry.stores.insert(key, Arc::downgrade(&store));
    Ok(store)
}

impl Registry {
    /// One that writes no more is not handed out: whoever opens the store again, as
    /// its error says, gets a new one, whoever still has the old one.
    fn find(&self, key: FileKey) -> Option<Arc<Store>> {
        let store = self.stores.get(&key).and_then(Weak::upgrade);
        store.filter(|store| !store.is_spent())
    }

    /// The turn of those who open this path.
    fn turn(&mut self, path: &Path) -> Arc<Mutex<()>> {
        self.stores.retain(|_, store| store.strong_count() > 0);
        self.turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = self.turns.get(path).and_then(Weak::upgrade);
        turn.unwrap_or_else(|| {
            let turn = Arc::default();
            self.turns.insert(path.to_owned(), Arc::downgrade(&turn));
            turn
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// True for the file of a store that this process has open.
pub(crate) fn is_open(path: &Path) -> bool {
    let open = |key| {
        lock(&OPEN)
            .stores
            .get(&key)
            .is_some_and(|s| s.strong_count() > 0)
    };
    file_key(path).is_some_and(open)
}

/// The files of all stores that this process has open, whether they are there or not.
pub(crate) fn open_files() -> Vec<PathBuf> {
    let open: Vec<Arc<Store>> = lock(&OPEN)
        .stores
        .values()
        .filter_map(Weak::upgrade)
        .collect();
    open.iter()
        .flat_map(|store| ["", "-wal", "-shm"].map(|ending| beside(&store.path, ending)))
        .collect()
}

/// A second handle must be able to do what it was opened for.
fn share(store: Arc<Store>, config: &Config) -> Result<Arc<Store>> {
    if store.config.read_only && !config.read_only {
        return Err(Error::ReadOnly {
            path: store.path.clone(),
            why: "this process has it open read-only".to_owned(),
        });
    }
    // Whoever asks for more than the first one gets it, for all.
    if config.durability == Durability::Full && store.config.durability == Durability::Relaxed {
        store.group.make_full(&store)?;
    }
    Ok(store)
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::log::DbResult;
    use crate::state::State;

    fn options() -> Config {
        State::options().config().clone()
    }

    /// A clock whose first reading takes until it is let go.
    struct Slow {
        asked: AtomicBool,
        tell: Mutex<Sender<()>>,
        go: Mutex<Receiver<()>>,
    }

    impl Clock for Slow {
        fn now(&self) -> i64 {
            if !self.asked.swap(true, Ordering::SeqCst) {
                lock(&self.tell).send(()).expect("the test listens");
                lock(&self.go).recv().expect("the test lets it go");
            }
            1
        }
    }

    #[test]
    fn a_store_that_opens_slowly_holds_up_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (tell, told) = channel();
        let (let_go, go) = channel();
        let clock = Slow {
            asked: AtomicBool::new(false),
            tell: Mutex::new(tell),
            go: Mutex::new(go),
        };
        let slow = Config {
            clock: Arc::new(clock),
            ..options()
        };
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| open(&path("slow.db"), slow).map(|_| ()));
            told.recv().expect("it reads the clock while it opens");
            let (done, other) = channel();
            let quick = path("quick.db");
            scope.spawn(move || done.send(open(&quick, options()).is_ok()));
            let opened = other.recv_timeout(Duration::from_secs(60));
            let_go.send(()).expect("it waits");
            assert_eq!(opened, Ok(true), "the other one waited for it");
            slow.join().expect("no panic").expect("a store");
        });
    }

    #[test]
    fn threads_that_open_a_new_file_at_once_share_one_store() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).expect("a link");
        for round in 0..20 {
            let together = Barrier::new(4);
            let stores: Vec<Arc<Store>> = std::thread::scope(|scope| {
                let opening = (0..4).map(|n| {
                    let folder = if n % 2 == 0 { folder.path() } else { &link };
                    let path = folder.join(format!("{round}.db"));
                    let together = &together;
                    scope.spawn(move || {
                        together.wait();
                        open(&path, options()).expect("a store")
                    })
                });
                let opening: Vec<_> = opening.collect();
                opening
                    .into_iter()
                    .map(|thread| thread.join().expect("no panic"))
                    .collect()
            });
            assert!(stores.iter().all(|store| Arc::ptr_eq(store, &stores[0])));
        }
    }

    #[test]
    fn who_asks_for_full_durability_gets_it_for_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.db");
        let synchronous = |store: &Store| -> i64 {
            let asked = store.write(|tx| {
                let mode = tx
                    .conn
                    .query_row("PRAGMA synchronous", [], |row| row.get(0));
                mode.db()
            });
            asked.expect("a mode")
        };
        let (normal, full) = (1, 2);
        let relaxed = Config {
            durability: Durability::Relaxed,
            ..options()
        };
        let first = open(&path, relaxed.clone()).expect("a store");
        assert_eq!(synchronous(&first), normal);
        let second = open(&path, options()).expect("the same store");
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(synchronous(&first), full);
        let third = open(&path, relaxed).expect("the same store");
        assert_eq!(synchronous(&third), full, "and it stays so");
    }

    /// The failure to prevent: the file is exchanged while it is opened, and
    /// from then on the other one counts as the store's.
    #[test]
    fn a_file_that_is_exchanged_while_it_is_opened_is_refused() {
        struct Exchange(PathBuf);
        impl Clock for Exchange {
            fn now(&self) -> i64 {
                std::fs::remove_file(&self.0).expect("a file");
                std::fs::write(&self.0, "").expect("another file");
                1
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.db");
        let config = Config {
            clock: Arc::new(Exchange(path.clone())),
            ..options()
        };
        let refused = open(&path, config).map(|_| ());
        assert!(
            matches!(refused, Err(Error::Replaced { .. })),
            "{refused:?}"
        );
    }
}
