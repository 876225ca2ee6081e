//! Many rows into one table, in one transaction: all of them or none.
//!
//! Rows come as a stream, so that memory stays flat; SQLite keeps what is not
//! committed yet. They are read on a thread of their own: whatever that asks
//! the state for, it is not inside the transaction. An error names the place in
//! the input that it is about.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use dkdc_state::{Row, State, TableDef, TableSchema, Transaction, TxTable, Version};

use crate::exit::{Code, Failure, Result};
use crate::progress::Progress;
use crate::table;

/// What is done with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Append,
    Update,
    Upsert,
}

impl How {
    /// As in "3 rows appended".
    pub(crate) fn done(self) -> &'static str {
        match self {
            How::Append => "appended",
            How::Update => "updated",
            How::Upsert => "upserted",
        }
    }

    fn put(self, table: &TxTable<'_, '_, '_, Row>, row: &Row) -> dkdc_state::Result<Version> {
        match self {
            How::Append => table.append(row),
            How::Update => table.update(row),
            How::Upsert => table.upsert(row),
        }
    }
}

/// What is said when a request is made again.
pub(crate) const MADE_BEFORE: &str = "this request was made before: nothing was written again";

/// What is done with all rows, and the key of the request to do so, if it has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct What<'k> {
    pub(crate) how: How,
    pub(crate) key: Option<&'k str>,
}

/// The table that rows go into.
pub(crate) enum Target {
    /// It is there.
    Known(Arc<TableSchema>),
    /// It is declared with its rows, or not at all.
    New(TableDef),
}

impl Target {
    /// What the rows are read by.
    pub(crate) fn schema(&self) -> Result<Arc<TableSchema>> {
        Ok(match self {
            Target::Known(schema) => Arc::clone(schema),
            Target::New(def) => Arc::new(def.to_schema()?),
        })
    }
}

/// A row, and the number of its line.
pub(crate) type Numbered = Result<(u64, Row)>;

/// What the reading thread hands over.
enum Part {
    Rows(Vec<(u64, Row)>),
    Failed(Failure),
    /// There are no more. Without it, the thread has not come to the end.
    End,
}

/// Rows handed over at a time.
const ROWS: usize = 256;
/// Parts that may wait to be written.
const AHEAD: usize = 4;

/// Rows that are written now, or were when the same request was made before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) rows: u64,
    pub(crate) before: bool,
}

/// Writes the rows. `place` and a number say where a row stands, as in
/// `stdin line 17`.
pub(crate) fn all(
    state: &State,
    target: &Target,
    what: What<'_>,
    place: &str,
    rows: impl Iterator<Item = Numbered> + Send,
    progress: &Progress,
) -> Result<Written> {
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel(AHEAD);
        scope.spawn(move || read(rows, &send));
        state.transaction(|tx| {
            let name = match target {
                Target::Known(schema) => &schema.name,
                Target::New(def) => &def.name,
            };
            if let Some(key) = what.key {
                tx.about(key, format!("{:?} {name}", what.how).as_bytes())?;
                if !tx.once(key)? {
                    let rows = compare(tx, key, &receive)?;
                    return Ok(Written { rows, before: true });
                }
            }
            let table = match target {
                Target::Known(schema) => tx.rows(&schema.name)?,
                Target::New(def) => table::create(tx, def)?.ok_or_else(|| {
                    let message = format!("table {:?} was made meanwhile; try again", def.name);
                    Failure::new(Code::AlreadyExists, message)
                })?,
            };
            let rows = write(tx, &table, what, place, &receive, progress)?;
            Ok(Written {
                rows,
                before: false,
            })
        })
    })
}

/// Hands rows over, to the end or to a failure; or until nobody takes them,
/// because the transaction failed.
fn read(mut rows: impl Iterator<Item = Numbered>, send: &SyncSender<Part>) {
    loop {
        let mut part = Vec::with_capacity(ROWS);
        let end = loop {
            match rows.next() {
                Some(Ok(row)) if part.len() + 1 < ROWS => part.push(row),
                Some(Ok(row)) => {
                    part.push(row);
                    break None;
                }
                Some(Err(failure)) => break Some(Part::Failed(failure)),
                None => break Some(Part::End),
            }
        };
        if send.send(Part::Rows(part)).is_err() {
            return;
        }
        if let Some(end) = end {
            // If nobody takes it, there is nobody to be told.
            let _ = send.send(end);
            return;
        }
    }
}

/// Reads rows that were written before, so that it is known whether they are the
/// same; returns how many.
fn compare(tx: &Transaction<'_, '_>, key: &str, parts: &Receiver<Part>) -> Result<u64> {
    let mut count = 0;
    for part in parts {
        match part {
            Part::Rows(rows) => {
                count += rows.len() as u64;
                rows.iter().try_for_each(|(_, row)| about(tx, key, row))?;
            }
            Part::Failed(failure) => return Err(failure),
            Part::End => return Ok(count),
        }
    }
    Err(Failure::new(Code::Failure, CUT))
}

fn about(tx: &Transaction<'_, '_>, key: &str, row: &Row) -> Result<()> {
    Ok(tx.about(key, row.to_json().to_string().as_bytes())?)
}

const CUT: &str = "BUG: the rows ended before their end";

fn write(
    tx: &Transaction<'_, '_>,
    table: &TxTable<'_, '_, '_, Row>,
    what: What<'_>,
    place: &str,
    parts: &Receiver<Part>,
    progress: &Progress,
) -> Result<u64> {
    let mut count = 0;
    for part in parts {
        let rows = match part {
            Part::Rows(rows) => rows,
            Part::Failed(failure) => return Err(failure),
            Part::End => return Ok(count),
        };
        count += rows.len() as u64;
        for (number, row) in rows {
            if let Some(key) = what.key {
                about(tx, key, &row)?;
            }
            what.how
                .put(table, &row)
                .map_err(|error| Failure::from(error).at(&format!("{place} {number}")))?;
        }
        progress.set(count);
    }
    Err(Failure::new(Code::Failure, CUT))
}
