//! The idle checkpoint: when writes pause, the `.db` file alone is complete.
//!
//! A thread of its own, with a connection of its own, so that no writer waits
//! for it. It sleeps until a write wakes it, waits for a pause, folds the heads
//! and checkpoints; readers that hold a transaction delay it. A pause is one of all
//! processes ([`Pulse`]): to fold what another process goes on writing would only
//! take the lock from it, and its recent heads.
//!
//! Under load it checkpoints as well, beside who writes on: the file and the `-wal`
//! are written and synced at the same time, and a commit rarely has to do it itself.
//!
//! Where readers overlap without end, no commit ever finds a `-wal` that nobody
//! reads, and so begins it anew: it would grow without end too. When it is
//! large, this thread asks the next writer to wait a moment after its commit:
//! readers that come then need the file alone, and the others leave.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::identity::{FileKey, beside};
use super::{Config, Store, checkpoint, open, recent};
use crate::mirror::keeper::Background;

/// A pause of this length makes a store idle.
const PAUSE: Duration = Duration::from_millis(100);
// Idle for half a second, the file is complete: two pauses, then the fold and the checkpoint.
const _: () = assert!(4 * PAUSE.as_millis() < 500);
/// After a checkpoint that readers prevented.
const RETRY: Duration = Duration::from_millis(250);

/// So many pages are moved into the file beside who writes on.
const BESIDE: i64 = 1000;

/// A `-wal` of this many bytes is begun anew, whoever writes or reads.
const LARGE: u64 = 128 << 20;
/// How long readers may make writers wait for that, and how seldom they may
/// when they do not let it happen.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);
const SELDOM: Duration = Duration::from_secs(10);

/// The checkpointing thread.
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    /// Commits so far.
    commits: AtomicU64,
    /// The next writer is to begin the `-wal` anew.
    asked: AtomicBool,
    /// Readers did not let the last one that was asked.
    prevented: AtomicBool,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Asleep,
    Awake,
    Stopped,
}

impl Store {
    /// The thread, started when there is none. Called by who has the writer, and
    /// when the store is opened: one at a time.
    fn idle(&self) -> Option<&Checkpointer> {
        if self.idle.get().is_none() {
            // Where the system has no room for a thread, writing goes on without
            // it, and the next write tries again.
            let started = Checkpointer::start(self)
                .inspect_err(|error| tracing::warn!(%error, "no idle checkpoint"))
                .ok()?;
            if let Err(second) = self.idle.set(started) {
                second.stop();
            }
        }
        self.idle.get()
    }

    /// Called after each commit, and when the store is opened.
    pub(super) fn wrote(&self) {
        let Some(idle) = self.idle() else { return };
        idle.shared.commits.fetch_add(1, Ordering::Release);
        let mut state = idle.shared.lock();
        if *state == State::Asleep {
            *state = State::Awake;
            idle.shared.wake.notify_one();
        }
    }

    /// Begins the `-wal` anew when that is asked for. Called after a commit, on
    /// the writer's connection: nothing is written meanwhile.
    pub(super) fn tidy(&self, conn: &Connection) {
        let Some(idle) = self.idle.get() else { return };
        if !idle.shared.asked.swap(false, Ordering::AcqRel) {
            return;
        }
        let done = checkpoint::truncate(conn, PATIENCE, self.config.busy_timeout);
        let prevented = !done.is_ok_and(|checkpoint| checkpoint.complete);
        idle.shared.prevented.store(prevented, Ordering::Release);
    }
}

impl Store {
    /// True when this process has written: to open a store counts as one commit.
    pub(crate) fn writes(&self) -> bool {
        let idle = self.idle.get();
        idle.is_some_and(|idle| idle.shared.commits.load(Ordering::Acquire) > 1)
    }
}

