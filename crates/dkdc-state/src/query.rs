//! Questions in SQL, answered by DuckDB over one snapshot: the only user of
//! DuckDB.
//!
//! One DuckDB in memory per store, opened at the first question and locked
//! down: no extensions, no network, no files but the mirror's and those that a
//! caller names. A question runs on a connection and a thread of its own, in a
//! transaction that is rolled back, so that nothing one question does is seen by
//! another. Its views read the mirror's files, and the log through the table
//! function of [`scan`]; which snapshot they see is a variable of the
//! connection. Rows stream: a few batches exist at a time.

mod content;
mod engine;
mod files;
mod hot;
mod judge;
mod pin;
mod replaced;
mod scan;
mod stage;
mod tail;
mod views;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::error::{Error, Result};
use crate::log::Store;
use crate::record::Idx;
use crate::snapshot::Snapshot;
pub(crate) use engine::Engine;
use engine::{Begun, Ended};
use stage::Stage;
pub(crate) use tail::Tails;

/// Batches that may wait for the caller.
const AHEAD: usize = 2;
/// How often a question is begun anew when files of the mirror are taken away or
/// altered under it.
const ATTEMPTS: usize = 4;

/// A question that is yet to be put.
///
/// ```
/// # use dkdc_state::{ColumnDef, ColumnType, Row, State, TableDef};
/// # let folder = tempfile::tempdir()?;
/// # let state = State::open(folder.path().join("data.db"))?;
/// let people = TableDef::new("people").column(ColumnDef::new("city", ColumnType::Text));
/// state.define(&people)?.append(&Row::new("ada").with("city", "London"))?;
/// let file = folder.path().join("cities.csv");
/// std::fs::write(&file, "city,country\nLondon,UK\n")?;
/// let rows: usize = state
///     .snapshot()?
///     .query()
///     .with_file("cities", &file)
///     .run("select id, country from people join cities using (city)")?
///     .map(|batch| batch.map(|b| b.num_rows()))
///     .sum::<Result<usize, _>>()?;
/// assert_eq!(rows, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a question is put by `run`"]
pub struct Query {
    snapshot: Snapshot,
    /// The snapshot is the newest, and may as well be a newer one.
    now: bool,
    setup: Setup,
}

/// What a question needs a DuckDB of its own for.
#[derive(Clone, Debug, Default, PartialEq)]
struct Setup {
    files: Vec<(String, PathBuf)>,
    /// In bytes.
    memory_limit: Option<u64>,
}

impl Snapshot {
    /// Answers a question in SQL from this snapshot.
    ///
    /// A table's name is its current records, with `idx` (a TIMESTAMP), `id`
    /// and its columns; `history.<table>` is every version, with `op` and
    /// `prev` besides; `<table>_at(x)` is the table as of a time (TIMESTAMP or
    /// text such as `'5 minutes ago'`) or an idx. One statement that reads; it
    /// can neither change the store nor see a file.
    ///
    /// What does not fit into memory is spilled into `<store>-spill`, a folder
    /// beside the store that is there only meanwhile; a killed process's leftovers
    /// are removed by the next one that spills. A store that this process cannot
    /// write spills nothing: such a question fails.
    ///
    /// ```
    /// # use dkdc_state::{ColumnDef, ColumnType, Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let notes = state.define(&TableDef::new("notes").column(ColumnDef::new("body", ColumnType::Text)))?;
    /// notes.append(&Row::new("n1").with("body", "draft"))?;
    /// notes.update(&Row::new("n1").with("body", "done"))?;
    /// let current: Vec<_> = state.sql("from notes")?.collect::<Result<_, _>>()?;
    /// let all: Vec<_> = state.sql("from history.notes")?.collect::<Result<_, _>>()?;
    /// assert_eq!((current[0].num_rows(), all[0].num_rows()), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Query`] with DuckDB's words, [`Error::OutsideHistory`];
    /// [`Error::Changed`], also after rows were handed out, when another program
    /// altered a file of the mirror meanwhile.
    pub fn sql(&self, query: &str) -> Result<Batches> {
        self.query().run(query)
    }

    /// A question with more to it than its text.
    pub fn query(&self) -> Query {
        Query {
            snapshot: self.clone(),
            now: false,
            setup: Setup::default(),
        }
    }
}

