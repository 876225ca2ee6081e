//! The idle checkpoint: when writes pause, the `.db` file alone is complete.
//!
//! A thread of its own, with a connection of its
//! own, so that no writer waits for it. It sleeps until a write wakes it, waits
//! for a pause, and checkpoints; readers that hold a transaction delay it.
//!
//! Where readers overlap without end, no commit ever finds a `-wal` that nobody
//! reads, and so begins it anew: it would grow without end too. When it is
//! large, this thread stops writers for a moment, in which new readers need the
//! file alone.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::identity::beside;
use super::{Config, Store, open, writer};

/// A pause of this length makes a store idle.
const PAUSE: Duration = Duration::from_millis(100);
/// After a checkpoint that readers prevented.
const RETRY: Duration = Duration::from_millis(250);

/// A `-wal` of this many bytes is begun anew, whoever writes or reads.
const LARGE: u64 = 32 << 20;
/// How long readers may make writers wait for that, and how seldom they may
/// when they do not let it happen.
const PATIENCE: Duration = Duration::from_millis(250);
const SELDOM: Duration = Duration::from_secs(10);

/// The checkpointing thread.
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    /// Commits so far.
    commits: AtomicU64,
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
    /// Called after each commit, and when the store is opened.
    pub(super) fn wrote(&self) {
        let idle = self.idle.get_or_init(|| Checkpointer::start(self));
        idle.shared.commits.fetch_add(1, Ordering::Release);
        let mut state = idle.shared.lock();
        if *state == State::Asleep {
            *state = State::Awake;
            idle.shared.wake.notify_one();
        }
    }
}

impl Checkpointer {
    fn start(store: &Store) -> Checkpointer {
        let shared = Arc::new(Shared {
            commits: AtomicU64::new(0),
            state: Mutex::new(State::Awake),
            wake: Condvar::new(),
        });
        let (path, config) = (store.path.clone(), store.config.clone());
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || for_thread.run(path, &config));
        Checkpointer { shared, thread }
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

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, path: PathBuf, config: &Config) {
        let wal = beside(&path, "-wal");
        let mut conn = None;
        let mut seen = 0;
        let mut pause = PAUSE;
        let mut prevented: Option<Instant> = None;
        while self.sleep(pause) {
            pause = PAUSE;
            let commits = self.commits.load(Ordering::Acquire);
            let writing = std::mem::replace(&mut seen, commits) != commits;
            let large = prevented.is_none_or(|at| at.elapsed() >= SELDOM)
                && std::fs::metadata(&wal).is_ok_and(|meta| meta.len() >= LARGE);
            if writing && !large {
                continue;
            }
            if conn.is_none() {
                conn = open::checkpointer(&path, config)
                    .inspect_err(|error| tracing::warn!(%error, "no idle checkpoint"))
                    .ok();
            }
            let complete = conn.as_ref().is_some_and(|conn| {
                let done = if large {
                    writer::truncate(conn, PATIENCE)
                } else {
                    writer::checkpoint(conn)
                };
                done.is_ok_and(|checkpoint| checkpoint.complete)
            });
            if large {
                prevented = (!complete).then(Instant::now);
            }
            if complete && !writing {
                self.fall_asleep(seen);
            } else if !complete {
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
