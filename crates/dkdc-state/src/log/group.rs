//! Group commit: many threads, one writer, one sync.
//!
//! Leader and followers. A thread that finds no leader leads: it takes the
//! write lock, then everything that queued up meanwhile, writes it all, each
//! caller's part as a unit that fails alone, commits once, and hands the
//! answers out. If more is waiting by then, the first of those leads next. A
//! single thread never hands its write to another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::append::{Batch, Writes};
use super::writer::{Tx, Writer};
use super::{DbResult, Store, checkpoint, recent};
use crate::error::{Error, Result};
use crate::record::Version;

/// Callers whose writes go into one commit, at most.
const GROUP: usize = 512;

type Answer = Result<Vec<Version>>;

/// The writer, and who waits for it.
pub(crate) struct Group {
    /// `None` while a thread has it.
    writer: Mutex<Option<Writer>>,
    returned: Condvar,
    /// Threads that wait for it: telling nobody would be a system call too.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

/// The writer, lent to one thread.
struct Lease<'g> {
    group: &'g Group,
    writer: Option<Writer>,
}

impl Lease<'_> {
    fn writer(&mut self) -> &mut Writer {
        let writer = self.writer.as_mut();
        writer.unwrap_or_else(|| unreachable!("BUG: a lease without its writer"))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        *lock(&self.group.writer) = self.writer.take();
        if self.group.waiting.load(Ordering::Relaxed) > 0 {
            self.group.returned.notify_one();
        }
    }
}

#[derive(Default)]
struct Queue {
    led: bool,
    waiting: VecDeque<Arc<Job>>,
}

/// One follower's writes.
struct Job {
    /// Until somebody writes it.
    batch: Mutex<Option<Batch>>,
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    Waiting,
    /// The one before has finished: this thread leads.
    Leads,
    Done(Answer),
}

impl Job {
    fn take(&self) -> Batch {
        lock(&self.batch)
            .take()
            .expect("BUG: a batch written twice")
    }

    fn set(&self, state: State) {
        *lock(&self.state) = state;
        self.changed.notify_one();
    }

