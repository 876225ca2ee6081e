//! What is done to a store or a table rather than to its records, and what then
//! becomes of versions, requests and contents.

use std::num::NonZeroU64;
use std::sync::Arc;

use dkdc_state::{BlobRef, Error, EventKind, Idx, Keep, Moment, Op, State, Value, Version};

use super::model::{Entry, Model, Refused};
use super::ops::{CONTENTS, Keeping, RowOp, content};
use super::{NAMES, World, compare, same};
use crate::support::{MINUTE, quick};

/// When contents were put for the last time; none: they are not in the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents([Option<i64>; CONTENTS]);

/// What names a content.
pub(super) fn blob(which: usize) -> BlobRef {
    let content = content(which);
    BlobRef {
        hash: *blake3::hash(&content).as_bytes(),
        size: content.len() as u64,
    }
}

impl Contents {
    pub(super) fn put(&mut self, which: usize, now: i64) {
        self.0[which] = self.0[which].max(Some(now));
    }
}

impl World {
    pub(super) fn keep(&mut self, what: &Keeping) {
        let state = self.handles().state.clone();
        match what {
            Keeping::Clear(which) => {
                let names: Vec<&str> = which.iter().map(|at| NAMES[*at]).collect();
                let found = state.clear(&names).expect("a clear");
                let found: Vec<u64> = found.iter().map(|table| table.versions).collect();
                assert_eq!(found, self.model.clear(which), "versions cleared");
            }
            Keeping::Erase(at, id) => {
                let found = state.erase(NAMES[*at], &[id]);
                let found = found.map(|erased| erased.versions);
                same(what, found, self.model.erase(*at, id));
            }
            Keeping::Prune(at, count) => {
                let count = NonZeroU64::new(*count).expect("some");
                self.prune(&state, *at, Keep::Versions(count));
            }
            Keeping::PruneSince(at, nth) => {
                let points = self.model.points();
                let idx = Idx::from_micros(points[nth % points.len()]);
                self.prune(&state, *at, Keep::Since(Moment::Idx(idx)));
            }
            Keeping::Collect => {
                let would = state.unnamed_blobs().expect("a count");
                assert_eq!(state.gc_blobs().expect("a collection"), would);
                self.model.collect();
            }
            Keeping::Repair => {
                state.repair().expect("a repair");
                let event = |unit: &mut Model| Ok(unit.event(EventKind::Repair, None));
                self.model.unit(event).expect("an event");
            }
            Keeping::Vacuum => {
                let left = state.vacuum().expect("a vacuum").left;
                assert!(left.is_empty(), "{left:?}");
            }
            Keeping::Backup => self.backup(&state),
        }
    }

    fn prune(&mut self, state: &State, at: usize, keep: Keep) {
        let would = state.would_prune(NAMES[at], keep).expect("a count");
        let found = state.prune(NAMES[at], keep).expect("a prune");
        assert_eq!((found.versions, found.floor), (would.versions, would.floor));
        let versions = self.model.prune(at, keep);
        let floor = self.model.tables[at].floor;
        assert_eq!((found.versions, found.floor.as_micros()), (versions, floor));
    }

    /// It is a store by itself, and says what the model says.
    fn backup(&self, state: &State) {
        let to = self.place.at("backup.db");
        let made = state.backup(&to, &mut |_| {}).expect("a backup");
        assert_eq!(made.idx.as_micros(), self.model.last);
        let options = quick().clock(Arc::new(self.clock.clone()));
        let backup = options.open(&to).expect("a store");
        compare::now(&backup, &self.model, &[]);
        drop(backup);
        std::fs::remove_file(&to).expect("a file");
    }
}

impl Model {
    /// Outside of a transaction, content is put whatever becomes of the record.
    pub(super) fn put_before(&mut self, op: &RowOp) {
        if let RowOp::File(_, which) = op {
            self.contents.put(*which, self.now);
        }
    }

    fn clear(&mut self, which: &[usize]) -> Vec<u64> {
        let all: Vec<usize> = (0..self.tables.len()).collect();
        let which = if which.is_empty() {
            all
        } else {
            which.to_vec()
        };
        let cleared = self.unit(|unit| {
            let cleared = which.iter().map(|at| {
                unit.expire(*at, i64::MAX);
                let versions = std::mem::take(&mut unit.tables[*at].log).len() as u64;
                unit.tables[*at].floor = unit.event(EventKind::Clear, Some(*at));
                versions
            });
            Ok(cleared.collect())
        });
        cleared.expect("a clear")
    }