impl Checkpointer {
    fn start(store: &Store) -> std::io::Result<Checkpointer> {
        let shared = Arc::new(Shared {
            commits: AtomicU64::new(0),
            asked: AtomicBool::new(false),
            prevented: AtomicBool::new(false),
            state: Mutex::new(State::Awake),
            wake: Condvar::new(),
        });
        let (path, config) = (store.path.clone(), store.config.clone());
        let key = store.identity.key();
        let for_thread = Arc::clone(&shared);
        let keeper = Arc::clone(&store.keeper);
        let thread = std::thread::Builder::new()
            .spawn(move || for_thread.run(path, key, &config, &keeper))?;
        Ok(Checkpointer { shared, thread })
    }

    /// Ends the thread and waits for it.
    pub(super) fn stop(self) {
        *self.shared.lock() = State::Stopped;
        self.shared.wake.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("the checkpointing thread panicked");
        }
    }
}

/// What tells that somebody wrote since it was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pulse {
    /// Commits of this process.
    commits: u64,
    /// What SQLite says of everybody's, but those of the thread's own connection.
    version: Option<i64>,
}

fn data_version(conn: &Connection) -> Option<i64> {
    let version = conn.query_row("PRAGMA data_version", [], |row| row.get(0));
    version
        .inspect_err(|error| tracing::debug!(%error, "who else writes is not known"))
        .ok()
}

/// Checkpoints beside writers, if they have written much.
fn beside_writers(conn: &Connection) {
    let done = checkpoint::backlog(conn).and_then(|pages| {
        if pages >= BESIDE {
            checkpoint::passive(conn)?;
        }
        Ok(())
    });
    if let Err(error) = done {
        tracing::debug!(%error, "writers checkpoint themselves");
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, path: PathBuf, key: FileKey, config: &Config, keeper: &Background) {
        let wal = beside(&path, "-wal");
        let mut conn = None;
        let mut pulse = Pulse::default();
        let mut pause = PAUSE;
        let mut asked: Option<Instant> = None;
        while self.sleep(pause) {
            pause = PAUSE;
            let due = !self.prevented.load(Ordering::Acquire)
                || asked.is_none_or(|at| at.elapsed() >= SELDOM);
            if due && std::fs::metadata(&wal).is_ok_and(|meta| meta.len() >= LARGE) {
                asked = Some(Instant::now());
                self.asked.store(true, Ordering::Release);
            }
            if conn.is_none() {
                conn = open::checkpointer(&path, key, config)
                    .inspect_err(|error| tracing::warn!(%error, "no idle checkpoint"))
                    .ok();
            }
            let commits = self.commits.load(Ordering::Acquire);
            let before = pulse;
            pulse = Pulse {
                commits,
                version: conn.as_ref().and_then(data_version),
            };
            if before != pulse {
                if before.commits != commits && commits > 1 {
                    keeper.wake();
                }
                if let Some(conn) = &conn {
                    beside_writers(conn);
                }
                continue;
            }
            let complete = conn.as_ref().is_some_and(|conn| {
                let folded = recent::fold_all(conn, || open::is_file(&path, key))
                    .inspect_err(|error| tracing::debug!(%error, "the heads are folded later"));
                checkpoint::passive(conn)
                    .is_ok_and(|checkpoint| checkpoint.complete && folded.is_ok())
            });
            if complete {
                self.fall_asleep(commits);
            } else {
                pause = RETRY;
            }
        }
    }

    /// Waits for the time of a pause; while asleep, for a write. False: stop.
    fn sleep(&self, pause: Duration) -> bool {
        let mut state = self.lock();
        while *state == State::Asleep {
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let running = |state: &mut State| *state == State::Awake;
        let waited = self.wake.wait_timeout_while(state, pause, running);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *state != State::Stopped
    }

    fn fall_asleep(&self, seen: u64) {
        let mut state = self.lock();
        if *state == State::Awake && self.commits.load(Ordering::Acquire) == seen {
            *state = State::Asleep;
        }
    }
}
