//! What must hold after every fault.
//!
//! Every acknowledged version is present exactly once; what was not
//! acknowledged is wholly present or absent; what was refused is absent, and
//! something was in its way; each id has one current version, the newest; records
//! read as the log says, by every way of reading; the mirror equals the log;
//! `check` passes.

mod reads;
mod writes;

use std::collections::BTreeMap;
use std::path::Path;

use dkdc_state::{ChangeKind, Durability, Idx, Row, State, Value, Version};

use crate::ledger::{self, Answer, Entry};
use crate::{Result, work};

/// What a judgement rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Versions in the store.
    pub versions: u64,
    /// Acknowledged operations, all of them found.
    pub acknowledged: u64,
    /// Operations in doubt that were found whole.
    pub present: u64,
    /// Operations in doubt that were not there at all.
    pub absent: u64,
    /// Refused operations, none of them found.
    pub refused: u64,
}

/// One version, as the changes tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The table.
    pub table: String,
    /// The record's id.
    pub id: String,
    /// Which version.
    pub version: Version,
    /// What it holds.
    pub row: Option<Row>,
}

impl Found {
    fn token(&self) -> i64 {
        let token = self.row.as_ref().and_then(|row| row.get("token"));
        token.and_then(Value::as_int).unwrap_or(0)
    }
}

/// Every version of a store, by idx.
pub type Log = BTreeMap<Idx, Found>;

/// Reads every version of the tables of [`work`].
///
/// # Errors
/// When the changes cannot be read, or are out of order.
pub fn log(state: &State) -> Result<Log> {
    let mut log = Log::new();
    let mut last = Idx::ZERO;
    for change in state.changes(Idx::ZERO)? {
        let change = change?;
        if change.idx <= last {
            return Err(format!("change {} comes after {last}", change.idx).into());
        }
        last = change.idx;
        if let ChangeKind::Version {
            table,
            id,
            version,
            row,
        } = change.kind
            // Of other tables no ledger tells.
            && reads::TABLES.contains(&table.as_str())
        {
            let found = Found {
                table,
                id,
                version,
                row,
            };
            log.insert(change.idx, found);
        }
    }
    Ok(log)
}

/// What is wrong, to be shown.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn add(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    fn result(mut self) -> Result<()> {
        let count = self.0.len();
        if count == 0 {
            return Ok(());
        }
        self.0.truncate(20);
        Err(format!("{count} wrong:\n  {}", self.0.join("\n  ")).into())
    }
}

/// All ledgers of a folder.
///
/// # Errors
/// A ledger that cannot be read.
pub fn ledgers(folder: &Path) -> Result<Vec<Vec<Entry>>> {
    let mut paths = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|ending| ending == "ledger") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| ledger::read(path)).collect()
}

/// Judges the store at `path` by all ledgers in `folder`. Nobody writes
/// meanwhile.
///
/// # Errors
/// With everything that does not hold.
pub fn judge(path: &Path, folder: &Path) -> Result<Judged> {
    let state = work::options(Durability::Full).open(path)?;
    let ledgers = ledgers(folder)?;
    judge_state(&state, &ledgers)
}

/// The same, of an open store.
///
/// # Errors
/// With everything that does not hold.
pub fn judge_state(state: &State, ledgers: &[Vec<Entry>]) -> Result<Judged> {
    let log = log(state)?;
    let mut wrong = Wrong::default();
    writes::chains(&log, &mut wrong);
    let mut judged = writes::ledgers(&log, ledgers, &mut wrong);
    judged.versions = log.len() as u64;
    wrong.result()?;
    reads::all(state, &log)?;
    Ok(judged)
}

/// How many operations were acknowledged.
#[must_use]
pub fn acknowledged(ledgers: &[Vec<Entry>]) -> u64 {
    let entries = ledgers.iter().flatten();
    let done = entries.filter(|entry| matches!(entry.answer, Answer::Done(_)));
    done.count() as u64
}