    /// Waits for the answer; `None`: this thread leads now.
    fn wait(&self) -> Option<Answer> {
        let mut state = lock(&self.state);
        loop {
            match std::mem::replace(&mut *state, State::Waiting) {
                State::Waiting => {
                    let waited = self.changed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
                State::Leads => return None,
                State::Done(answer) => return Some(answer),
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    pub(crate) fn new(conn: Connection) -> Group {
        Group {
            writer: Mutex::new(Some(Writer::new(conn))),
            returned: Condvar::new(),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
        }
    }

    /// The writer, when it is free; Busy when it is not by the deadline, as
    /// when another thread's transaction waits for this one.
    fn lease(&self, store: &Store, since: Instant) -> Result<Lease<'_>> {
        let timeout = store.config.busy_timeout;
        let left = timeout.saturating_sub(since.elapsed());
        let mut writer = lock(&self.writer);
        if writer.is_none() {
            // Counted while the lock is held: who returns the writer takes it too.
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let taken = |writer: &mut Option<Writer>| writer.is_none();
            let waited = self.returned.wait_timeout_while(writer, left, taken);
            (writer, _) = waited.unwrap_or_else(PoisonError::into_inner);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        match writer.take() {
            Some(writer) => Ok(Lease {
                group: self,
                writer: Some(writer),
            }),
            None => Err(Error::Busy {
                path: store.path.clone(),
                waited: timeout,
            }),
        }
    }

    /// Writes a batch and returns when it is durable.
    ///
    /// What is written by this thread is made as it is written; another thread
    /// gets it made.
    pub(crate) fn submit(&self, store: &Store, batch: Batch<Writes<'_>>) -> Answer {
        store.refuse_inside()?;
        store.refuse_unwritable()?;
        let since = Instant::now();
        if Self::leads(&mut lock(&self.queue)) {
            // Records are made inside the transaction: their code cannot use the
            // state there, or would wait for itself.
            let _inside = matches!(batch.writes, Writes::ToMake(..)).then(|| store.enter());
            return self.lead(store, batch, since);
        }
        let batch = Batch {
            table: batch.table,
            writes: batch.writes.made(store, batch.table)?,
            request: batch.request,
        };
        let mut queue = lock(&self.queue);
        if Self::leads(&mut queue) {
            drop(queue);
            return self.lead(store, batch.into(), since);
        }
        let job = Arc::new(Job {
            batch: Mutex::new(Some(batch)),
            state: Mutex::new(State::Waiting),
            changed: Condvar::new(),
        });
        queue.waiting.push_back(Arc::clone(&job));
        drop(queue);
        match job.wait() {
            Some(answer) => answer,
            None => self.lead(store, job.take().into(), since),
        }
    }

    /// True when nobody led: this thread does now.
    fn leads(queue: &mut Queue) -> bool {
        !std::mem::replace(&mut queue.led, true)
    }

    fn lead(&self, store: &Store, own: Batch<Writes<'_>>, since: Instant) -> Answer {
        // Also when this thread panics, the next one must lead.
        let _hand_over = HandOver(self);
        let mut jobs = Taken(Vec::new());
        let answers = self.write_group(store, own, since, &mut jobs.0);
        let jobs = std::mem::take(&mut jobs.0);
        match answers {
            Ok((own, others)) => {
                for (job, answer) in jobs.iter().zip(others) {
                    job.set(State::Done(answer));
                }
                own
            }
            Err(error) => {
                for job in &jobs {
                    job.set(State::Done(Err(error.clone())));
                }
                Err(error)
            }
        }
    }

    fn write_group(
        &self,
        store: &Store,
        own: Batch<Writes<'_>>,
        since: Instant,
        jobs: &mut Vec<Arc<Job>>,
    ) -> Result<(Answer, Vec<Answer>)> {
        let mut lease = self.lease(store, since)?;
        let mut tx = Tx::begin(store, lease.writer(), since)?;
        let mut write = |batch: Batch<Writes<'_>>, guarded| -> Result<Answer> {
            let answer = tx.unit(guarded, |tx| {
                tx.apply(batch).map_err(|error| tx.locate(error))
            });
            match answer {
                // Some errors end the whole transaction in SQLite.
                Err(error) if tx.conn.is_autocommit() => Err(error),
                answer => Ok(answer),
            }
        };
        // Its own first: should that panic, nobody else waits for this thread.
        let guarded = !lock(&self.queue).waiting.is_empty();
        let answer = write(own, guarded)?;
        if answer.is_err() && !guarded {
            return Ok((answer, Vec::new()));
        }
        {
            let mut queue = lock(&self.queue);
            let count = queue.waiting.len().min(GROUP);
            jobs.extend(queue.waiting.drain(..count));
        }
        let others = jobs
            .iter()
            .map(|job| write(job.take().into(), true))
            .collect::<Result<Vec<_>>>()?;
        if answer.is_ok() || others.iter().any(Result::is_ok) {
            tx.commit()?;
        }
        Ok((answer, others))
    }

    /// Runs a closure in a write transaction of its own, on this thread.
    pub(crate) fn alone<T, E: From<Error>>(
        &self,
        store: &Store,
        write: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        store.refuse_inside()?;
        store.refuse_unwritable()?;
        let since = Instant::now();
        let mut lease = self.lease(store, since)?;
        let mut tx = Tx::begin(store, lease.writer(), since)?;
        let value = tx.unit(false, write)?;
        tx.commit()?;
        Ok(value)
    }

    /// Runs something on the writer's connection, outside of any transaction.
    pub(crate) fn on_writer<T>(
        &self,
        store: &Store,
        run: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let mut lease = self.lease(store, Instant::now())?;
        run(&lease.writer().conn)
    }

    /// From the next commit on, every commit is synced before it is
    /// acknowledged.
    pub(crate) fn make_full(&self, store: &Store) -> Result<()> {
        let mut lease = self.lease(store, Instant::now())?;
        let conn = &lease.writer().conn;
        conn.pragma_update(None, "synchronous", "FULL").db()
    }

    /// Folds the heads, on close: another process's writes are not waited for.
    pub(crate) fn fold(&self, verify: impl Fn() -> Result<()>) {
        let writer = lock(&self.writer);
        let folded = writer.as_ref().map(|w| {
            w.conn.busy_timeout(Duration::ZERO).db()?;
            recent::fold_all(&w.conn, verify)
        });
        if let Some(Err(error)) = folded {
            tracing::debug!(%error, "the heads are folded by the next process");
        }
    }

    /// Moves what the `-wal` holds into the file and empties it, as far as
    /// readers let it.
    pub(crate) fn checkpoint(&self) {
        let writer = lock(&self.writer);
        let now = Duration::ZERO;
        let checkpointed = writer
            .as_ref()
            .map(|w| checkpoint::truncate(&w.conn, now, now));
        if let Some(Err(error)) = checkpointed {
            tracing::warn!(%error, "checkpoint on close failed");
        }
    }
}

/// Jobs that wait for the leader's answer, and get one should it panic.
struct Taken(Vec<Arc<Job>>);

impl Drop for Taken {
    fn drop(&mut self) {
        for job in &self.0 {
            let why = "BUG: the thread that wrote for this one panicked";
            job.set(State::Done(Err(super::damaged(why))));
        }
    }
}

/// Ends this thread's lead.
struct HandOver<'g>(&'g Group);

impl Drop for HandOver<'_> {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        match queue.waiting.pop_front() {
            Some(next) => next.set(State::Leads),
            None => queue.led = false,
        }
    }
}

#[cfg(test)]
mod tests;
