//! The work: operations of every kind, at random, on records that workers share
//! and on records of their own.
//!
//! The tables: `notes` (indexed, with a unique column), `pairs`, of which every
//! transaction writes both halves, `sums`, to which compare-and-set adds one at
//! a time, and `files`, whose content is a blob.

mod op;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use dkdc_state::{
    Clock, ColumnDef, ColumnType, Durability, IndexDef, Nulls, OpenOptions, Row, State, Table,
    TableDef, clock::SystemClock,
};

use crate::Result;
use crate::ledger::Ledger;
use crate::random::Random;

pub(crate) use op::content;

/// How a worker works.
#[derive(Clone, Debug)]
pub struct Work {
    /// The store.
    pub store: PathBuf,
    /// Where ledgers go, as `<name>-<thread>`.
    pub ledgers: PathBuf,
    /// This worker's number: unlike that of all others of the store, below 2^20.
    pub worker: u64,
    /// Threads that write at once.
    pub threads: u64,
    /// Operations of each thread.
    pub operations: u64,
    /// A tail of so many rows becomes a file of the mirror.
    pub seal_rows: u64,
    /// Where its random choices come from.
    pub seed: u64,
    /// What its commits survive.
    pub durability: Durability,
    /// Whether the clock steps back and forth.
    pub wobble: bool,
}

/// The rows with which a tail becomes a file of the mirror, where nothing else is
/// said: few, so that it happens often.
pub const SEAL_ROWS: u64 = 200;

/// The system's clock, a day ahead or behind as it is told.
#[derive(Debug, Default)]
pub struct Wobble(AtomicI64);

impl Wobble {
    /// From now on the clock is so many microseconds ahead.
    pub fn set(&self, ahead: i64) {
        self.0.store(ahead, Ordering::Relaxed);
    }
}

impl Clock for Wobble {
    fn now(&self) -> i64 {
        SystemClock.now() + self.0.load(Ordering::Relaxed)
    }
}

/// The options with which all of the harness open a store.
pub fn options(durability: Durability) -> OpenOptions {
    State::options()
        .durability(durability)
        .busy_timeout(Duration::from_secs(60))
        .seal_rows(SEAL_ROWS)
}

/// The tables.
#[derive(Clone)]
pub struct Tables {
    /// Indexed, with a unique column, and large values.
    pub notes: Table<Row>,
    pub(crate) sums: Table<Row>,
    pub(crate) files: Table<Row>,
}

fn with_token(name: &str) -> TableDef {
    TableDef::new(name).column(ColumnDef::new("token", ColumnType::Int))
}

impl Tables {
    /// Declares them where they are not there.
    ///
    /// # Errors
    /// Those of the store.
    pub fn define(state: &State) -> dkdc_state::Result<Tables> {
        let body = ColumnDef::new("body", ColumnType::Text);
        let notes = with_token("notes")
            .column(body)
            .index(IndexDef::new(["body", "-idx"]))
            .index(IndexDef::new(["token"]).unique(Nulls::Distinct));
        let content = ColumnDef::new("content", ColumnType::Blob);
        // Written inside transactions only.
        state.define(&with_token("pairs"))?;
        Ok(Tables {
            notes: state.define(&notes)?,
            sums: state.define(&with_token("sums").column(ColumnDef::new("n", ColumnType::Int)))?,
            files: state.define(&with_token("files").column(content))?,
        })
    }
}

/// Works until all is done, whatever fails meanwhile: a store whose handle is
/// poisoned is opened again.
///
/// `acknowledged` is called with each operation's number, among all of this
/// worker's, right after its answer is in the ledger.
///
/// # Errors
/// A store that cannot be opened again, or a ledger that cannot be written.
pub fn run(work: &Work, acknowledged: &(dyn Fn(u64, u64) + Sync)) -> Result<()> {
    let clock = Arc::new(Wobble::default());
    let ledgers: Vec<PathBuf> = (0..work.threads)
        .map(|thread| ledger_path(&work.ledgers, work.worker, thread))
        .collect();
    let mut hands = Vec::new();
    for (thread, path) in (0..).zip(&ledgers) {
        hands.push(op::Hand {
            random: Random::new(work.seed ^ (thread + 1)),
            ledger: Ledger::create(path)?,
            base: ((work.worker << 8) | thread) << 24,
            thread,
            left: work.operations,
            done: 0,
            mine: Vec::new(),
            own: Vec::new(),
            clock: work.wobble.then(|| Arc::clone(&clock)),
        });
    }
    let mut failures = 0;
    loop {
        let result = session(work, &clock, &mut hands, acknowledged);
        match result {
            Ok(()) => return Ok(()),
            // A fault that was planned, or its consequence; the next try is on
            // a handle of its own.
            Err(Stop::Store(_)) if failures < 100 => {
                failures += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Stop::Store(error)) => return Err(error.into()),
            Err(Stop::Work(error)) => return Err(error),
        }
    }
}

/// The ledger of one thread.
#[must_use]
pub fn ledger_path(folder: &Path, worker: u64, thread: u64) -> PathBuf {
    folder.join(format!("{worker:06}-{thread}.ledger"))
}

/// Why a thread does not go on.
enum Stop {
    /// What the store said: the next try may do.
    Store(dkdc_state::Error),
    /// No try is to follow: a ledger that cannot be written, or a wrong read.
    Work(crate::Failure),
}

impl Stop {
    /// What both came to: work that is not to go on, before all else.
    fn of(one: Result<(), Stop>, other: Result<(), Stop>) -> Result<(), Stop> {
        match (one, other) {
            (Err(Stop::Work(error)), _) | (_, Err(Stop::Work(error))) => Err(Stop::Work(error)),
            (one, other) => one.and(other),
        }
    }
}

impl From<dkdc_state::Error> for Stop {
    fn from(error: dkdc_state::Error) -> Stop {
        Stop::Store(error)
    }
}

impl From<crate::Failure> for Stop {
    fn from(error: crate::Failure) -> Stop {
        Stop::Work(error)
    }
}

/// Opens the store and works until all is done or the handle fails.
fn session(
    work: &Work,
    clock: &Arc<Wobble>,
    hands: &mut [op::Hand],
    acknowledged: &(dyn Fn(u64, u64) + Sync),
) -> Result<(), Stop> {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let options = options(work.durability).seal_rows(work.seal_rows);
    let state = options.clock(clock).open(&work.store)?;
    let tables = Tables::define(&state)?;
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        let mut outcome = Ok(());
        for hand in hands.iter_mut() {
            let (state, tables) = (&state, &tables);
            let thread = std::thread::Builder::new()
                .spawn_scoped(scope, move || hand.work(state, tables, acknowledged));
            match thread {
                Ok(thread) => running.push(thread),
                // The system has no room for it.
                Err(error) => outcome = Err(Stop::Work(error.into())),
            }
        }
        for thread in running {
            let result = thread.join().unwrap_or_else(|panic| {
                std::panic::resume_unwind(panic);
            });
            outcome = Stop::of(outcome, result);
        }
        outcome
    })
}
