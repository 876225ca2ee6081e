//! dkdc's side and the append-only peer's, filled with the same records.

use std::path::{Path, PathBuf};
use std::time::Instant;

use dkdc_state::{Durability, Record, State, Table};

use crate::Result;
use crate::measure::micros;
use crate::peer::Log;
use crate::sample::{Feed, Plain, Text};

/// Records in a transaction, where there are many.
pub(crate) const BATCH: usize = 1000;

/// A store of dkdc's and its peer A.
pub(crate) struct Pair<R> {
    path: PathBuf,
    state: State,
    pub(crate) table: Table<R>,
    pub(crate) log: Log,
    /// The ids of all records so far.
    pub(crate) ids: Vec<String>,
}

/// What filling a pair took, in microseconds a record.
pub(crate) struct Filled {
    pub(crate) dkdc: f64,
    pub(crate) peer: f64,
}

impl<R: Record + From<Plain>> Pair<R> {
    /// Two empty files in `folder`.
    pub(crate) fn create(folder: &Path, name: &str) -> Result<Pair<R>> {
        let path = folder.join(format!("{name}.dkdc.db"));
        let state = State::open(&path)?;
        Ok(Pair {
            table: state.table()?,
            state,
            path,
            log: Log::create(&folder.join(format!("{name}.peer.db")))?,
            ids: Vec::new(),
        })
    }

    /// The file of dkdc's store.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends records to both, in transactions of [`BATCH`], taking turns.
    pub(crate) fn fill(&mut self, count: usize) -> Result<Filled> {
        self.fill_by(BATCH, count)
    }

    /// The same in transactions of `batch` records.
    pub(crate) fn fill_by(&mut self, batch: usize, count: usize) -> Result<Filled> {
        const TURN: usize = 50_000;
        let (mut feed, mut same) = (Feed::new(1), Feed::new(1));
        let mut filled = Filled {
            dkdc: 0.0,
            peer: 0.0,
        };
        let turn = TURN.min(count);
        for at in 0..count / turn {
            let records: Vec<R> = feed.take(turn);
            let texts: Vec<Text> = same.take(turn);
            let mut sides = [true, false];
            sides.rotate_left(at % 2);
            for dkdc in sides {
                let started = Instant::now();
                if dkdc {
                    for batch in records.chunks(batch) {
                        self.table.append_all(batch)?;
                    }
                    filled.dkdc += micros(started, count);
                } else {
                    for batch in texts.chunks(batch) {
                        self.log.append_all(batch)?;
                    }
                    filled.peer += micros(started, count);
                }
            }
            self.ids.extend(texts.into_iter().map(|text| text.id));
        }
        Ok(filled)
    }

    /// Opens both anew with another durability.
    pub(crate) fn reopen(self, durability: Durability) -> Result<Pair<R>> {
        let Pair {
            path,
            state,
            table,
            log,
            ids,
        } = self;
        // One store per process and file: only without a handle is it closed.
        drop((state, table));
        let state = State::options().durability(durability).open(&path)?;
        log.durability(durability)?;
        Ok(Pair {
            table: state.table()?,
            state,
            path,
            log,
            ids,
        })
    }
}
