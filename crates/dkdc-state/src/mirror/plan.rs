//! What is due: when a tail is sealed, when current rows are written anew, and
//! which files of history are merged.
//!
//! No more than six rows are written for one that was appended, whatever is
//! done: one when it is sealed; three, at most, for current rows, which are
//! written when half as many versions are newer as there are rows; and two for
//! merging, since a file is merged with fifteen others or more, and twice at most.
//! The number of files grows with the logarithm of the history, as far as they
//! are merged.

use crate::log::manifest::{Amount, Sealed};

/// A tail of so many rows may be sealed,
pub(crate) const SEAL_ROWS: u64 = 16_384;
/// and one of so many bytes is.
const SEAL_BYTES: u64 = 64 << 20;
/// Or one of this share of the current rows.
const SEAL_SHARE: u64 = 16;
/// Current rows are written again when this share of them is newer.
const CURRENT_SHARE: u64 = 2;
/// Files that are merged into one.
const MERGED: usize = 16;
/// How often a row is merged at most.
const LEVELS: u32 = 2;

/// One table's mirror, and the log beyond it.
pub(super) struct Table<'a> {
    /// [`SEAL_ROWS`], or fewer in a test.
    pub(super) seal_rows: u64,
    /// Oldest first.
    pub(super) history: Vec<&'a Sealed>,
    pub(super) current: Option<&'a Sealed>,
    pub(super) tail: Amount,
}

/// What to do next for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The tail becomes a file.
    Seal,
    /// The current rows are written.
    Current,
    /// Files of history become one: from the first, so many.
    Merge(usize, usize),
}

impl Table<'_> {
    pub(super) fn due(&self) -> Option<Due> {
        let current = self.current.map_or(0, |sealed| sealed.rows);
        if self.tail.rows >= self.seal_rows.max(current / SEAL_SHARE)
            || self.tail.bytes >= SEAL_BYTES
        {
            return Some(Due::Seal);
        }
        let newer = self.history.len() - self.older();
        let lacks: u64 = self.history[self.older()..].iter().map(|s| s.rows).sum();
        if newer > 0 && lacks >= current / CURRENT_SHARE {
            return Some(Due::Current);
        }
        self.merge()
    }

    /// How many files hold nothing newer than the current rows.
    fn older(&self) -> usize {
        self.current.map_or(0, |current| {
            let older = |s: &&&Sealed| s.upto <= current.upto;
            self.history.iter().take_while(older).count()
        })
    }

    /// The newest files of a size, among those that current rows do not lack.
    fn merge(&self) -> Option<Due> {
        let older = &self.history[..self.older()];
        let due = (0..LEVELS).rev().find_map(|at| {
            let levels = older.iter().rev().map(|sealed| self.level(sealed));
            let levels: Vec<u32> = levels.take_while(|level| *level <= at).collect();
            // Smaller ones come along, larger ones are not written again.
            let enough = levels.iter().filter(|level| **level == at).count() >= MERGED;
            enough.then_some(levels.len())
        });
        due.map(|run| Due::Merge(older.len() - run, run))
    }

    /// How often a file of this size was merged. A few rows of many bytes are
    /// large too.
    fn level(&self, sealed: &Sealed) -> u32 {
        let weight = sealed.rows.max(sealed.bytes >> 10) / self.seal_rows;
        weight.checked_ilog(MERGED as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::manifest::Kind;
    use crate::record::Idx;

    /// A table that only counts.
    #[derive(Default)]
    struct Model {
        history: Vec<Sealed>,
        current: Option<Sealed>,
        tail: u64,
        /// Versions so far; also the newest one's number.
        versions: u64,
        /// Current records.
        records: u64,
        written: u64,
        most_files: usize,
    }

    fn sealed(kind: Kind, after: u64, upto: u64, rows: u64) -> Sealed {
        let idx = |n: u64| Idx::from_micros(i64::try_from(n).expect("small"));
        Sealed {
            file: String::new(),
            table: 1,
            kind,
            after: idx(after),
            upto: idx(upto),
            rows,
            bytes: rows * 40,
            hash: [0; 32],
        }
    }

    impl Model {
        /// So many versions come, of which so many are of new records.
        fn write(&mut self, versions: u64, new: u64) {
            self.versions += versions;
            self.records += new;
            self.tail += versions;
            while let Some(due) = self.table().due() {
                self.perform(due);
                self.most_files = self.most_files.max(self.history.len());
            }
        }

        fn table(&self) -> Table<'_> {
            Table {
                seal_rows: SEAL_ROWS,
                history: self.history.iter().collect(),
                current: self.current.as_ref(),
                tail: Amount {
                    rows: self.tail,
                    bytes: self.tail * 100,
                },
            }
        }

        fn perform(&mut self, due: Due) {
            match due {
                Due::Seal => {
                    let after = self.versions - self.tail;
                    let file = sealed(Kind::History, after, self.versions, self.tail);
                    self.written += self.tail;
                    self.tail = 0;
                    self.history.push(file);
                }
                Due::Current => {
                    self.written += self.records;
                    let upto = self.versions - self.tail;
                    self.current = Some(sealed(Kind::Current, 0, upto, self.records));
                }
                Due::Merge(from, count) => {
                    let rows = self.history[from..from + count]
                        .iter()
                        .map(|s| s.rows)
                        .sum();
                    let after = self.history[from].after;
                    let upto = self.history[from + count - 1].upto;
                    let merged = Sealed {
                        after,
                        upto,
                        ..sealed(Kind::History, 0, 0, rows)
                    };
                    self.written += rows;
                    self.history.splice(from..from + count, [merged]);
                }
            }
        }
    }

    /// However the versions come, and whatever part of them is of new records.
    #[test]
    fn at_most_six_rows_are_written_for_one_appended() {
        for total in [1_000_000u64, 10_000_000] {
            for (step, new_of_100) in [(1000, 100), (1000, 25), (1000, 0), (50_000, 100), (7, 3)] {
                let mut model = Model::default();
                if new_of_100 < 100 {
                    model.write(250_000, 250_000);
                }
                while model.versions < total {
                    model.write(step, step * new_of_100 / 100);
                }
                let amplification = model.written as f64 / model.versions as f64;
                assert!(
                    amplification <= 6.0,
                    "{total} versions, {new_of_100} of 100 new: {amplification}"
                );
                assert!(
                    model.most_files <= 64,
                    "{total} versions, {new_of_100} of 100 new: {} files",
                    model.most_files
                );
            }
        }
    }

    #[test]
    fn a_small_table_has_no_files() {
        let mut model = Model::default();
        model.write(SEAL_ROWS - 1, SEAL_ROWS - 1);
        assert_eq!((model.history.len(), model.current), (0, None));
    }
}
