//! Changes: every version and event of every table, in order, resumable.
//!
//! Read in pages, each in one short transaction; a commit is never split across
//! a resume point. Log rows do not change, so that pages of one feed agree.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};

use super::catalog::{Catalog, TableMeta};
use super::event::{self, Event};
use super::read::{self, LogRow};
use super::{DbResult, Store, writer};
use crate::error::{Error, Result};
use crate::record::{Idx, Version};
use crate::state::Row;

/// Rows read at a time from each table, and bytes from all.
const PAGE: usize = 1024;
const PAGE_BYTES: usize = 16 << 20;
/// How often a follower looks at first, and at the longest.
const POLL: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// One version or event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// Its number.
    pub idx: Idx,
    /// Pass it to [`State::changes`](crate::State::changes) to go on after
    /// this change. Inside a commit it is the point before the commit, so that
    /// nobody resumes in the middle of one.
    pub resume: Idx,
    /// What changed.
    pub kind: ChangeKind,
}

/// What changed.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeKind {
    /// A record has a new version.
    Version {
        /// The table.
        table: String,
        /// The record's id.
        id: String,
        /// Which version.
        version: Version,
        /// What it holds; `None` for a delete or an erased stub.
        row: Option<Row>,
    },
    /// Something happened to a table or to the store.
    Event(Event),
}

/// The changes from one point to the newest commit at the time of the call.
#[derive(Debug)]
#[must_use = "changes are read as they are taken"]
pub struct Changes {
    feed: Feed,
    upto: Idx,
}

/// The changes from one point on, those yet to come included.
#[derive(Debug)]
#[must_use = "changes are read as they are taken"]
pub struct Follow {
    feed: Feed,
    /// `PRAGMA data_version` is per connection, so the newest `idx` is asked.
    pause: Duration,
}

/// A position in the changes, and what has been read beyond it.
struct Feed {
    store: Arc<Store>,
    /// The newest change read.
    read: Idx,
    /// The end of the newest whole commit given out.
    resume: Idx,
    page: VecDeque<Change>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Feed(after {})", self.resume)
    }
}

impl Changes {
    pub(crate) fn new(store: Arc<Store>, after: Idx) -> Result<Changes> {
        let (after, upto) = store.read(|conn, catalog| begin(conn, catalog, after))?;
        Ok(Changes {
            feed: Feed::new(store, after),
            upto,
        })
    }
}

impl Iterator for Changes {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        self.feed.next(Some(self.upto)).transpose()
    }
}

impl Follow {
    pub(crate) fn new(store: Arc<Store>, after: Idx) -> Result<Follow> {
        let (after, _) = store.read(|conn, catalog| begin(conn, catalog, after))?;
        Ok(Follow {
            feed: Feed::new(store, after),
            pause: POLL.0,
        })
    }

    /// Waits for the next change; `None` when the deadline passes first.
    ///
    /// # Errors
    /// As for any read.
    pub fn next_before(&mut self, deadline: Option<Instant>) -> Result<Option<Change>> {
        loop {
            if let Some(change) = self.feed.next(None)? {
                self.pause = POLL.0;
                return Ok(Some(change));
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            // Other processes write too, and SQLite tells nobody: look again.
            std::thread::sleep(left.map_or(self.pause, |left| left.min(self.pause)));
            self.pause = (self.pause * 2).min(POLL.1);
        }
    }
}

impl Iterator for Follow {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        self.next_before(None).transpose()
    }
}

impl Feed {
    fn new(store: Arc<Store>, after: Idx) -> Feed {
        Feed {
            store,
            read: after,
            resume: after,
            page: VecDeque::new(),
        }
    }

    fn next(&mut self, upto: Option<Idx>) -> Result<Option<Change>> {
        if self.page.is_empty() {
            let (read, resume) = (self.read, self.resume);
            let page = self.store.read(|conn, catalog| {
                let last = writer::last(conn, catalog)?;
                let upto = upto.map_or(last, |upto| upto.min(last));
                page(conn, catalog, read, upto, resume)
            })?;
            self.page = page.into();
        }
        let change = self.page.pop_front();
        if let Some(change) = &change {
            self.read = change.idx;
            self.resume = change.resume;
        }
        Ok(change)
    }
}

/// Where a feed begins, and the newest version or event. A cursor beyond that is
/// of another store, or of this one before it was cut off or a backup took its
/// place: there, silence would be taken for "nothing new" until it is too late.
fn begin(conn: &Connection, catalog: &Catalog, after: Idx) -> Result<(Idx, Idx)> {
    let last = writer::last(conn, catalog)?;
    if after > last {
        return Err(Error::OutsideHistory {
            asked: after.shown(),
            why: format!("the newest version is {}", last.shown()),
        });
    }
    Ok((before_commit(conn, after)?, last))
}

/// Inside a commit, the point before it.
fn before_commit(conn: &Connection, after: Idx) -> Result<Idx> {
    Ok(match commit_around(conn, after)? {
        Some((first, last)) if after < last => Idx(first.as_micros() - 1),
        _ => after,
    })
}

