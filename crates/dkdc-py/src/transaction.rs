//! Transactions, as a `with` block has them.
//!
//! The state's transaction is a closure that runs to its end; a block of
//! Python's is not. So each runs on a thread of its own, which does what the
//! block sends it, one thing at a time. The thread that is in the block may not
//! use the state itself: it would wait for its own transaction.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dkdc_state::{Error, Idx, Result as StateResult, Row, TableSchema, TxTable as RustTable};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::args::{Id, Key, TableName};
use crate::dicts::{datetime, record};
use crate::errors::{raise, state_error};
use crate::handle::{Handle, forked};
use crate::value::{self, idx};

type Job = Box<dyn FnOnce(&dkdc_state::Transaction<'_, '_>) + Send>;

enum Command {
    Run(Job),
    Commit,
}

/// How a transaction ended, if not by a commit.
enum Ended {
    RolledBack,
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        Ended::Failed(error)
    }
}

thread_local! {
    /// The transactions that this thread has begun.
    static INSIDE: RefCell<Vec<(PathBuf, Arc<AtomicBool>)>> = const { RefCell::new(Vec::new()) };
}

/// Refuses the use of a state inside a transaction that this thread has begun.
pub(crate) fn refuse_inside(py: Python<'_>, handle: &Handle) -> PyResult<()> {
    if handle.is_forked() {
        return Err(forked(py, handle.path()));
    }
    let inside = INSIDE.with_borrow_mut(|all| {
        if all.is_empty() {
            return false;
        }
        all.retain(|(_, active)| active.load(Ordering::Relaxed));
        all.iter().any(|(path, _)| path == handle.path())
    });
    if inside {
        Err(state_error(py, &Error::InsideTransaction))
    } else {
        Ok(())
    }
}

/// What a transaction and its tables share.
struct Link {
    commands: Mutex<Option<Sender<Command>>>,
    active: Arc<AtomicBool>,
    path: PathBuf,
    process: u32,
}

impl Link {
    /// Does something in the transaction and waits for it.
    fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        job: impl FnOnce(&dkdc_state::Transaction<'_, '_>) -> StateResult<T> + Send + 'static,
    ) -> PyResult<T> {
        self.refuse_forked(py)?;
        let (answer, answers) = mpsc::channel();
        let job: Job = Box::new(move |tx| {
            // Nobody waits any more when this fails.
            let _ = answer.send(job(tx));
        });
        let sent = py.detach(move || {
            let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = commands.as_ref().map(|to| to.send(Command::Run(job)));
            drop(commands);
            match sent {
                Some(Ok(())) => answers.recv().ok(),
                _ => None,
            }
        });
        match sent {
            Some(answer) => answer.map_err(|error| state_error(py, &error)),
            None => Err(raise(py, "Closed", "the transaction has ended")),
        }
    }

    /// In a child of its process nobody answers.
    fn refuse_forked(&self, py: Python<'_>) -> PyResult<()> {
        if self.process == std::process::id() {
            Ok(())
        } else {
            Err(forked(py, &self.path))
        }
    }

    fn take(&self) -> Option<Sender<Command>> {
        self.active.store(false, Ordering::Relaxed);
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.take()
    }
}

/// A transaction that has begun, and not ended yet.
#[pyclass(module = "dkdc_state._core", frozen)]
pub(crate) struct Transaction {
    link: Arc<Link>,
    end: Mutex<Option<Receiver<Result<(), Ended>>>>,
}

impl Transaction {
    /// Waits until no other writes, unless a signal comes first.
    pub(crate) fn begin(py: Python<'_>, handle: &Handle) -> PyResult<Transaction> {
        refuse_inside(py, handle)?;
        let state = handle.state(py)?;
        let (to, commands) = mpsc::channel();
        let (began, mut beginning) = mpsc::channel();
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            let result = state.transaction(|tx| {
                // Nobody waits any more: nothing will be sent either.
                let _ = began.send(());
                loop {
                    match commands.recv() {
                        Ok(Command::Run(job)) => job(tx),
                        Ok(Command::Commit) => return Ok(()),
                        Err(_) => return Err(Ended::RolledBack),
                    }
                }
            });
            drop((began, state));
            let _ = ended.send(result);
        });
        let wait = Duration::from_millis(50);
        loop {
            let waited;
            (waited, beginning) = py.detach(move || (beginning.recv_timeout(wait), beginning));
            match waited {
                Ok(()) => break,
                Err(RecvTimeoutError::Timeout) => py.check_signals()?,
                Err(RecvTimeoutError::Disconnected) => return Err(outcome(py, end)),
            }
        }
        let active = Arc::new(AtomicBool::new(true));
        let inside = (handle.path().to_owned(), Arc::clone(&active));
        INSIDE.with_borrow_mut(|all| all.push(inside));
        Ok(Transaction {
            link: Arc::new(Link {
                commands: Mutex::new(Some(to)),
                active,
                path: handle.path().to_owned(),
                process: std::process::id(),
            }),
            end: Mutex::new(Some(end)),
        })
    }

    fn finish(&self, py: Python<'_>, commit: bool) -> PyResult<()> {
        self.link.refuse_forked(py)?;
        let commands = self.link.take();
        let end = self
            .end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (Some(commands), Some(end)) = (commands, end) else {
            return Err(raise(py, "Closed", "the transaction has ended"));
        };
        if commit {
            // It is told how it ended, whatever became of this.
            let _ = commands.send(Command::Commit);
        }
        drop(commands);
        let result = py.detach(move || end.recv());
        match result {
            Ok(Ok(()) | Err(Ended::RolledBack)) => Ok(()),
            Ok(Err(Ended::Failed(error))) => Err(state_error(py, &error)),
            Err(_) => Err(raise(
                py,
                "Failure",
                "BUG: the transaction's thread is gone",
            )),
        }
    }
}