impl Query {
    /// A file (CSV, Parquet, JSON or NDJSON by its ending, CSV and JSON perhaps
    /// with `.gz` after it) to join as table `name`. It is read before the
    /// question is put; no other file can be.
    pub fn with_file(mut self, name: &str, path: impl AsRef<Path>) -> Query {
        self.setup
            .files
            .push((name.to_owned(), path.as_ref().to_owned()));
        self
    }

    /// How many bytes of memory the question may take; what does not fit is
    /// spilled beside the store (see [`Snapshot::sql`]). Unless it is said,
    /// DuckDB's own limit holds, 80% of the machine's memory, for all questions
    /// of a store together.
    pub fn memory_limit(mut self, bytes: u64) -> Query {
        self.setup.memory_limit = Some(bytes);
        self
    }

    /// Puts the question.
    ///
    /// # Errors
    /// As [`Snapshot::sql`].
    pub fn run(&self, query: &str) -> Result<Batches> {
        let store = &self.snapshot.store;
        store.refuse_inside()?;
        let engine = if self.setup == Setup::default() {
            store.engine()?
        } else {
            Arc::new(Engine::open(store, &self.setup, Stage::of_any())?)
        };
        // A cache that cannot be written is done without.
        if let Err(error) = store.keep_mirror() {
            tracing::warn!(%error, "the mirror was not brought up to date");
        }
        let at = (!self.now).then_some(self.snapshot.idx);
        let start = || Batches::start(engine.begin(store, at, query)?, query.to_owned());
        // A file that somebody took away or altered is not held a second time:
        // its rows come from the log then.
        for _ in 1..ATTEMPTS {
            match start() {
                Err(Error::Changed { .. }) => {}
                started => return started,
            }
        }
        start()
    }
}

impl Store {
    /// A question about the state as it is when it is put.
    pub(crate) fn ask_now(self: &Arc<Store>, query: &str) -> Result<Batches> {
        let question = Query {
            snapshot: Snapshot::new(Arc::clone(self), Idx::ZERO),
            now: true,
            setup: Setup::default(),
        };
        question.run(query)
    }
}

/// The answer to a question, a batch of rows at a time.
///
/// Dropped before its end, it stops the question.
#[must_use = "dropping the answer stops the question"]
pub struct Batches {
    schema: SchemaRef,
    batches: Option<Receiver<Result<RecordBatch>>>,
    interrupt: Arc<duckdb::InterruptHandle>,
    thread: Option<JoinHandle<Ended>>,
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batches({})", self.schema)
    }
}

impl Batches {
    fn start(begun: Begun, query: String) -> Result<Batches> {
        let interrupt = begun.session.connection().interrupt_handle();
        let (tell, told) = sync_channel(1);
        let (send, batches) = sync_channel(AHEAD);
        let thread =
            std::thread::Builder::new().spawn(move || begun.answer(&query, &Answer { tell, send }));
        let thread = thread.map_err(|error| Error::io(Path::new("a question's thread"), error))?;
        let mut started = Batches {
            schema: Arc::new(arrow_schema::Schema::empty()),
            batches: Some(batches),
            interrupt,
            thread: Some(thread),
        };
        started.schema = told.recv().unwrap_or_else(|_| Err(stopped()))?;
        Ok(started)
    }

    /// The columns of the answer.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let batches = self.batches.as_ref()?;
        if let Ok(batch) = batches.recv() {
            return Some(batch);
        }
        // The thread is done: with the last batch, or by a panic.
        self.batches = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Some((engine, session)))) => engine.take_back(session),
            Some(Err(_)) => return Some(Err(stopped())),
            Some(Ok(None)) | None => {}
        }
        None
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        // Nobody takes the rows any more: neither wait for them nor compute
        // them.
        self.batches = None;
        while !thread.is_finished() {
            self.interrupt.interrupt();
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
        if thread.join().is_err() {
            tracing::error!("a question's thread panicked");
        }
    }
}

fn stopped() -> Error {
    Error::Query("BUG: the question's thread ended without an answer".to_owned())
}

/// Where a question's thread puts what it finds.
struct Answer {
    tell: SyncSender<Result<SchemaRef>>,
    send: SyncSender<Result<RecordBatch>>,
}