/// The recorded commit that `idx` is in.
fn commit_around(conn: &Connection, idx: Idx) -> Result<Option<(Idx, Idx)>> {
    let found: Option<(i64, i64)> = conn
        .prepare_cached(
            "SELECT first, last FROM _dkdc_commits WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
        )
        .and_then(|mut s| {
            s.query_row([idx.as_micros()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .db()?;
    Ok(found
        .map(|(first, last)| (Idx(first), Idx(last)))
        .filter(|(_, last)| *last >= idx))
}

/// The next changes after `after`, at least one if there is one.
fn page(
    conn: &Connection,
    catalog: &Catalog,
    after: Idx,
    upto: Idx,
    mut resume: Idx,
) -> Result<Vec<Change>> {
    let mut found: Vec<(Idx, ChangeKind)> = Vec::new();
    // A table that has more than a page bounds what the others may give.
    let mut bound = upto;
    let share = PAGE_BYTES / catalog.tables.len().max(1);
    for meta in &catalog.tables {
        let (rows, more) = rows_after(conn, meta, (after, bound), share)?;
        if let (true, Some(last)) = (more, rows.last()) {
            bound = last.version.idx;
        }
        found.extend(rows.into_iter().map(|row| (row.version.idx, version(row))));
    }
    let events = event::read(conn, catalog, after, bound)?;
    found.extend(events.into_iter().map(|e| (e.idx, ChangeKind::Event(e))));
    found.retain(|(idx, _)| *idx <= bound);
    found.sort_by_key(|(idx, _)| *idx);
    let mut commit: Option<(Idx, Idx)> = None;
    found
        .into_iter()
        .map(|(idx, kind)| {
            if commit.is_none_or(|(_, last)| last < idx) {
                commit = commit_around(conn, idx)?;
            }
            match commit {
                Some((first, last)) if first <= idx && idx < last => {}
                _ => resume = idx,
            }
            Ok(Change { idx, resume, kind })
        })
        .collect()
}

/// A table's next rows, at least one if there is one, and whether there may be
/// more: at most a page of them, and none beyond the one that fills the share.
fn rows_after(
    conn: &Connection,
    meta: &TableMeta,
    (after, upto): (Idx, Idx),
    share: usize,
) -> Result<(Vec<LogRow>, bool)> {
    let sql = format!(
        "SELECT {} FROM {} l WHERE l.idx > ?1 AND l.idx <= ?2 ORDER BY l.idx LIMIT {PAGE}",
        meta.sql.row_columns, meta.sql.table
    );
    let mut statement = conn.prepare_cached(&sql).db()?;
    let mut rows = statement
        .query((after.as_micros(), upto.as_micros()))
        .db()?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while bytes < share
        && let Some(row) = rows.next().db()?
    {
        bytes += size(row);
        found.push(read::decode(&meta.schema, row)?);
    }
    let more = bytes >= share || found.len() == PAGE;
    Ok((found, more))
}

/// Bytes in the cells of a row.
fn size(row: &rusqlite::Row<'_>) -> usize {
    let cells = (0..row.as_ref().column_count()).filter_map(|at| row.get_ref(at).ok());
    cells
        .map(|cell| match cell {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
            _ => 8,
        })
        .sum()
}

fn version(row: LogRow) -> ChangeKind {
    ChangeKind::Version {
        table: row.schema.name.clone(),
        id: row.id.clone(),
        version: row.version,
        row: row.version.op.is_live().then(|| Row::from_log(row)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ColumnDef, ColumnType, TableDef};
    use crate::state::State;

    /// The failure to prevent: a page of large values that fills the memory.
    #[test]
    fn a_page_ends_when_it_is_large_and_the_feed_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = State::open(folder.path().join("data.db")).expect("a store");
        let body = ColumnDef::new("body", ColumnType::Text);
        let mut written = Vec::new();
        for table in ["one", "two"] {
            let table = state.define(&TableDef::new(table).column(body.clone()));
            let table = table.expect("a table");
            for n in 0..16 {
                let row = Row::new(format!("{n}")).with("body", "x".repeat(2 << 20));
                written.push(table.append(&row).expect("new").idx);
            }
        }
        let pages = state.store().read(|conn, catalog| {
            let upto = writer::last(conn, catalog)?;
            let (mut after, mut pages) = (Idx::ZERO, Vec::new());
            loop {
                let page = page(conn, catalog, after, upto, after)?;
                let Some(last) = page.last() else { break };
                after = last.idx;
                pages.push(page);
            }
            Ok(pages)
        });
        let pages = pages.expect("64 MiB in pages");
        assert!(pages.len() >= 4, "{} pages", pages.len());
        let versions = |page: &Vec<Change>| {
            let idx = |change: &Change| match change.kind {
                ChangeKind::Version { .. } => Some(change.idx),
                ChangeKind::Event(_) => None,
            };
            page.iter().filter_map(idx).collect::<Vec<Idx>>()
        };
        assert!(pages.iter().all(|page| versions(page).len() <= 9));
        let read: Vec<Idx> = pages.iter().flat_map(versions).collect();
        assert_eq!(read, written);
        let fed = state.changes(Idx::ZERO).expect("changes");
        assert_eq!(fed.count(), pages.iter().map(Vec::len).sum::<usize>());
    }
}