/// Why it could not begin.
fn outcome(py: Python<'_>, end: Receiver<Result<(), Ended>>) -> PyErr {
    match py.detach(move || end.recv()) {
        Ok(Err(Ended::Failed(error))) => state_error(py, &error),
        _ => raise(py, "Failure", "BUG: the transaction's thread is gone"),
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // In a child the thread is not there, and nothing may be touched.
        if self.link.process == std::process::id() {
            drop(self.link.take());
        }
    }
}

#[pymethods]
impl Transaction {
    fn table(&self, py: Python<'_>, name: TableName) -> PyResult<TxTable> {
        let TableName(name) = name;
        let table = name.clone();
        let schema = self.link.run(py, move |tx| tx.rows(&table)?.schema())?;
        Ok(TxTable {
            link: Arc::clone(&self.link),
            name,
            schema,
        })
    }

    /// True if no transaction with this request key was committed before.
    fn once(&self, py: Python<'_>, key: Key) -> PyResult<bool> {
        self.link.run(py, move |tx| tx.once(&key.0))
    }

    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        self.finish(py, true)
    }

    fn rollback(&self, py: Python<'_>) -> PyResult<()> {
        // What ends the block in a child goes on as it is: there is nothing to take back.
        if self.link.process != std::process::id() {
            return Ok(());
        }
        self.finish(py, false)
    }
}

/// A table inside a transaction: reads see what it wrote.
#[pyclass(module = "dkdc_state._core", frozen)]
pub(crate) struct TxTable {
    link: Arc<Link>,
    #[pyo3(get)]
    name: String,
    schema: Arc<TableSchema>,
}

type Written = StateResult<dkdc_state::Version>;

impl TxTable {
    fn put<'py>(
        &self,
        given: &Bound<'py, PyDict>,
        write: impl FnOnce(&RustTable<'_, '_, '_, Row>, &Row) -> Written + Send + 'static,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = given.py();
        let row = value::row(&self.schema, given)?;
        let name = self.name.clone();
        let (version, row) = self.link.run(py, move |tx| {
            let table = tx.rows(&name)?;
            let version = write(&table, &row)?;
            current(&table, &name, &row.id, version.idx)
        })?;
        record(py, &version, &row)
    }

    fn read<T: Send + 'static>(
        &self,
        py: Python<'_>,
        read: impl FnOnce(&RustTable<'_, '_, '_, Row>) -> StateResult<T> + Send + 'static,
    ) -> PyResult<T> {
        let name = self.name.clone();
        self.link.run(py, move |tx| read(&tx.rows(&name)?))
    }
}

fn current(
    table: &RustTable<'_, '_, '_, Row>,
    name: &str,
    id: &str,
    idx: Idx,
) -> StateResult<(dkdc_state::Version, Row)> {
    let found = table.get(id)?.map(|found| (found.version, found.record));
    found.ok_or_else(|| Error::NoSuchVersion {
        table: name.to_owned(),
        id: id.to_owned(),
        idx,
    })
}

#[pymethods]
impl TxTable {
    fn append<'py>(&self, given: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        self.put(given, |table, row| table.append(row))
    }

    fn update<'py>(&self, given: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        self.put(given, |table, row| table.update(row))
    }

    fn upsert<'py>(&self, given: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        self.put(given, |table, row| table.upsert(row))
    }

    fn update_if<'py>(
        &self,
        given: &Bound<'py, PyDict>,
        expected: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let expected = idx(expected)?;
        self.put(given, move |table, row| table.update_if(row, expected))
    }

    fn delete<'py>(&self, py: Python<'py>, id: Id) -> PyResult<Bound<'py, PyAny>> {
        let version = self.read(py, move |table| table.delete(&id.0))?;
        datetime(py, version.idx)
    }

    fn restore<'py>(
        &self,
        py: Python<'py>,
        id: Id,
        version: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let version = idx(version)?;
        let name = self.name.clone();
        let (version, row) = self.read(py, move |table| {
            let restored = table.restore(&id.0, version)?;
            current(table, &name, &id.0, restored.idx)
        })?;
        record(py, &version, &row)
    }

    fn get<'py>(&self, py: Python<'py>, id: Id) -> PyResult<Option<Bound<'py, PyDict>>> {
        let found = self.read(py, move |table| table.get(&id.0))?;
        let found = found.map(|found| record(py, &found.version, &found.record));
        found.transpose()
    }

    fn contains(&self, py: Python<'_>, id: Id) -> PyResult<bool> {
        self.read(py, move |table| table.contains(&id.0))
    }

    fn count(&self, py: Python<'_>) -> PyResult<u64> {
        self.read(py, |table| table.count())
    }
}