    /// Every version of a record becomes a stub: how many there were.
    fn erase(&mut self, at: usize, id: &str) -> Result<u64, Refused> {
        let named = self.named();
        self.unit(|unit| {
            let log = &mut unit.tables[at].log;
            let mut versions = 0;
            // The stubs have no id, and nobody can ask for theirs.
            for entry in log.iter_mut().filter(|e| e.id == id && !id.is_empty()) {
                versions += 1;
                *entry = Entry {
                    id: String::new(),
                    version: Version {
                        prev: None,
                        op: Op::Erased,
                        ..entry.version
                    },
                    values: Vec::new(),
                };
            }
            if versions == 0 {
                return Err(Refused::NotFound);
            }
            let stubs: Vec<i64> = log
                .iter()
                .filter(|e| e.version.op == Op::Erased)
                .map(|e| e.version.idx.as_micros())
                .collect();
            let theirs = unit.requests.values_mut();
            for request in theirs.filter(|request| request.table == Some(at)) {
                let (first, last) = request.span;
                if stubs.iter().any(|idx| (first..=last).contains(idx)) {
                    request.print = None;
                }
            }
            unit.event(EventKind::Erase, Some(at));
            unit.free(named);
            Ok(versions)
        })
    }

    /// Versions that newer ones replaced go: how many.
    fn prune(&mut self, at: usize, keep: Keep) -> u64 {
        let since = match keep {
            Keep::Since(Moment::Idx(idx)) => {
                let idx = self.resolve_idx(idx.as_micros());
                idx.expect("a version that there is")
            }
            _ => 0,
        };
        let log = &self.tables[at].log;
        // Each with the version that replaced it.
        let mut doomed = Vec::new();
        for (place, entry) in log.iter().enumerate().filter(|(_, e)| !e.id.is_empty()) {
            let newer = log[place + 1..].iter().filter(|e| e.id == entry.id);
            let newer: Vec<i64> = newer.map(|e| e.version.idx.as_micros()).collect();
            let goes = match keep {
                Keep::Versions(count) => newer.len() as u64 >= count.get(),
                Keep::Since(_) => newer.first().is_some_and(|after| *after <= since),
            };
            if goes {
                doomed.push((entry.version.idx, newer[0]));
            }
        }
        let named = self.named();
        let pruned = self.unit(|unit| {
            unit.expire(at, since);
            let Some(floor) = doomed.iter().map(|(_, after)| *after).max() else {
                return Ok(0);
            };
            let table = &mut unit.tables[at];
            table.floor = table.floor.max(floor);
            let goes = |idx: &Idx| doomed.iter().any(|(doomed, _)| doomed == idx);
            table.log.retain(|entry| !goes(&entry.version.idx));
            unit.event(EventKind::Prune, Some(at));
            unit.free(named);
            Ok(doomed.len() as u64)
        });
        pruned.expect("a prune")
    }

    /// Forgets the requests that wrote a table, up to a version.
    fn expire(&mut self, at: usize, upto: i64) {
        let log = &self.tables[at].log;
        let wrote = |(first, last): (i64, i64)| {
            let within = |e: &Entry| (first..=last).contains(&e.version.idx.as_micros());
            log.iter().any(within)
        };
        self.requests.retain(|_, request| {
            let theirs = match request.table {
                Some(table) => table == at,
                None => wrote(request.span),
            };
            !(theirs && request.span.1 <= upto)
        });
    }

    /// Which contents some version names.
    fn named(&self) -> [bool; CONTENTS] {
        let values = |blob: &Value| {
            let mut entries = self.tables.iter().flat_map(|table| &table.log);
            entries.any(|entry| entry.values.contains(blob))
        };
        std::array::from_fn(|which| values(&Value::Blob(blob(which))))
    }

    /// What was named and is not any more is gone.
    fn free(&mut self, before: [bool; CONTENTS]) {
        let named = self.named();
        for which in 0..CONTENTS {
            if before[which] && !named[which] {
                self.contents.0[which] = None;
            }
        }
    }

    /// What nothing names goes an hour after it was put.
    fn collect(&mut self) {
        let named = self.named();
        for (put, named) in self.contents.0.iter_mut().zip(named) {
            if !named && put.is_some_and(|put| put < self.now - 60 * MINUTE) {
                *put = None;
            }
        }
    }
}

/// What is named can be read, and what was never put, or is gone, is not there.
pub(super) fn contents(state: &State, model: &Model) {
    for (which, named) in model.named().into_iter().enumerate() {
        let read = state.open_blob(&blob(which));
        if named {
            let mut read = read.expect("what is named is there");
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut read, &mut bytes).expect("it is whole");
            assert!(bytes == content(which), "content {which}");
        } else if model.contents.0[which].is_none() {
            assert!(matches!(read, Err(Error::NoSuchBlob { .. })), "{read:?}");
        }
    }
}
