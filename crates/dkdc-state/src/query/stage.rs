//! What stands ready for questions: the views of every table, made of the
//! mirror's files as they were last seen, and current rows in memory.
//!
//! A question sees these as they were when its transaction began, whatever
//! others need meanwhile: DuckDB keeps versions of its catalog as of its rows.

use std::sync::{Arc, Mutex, PoisonError};

use super::engine::{Session, refused};
use super::hot::Hot;
use super::judge::Judged;
use super::pin::Pinned;
use super::views::{self, For};
use crate::error::{Error, Result};
use crate::log::Store;
use crate::mirror::Pieces;
use crate::record::Idx;

/// How often a question begins anew because a file of the mirror went just then.
const TRIES: u32 = 4;

/// What stands ready in one DuckDB.
pub(super) struct Stage {
    ready: Mutex<Ready>,
}

struct Ready {
    /// Which snapshots it is for: any, or those not older than what is ready.
    any: bool,
    /// The newest event; `None`: nothing is ready.
    event: Option<Idx>,
    /// By table number minus one.
    made: Vec<Made>,
    hot: Hot,
}

/// Of which pieces the views of a table are made, if they are.
#[derive(Default)]
struct Made {
    current: Option<Pieces>,
    /// The view of its history and the macro.
    past: Option<Pieces>,
}

impl Stage {
    /// For any snapshot.
    pub(super) fn of_any() -> Stage {
        Stage::new(true, Some(0))
    }

    /// For new snapshots, with current rows in memory up to so many bytes.
    pub(super) fn of_new(hot_bytes: Option<u64>) -> Stage {
        Stage::new(false, hot_bytes)
    }

    fn new(any: bool, hot_bytes: Option<u64>) -> Stage {
        Stage {
            ready: Mutex::new(Ready {
                any,
                event: None,
                made: Vec::new(),
                hot: Hot::new(hot_bytes),
            }),
        }
    }

    /// Pins a question's snapshot, or the newest, and begins its transaction, in
    /// which the views are right for it. `None`: what stands ready is newer than
    /// the snapshot.
    pub(super) fn enter(
        &self,
        session: &mut Session,
        store: &Arc<Store>,
        at: Option<Idx>,
        judged: &Judged,
    ) -> Result<Option<Pinned>> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tries = TRIES;
        let pinned = loop {
            let pinned = Pinned::new(store, at, session.token())?;
            tries -= 1;
            match ready.suit(session, &pinned, judged) {
                Ok(true) => break pinned,
                Ok(false) => return Ok(None),
                // A file went since it was seen: what it held is read from
                // elsewhere.
                Err(Error::Changed { .. }) if tries > 0 => {}
                Err(error) => return Err(error),
            }
        };
        // At once, by `immediate_transaction_mode`: what others make from here
        // on is not seen.
        session.begin()?;
        let in_memory = ready.hot.suffices(&pinned, judged);
        drop(ready);
        pinned.keep_tails();
        if !in_memory {
            session.set_idx(pinned.idx())?;
        }
        Ok(Some(pinned))
    }
}

impl Ready {
    /// Makes everything right for a snapshot. False: it is older than what is
    /// in memory, or in the mirror's current rows.
    fn suit(&mut self, session: &Session, pinned: &Pinned, judged: &Judged) -> Result<bool> {
        let newer = |pieces: &Pieces| {
            let current = pieces.current.as_ref();
            current.is_some_and(|current| current.upto > pinned.idx())
        };
        if !self.any && pinned.pieces.iter().any(newer) {
            return Ok(false);
        }
        if self.event != Some(pinned.catalog.event) {
            // Rows may have been cleared, columns may have been added.
            self.event = None;
            self.hot.forget(session.connection());
        }
        let hot = match self.hot.suit(session.connection(), pinned, judged) {
            Ok(None) => return Ok(false),
            Ok(Some(changed)) => changed,
            Err(error) => {
                // Rows in memory are done without.
                tracing::warn!(%error, "current rows are not kept in memory");
                drop(pinned.take_error());
                self.event = None;
                self.hot.forget(session.connection());
                Vec::new()
            }
        };
        self.refresh(session, pinned, judged, &hot)?;
        Ok(true)
    }

    /// Makes the views that a question needs those of the tables there are now.
    fn refresh(
        &mut self,
        session: &Session,
        pinned: &Pinned,
        judged: &Judged,
        changed: &[u32],
    ) -> Result<()> {
        let event = Some(pinned.catalog.event);
        if self.event != event {
            self.made.clear();
        }
        let tables = &pinned.catalog.tables;
        self.made.resize_with(tables.len(), Made::default);
        let mut sql = String::new();
        let mut due = Vec::new();
        for (at, (meta, pieces)) in tables.iter().zip(&pinned.pieces).enumerate() {
            let number = meta.schema.number;
            let made = &mut self.made[at];
            if changed.contains(&number) {
                made.current = None;
            }
            let files = format!("{}_files", meta.name());
            let files_is_free = pinned.catalog.find(&files).is_none();
            let named = judged.names(meta.name()) || (files_is_free && judged.names(&files));
            if !named && !judged.others {
                continue;
            }
            if made.current.as_ref() != Some(pieces) {
                let hot = self.hot.name(number);
                let which = match &hot {
                    Some(table) => For::One(table),
                    None if self.any => For::Any,
                    None => For::Newer,
                };
                sql += &views::current(meta, pieces, which, files_is_free);
                due.push(at);
            }
            if judged.others && made.past.as_ref() != Some(pieces) {
                sql += &views::past(meta, pieces);
                due.push(at);
            }
        }
        if !sql.is_empty() {
            // When this fails, all are made again.
            self.event = None;
            let made = pinned.at_last(|| session.connection().execute_batch(&sql));
            made.map_err(|error| pinned.cause(refused(error)))?;
        }
        for at in due {
            let pieces = &pinned.pieces[at];
            self.made[at].current = Some(pieces.clone());
            if judged.others {
                self.made[at].past = Some(pieces.clone());
            }
        }
        self.event = event;
        Ok(())
    }
}
