//! What a store promises, with nothing but vectors.
//!
//! Columns that are added give every earlier record their default at once; a
//! refused unit is undone by taking back a copy; the state as of a moment is
//! found by reading the log up to it. What becomes of all of it is in
//! [`super::keeping`], what is asked for once in [`super::requests`].

use std::collections::HashMap;

use dkdc_state::{ColumnDef, Error, EventKind, Idx, Nulls, Op, Row, TableDef, Value, Version};

use super::keeping::{self, Contents};
use super::ops::{Pick, Put, RowOp, Target};
use super::requests::Answered;
use crate::support::SECOND;

/// What is refused, and why.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refused {
    InvalidId,
    Exists(Idx),
    NotFound,
    Conflict(Option<Idx>),
    NoSuchVersion(Idx),
    NotUnique,
    Missing,
    OutsideHistory,
    RequestDiffers,
    GivenUp,
    Other(String),
}

impl Refused {
    pub(super) fn of(error: &Error) -> Refused {
        match error {
            Error::InvalidId { .. } => Refused::InvalidId,
            Error::AlreadyExists { idx, .. } => Refused::Exists(*idx),
            Error::NotFound { .. } => Refused::NotFound,
            Error::Conflict { actual, .. } => Refused::Conflict(*actual),
            Error::NoSuchVersion { idx, .. } => Refused::NoSuchVersion(*idx),
            Error::NotUnique { .. } => Refused::NotUnique,
            Error::OutsideHistory { .. } => Refused::OutsideHistory,
            Error::RequestDiffers { .. } => Refused::RequestDiffers,
            Error::InvalidValue { source, .. } if source.to_string().contains("required") => {
                Refused::Missing
            }
            other => Refused::Other(format!("{other:?}")),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) version: Version,
    /// Empty for a delete.
    pub(super) values: Vec<Value>,
}

#[derive(Clone, Debug)]
pub(super) struct TableModel {
    pub(super) name: String,
    pub(super) columns: Vec<(String, Vec<String>, ColumnDef)>,
    unique: Vec<(Vec<usize>, Nulls)>,
    pub(super) log: Vec<Entry>,
    pub(super) floor: i64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    pub(super) first: i64,
    pub(super) last: i64,
    /// What the clock said, where that is not what `first` says.
    pub(super) time: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) now: i64,
    pub(super) last: i64,
    pub(super) begins: i64,
    pub(super) tables: Vec<TableModel>,
    pub(super) events: Vec<(i64, EventKind, Option<usize>)>,
    pub(super) commits: Vec<Commit>,
    /// By key, what was asked and answered.
    pub(super) requests: HashMap<String, Answered>,
    pub(super) contents: Contents,
    /// The first version of the unit under way.
    pub(super) first: Option<i64>,
}

/// The place of each table's first column of numbers.
pub(super) const NUMBER: [usize; 2] = [1, 0];

impl Model {
    pub(super) fn new(now: i64) -> Model {
        let (first, last, time) = (now, now, now);
        Model {
            now,
            last: now,
            begins: now,
            tables: Vec::new(),
            events: vec![(now, EventKind::Create, None)],
            commits: vec![Commit { first, last, time }],
            requests: HashMap::new(),
            contents: Contents::default(),
            first: None,
        }
    }

    fn next(&mut self) -> i64 {
        self.last = self.now.max(self.last + 1);
        self.first.get_or_insert(self.last);
        self.last
    }

    pub(super) fn event(&mut self, kind: EventKind, table: Option<usize>) -> i64 {
        let idx = self.next();
        self.events.push((idx, kind, table));
        idx
    }

    /// One caller's writes: all of them, or none.
    pub(super) fn unit<T>(
        &mut self,
        write: impl FnOnce(&mut Model) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let before = self.clone();
        let result = write(self).and_then(|value| {
            let unique = self.tables.iter().all(TableModel::is_unique);
            unique.then_some(value).ok_or(Refused::NotUnique)
        });
        if result.is_err() {
            *self = before;
        }
        if let Some(first) = self.first.take() {
            let last = self.last;
            let time = if self.now < first - SECOND {
                self.now
            } else {
                first
            };
            self.commits.push(Commit { first, last, time });
        }
        result
    }

    pub(super) fn create(&mut self, def: &TableDef) {
        let at = self.tables.len();
        let place = |name: &str| def.columns.iter().position(|c| c.name == name);
        let unique = def.indexes.iter().filter_map(|index| {
            let columns = index
                .columns
                .iter()
                .map(|c| place(&c.name).expect("a column"));
            index.unique.map(|nulls| (columns.collect(), nulls))
        });
        self.tables.push(TableModel {
            name: def.name.clone(),
            columns: def
                .columns
                .iter()
                .map(|c| (c.name.clone(), Vec::new(), c.clone()))
                .collect(),
            unique: unique.collect(),
            log: Vec::new(),
            floor: 0,
        });
        self.unit(|unit| Ok(unit.event(EventKind::Create, Some(at))))
            .expect("a new table");
    }

    pub(super) fn add_column(&mut self, at: usize, def: &ColumnDef, before: usize) {
        let table = &mut self.tables[at];
        assert_eq!(table.columns.len(), before, "columns of {}", table.name);
        if table.place(&def.name).is_some() {
            return;
        }
        table
            .columns
            .push((def.name.clone(), Vec::new(), def.clone()));
        for entry in &mut table.log {
            if entry.version.op.is_live() {
                entry.values.push(def.default.clone().unwrap_or_default());
            }
        }
        self.unit(|unit| Ok(unit.event(EventKind::Alter, Some(at))))
            .expect("a new column");
    }

    /// True when it can be renamed, also to what it is called already.
    pub(super) fn rename(&mut self, at: usize, from: &str, to: &str) -> bool {
        let table = &mut self.tables[at];
        let Some(place) = table.place(from) else {
            return false;
        };
        // A name that a column had is its own for good.
        let clash = |(other, column): (usize, &(String, Vec<String>, _))| {
            let mut names = column.1.iter().chain([&column.0]);
            other != place && names.any(|name| name.eq_ignore_ascii_case(to))
        };
        if table.columns.iter().enumerate().any(clash) {
            return false;
        }
        let column = &mut table.columns[place];
        if column.0 != to {
            let old = std::mem::replace(&mut column.0, to.to_owned());
            column.1.push(old);
            self.unit(|unit| Ok(unit.event(EventKind::Alter, Some(at))))
                .expect("a new name");
        }
        true
    }

    pub(super) fn row_op(&mut self, op: &RowOp) -> Result<Version, Refused> {
        let ids = self.version_picker();
        match op {
            RowOp::DeleteIf(at, id, pick) => {
                self.delete(*at, id, Some(ids.expected(*at, id, *pick)))
            }
            op => self.row_op_at(op, &ids),
        }
    }

    /// As inside a transaction that began when `ids` was made.
    pub(super) fn row_op_at(&mut self, op: &RowOp, ids: &Picker) -> Result<Version, Refused> {
        match op {
            RowOp::Put(Target::Typed, put, row) => self.put(0, *put, row, None),
            RowOp::Put(Target::Rows(at), put, row) => self.put(*at, *put, row, None),
            RowOp::UpdateIf(at, row, pick) => {
                let expected = ids.expected(*at, &row.id, *pick);
                self.put(*at, Put::Update, row, Some(expected))
            }
            RowOp::Delete(at, id) | RowOp::DeleteIf(at, id, _) => self.delete(*at, id, None),
            RowOp::Restore(at, id, pick) => self.restore(*at, id, ids.version(*at, id, *pick)),
            RowOp::File(id, which) => {
                self.contents.put(*which, self.now);
                let row = Row::new(id.as_str()).with("file", keeping::blob(*which));
                self.put(1, Put::Upsert, &row, None)
            }
        }
    }

    pub(super) fn put(
        &mut self,
        at: usize,
        put: Put,
        row: &Row,
        expected: Option<Idx>,
    ) -> Result<Version, Refused> {
        let live = self.live(at, &row.id, expected)?;
        match (put, &live) {
            (Put::Append, Some(live)) => return Err(Refused::Exists(live.version.idx)),
            (Put::Update, None) => return Err(Refused::NotFound),
            _ => {}
        }
        let table = &self.tables[at];
        let mut values: Vec<Value> = match &live {
            Some(live) => live.values.clone(),
            None => {
                let default = |c: &(_, _, ColumnDef)| c.2.default.clone().unwrap_or_default();
                table.columns.iter().map(default).collect()
            }
        };
        for (name, value) in &row.fields {
            let place = table.place(name).expect("a column that there is");
            values[place] = value.clone();
        }
        let missing =
            |(value, column): (&Value, &(_, _, ColumnDef))| value.is_null() && column.2.required;
        if values.iter().zip(&table.columns).any(missing) {
            return Err(Refused::Missing);
        }
        let op = if live.is_some() {
            Op::Update
        } else {
            Op::Append
        };
        Ok(self.add(at, &row.id, op, values))
    }

    pub(super) fn modify(
        &mut self,
        at: usize,
        id: &str,
        value: &Value,
    ) -> Result<Version, Refused> {
        let table = &self.tables[at];
        let mut row = table
            .head(id, i64::MAX)
            .and_then(|head| table.row(head))
            .ok_or(Refused::NotFound)?;
        row.fields[NUMBER[at]].1 = value.clone();
        self.put(at, Put::Update, &row, None)
    }

    fn delete(&mut self, at: usize, id: &str, expected: Option<Idx>) -> Result<Version, Refused> {
        self.live(at, id, expected)?.ok_or(Refused::NotFound)?;
        Ok(self.add(at, id, Op::Delete, Vec::new()))
    }

    fn restore(&mut self, at: usize, id: &str, from: Idx) -> Result<Version, Refused> {
        self.live(at, id, None)?;
        let had = |e: &&Entry| e.id == id && e.version.idx == from && e.version.op.is_live();
        let entry = self.tables[at].log.iter().find(had);
        let values = entry.ok_or(Refused::NoSuchVersion(from))?.values.clone();
        Ok(self.add(at, id, Op::Restore, values))
    }

    /// The current record, when it may be written.
    fn live(&self, at: usize, id: &str, expected: Option<Idx>) -> Result<Option<Entry>, Refused> {
        if id.is_empty() {
            return Err(Refused::InvalidId);
        }
        let head = self.tables[at].head(id, i64::MAX);
        let live = head.filter(|head| head.version.op.is_live());
        if expected.is_some() && live.map(|live| live.version.idx) != expected {
            return Err(Refused::Conflict(head.map(|head| head.version.idx)));
        }
        Ok(live.cloned())
    }

    fn add(&mut self, at: usize, id: &str, op: Op, values: Vec<Value>) -> Version {
        let prev = self.tables[at]
            .head(id, i64::MAX)
            .map(|head| head.version.idx);
        let idx = Idx::from_micros(self.next());
        let version = Version { idx, prev, op };
        let id = id.to_owned();
        self.tables[at].log.push(Entry {
            id,
            version,
            values,
        });
        version
    }

    pub(super) fn version_picker(&self) -> Picker {
        let of = |table: &TableModel| {
            let version = |e: &Entry| (e.id.clone(), e.version.idx);
            table.log.iter().map(version).collect()
        };
        Picker(self.tables.iter().map(of).collect())
    }

    /// The `idx` of every version and event there is, in order.
    pub(super) fn points(&self) -> Vec<i64> {
        let rows = self.tables.iter().flat_map(|table| &table.log);
        let mut points: Vec<i64> = rows.map(|e| e.version.idx.as_micros()).collect();
        points.extend(self.events.iter().map(|event| event.0));
        points.sort_unstable();
        points
    }

    /// The version that an `idx` includes all up to.
    pub(super) fn resolve_idx(&self, idx: i64) -> Result<i64, Refused> {
        if idx < self.begins || idx > self.last {
            return Err(Refused::OutsideHistory);
        }
        let around = self
            .commits
            .iter()
            .filter(|c| c.first <= idx)
            .map(|c| c.last);
        let upto = around.max().unwrap_or(0).max(idx);
        let points = self.points().into_iter().filter(|point| *point <= upto);
        Ok(points.max().expect("the store's creation"))
    }

    /// The same for a time: the commits made by then, and those before them.
    pub(super) fn resolve_time(&self, time: i64) -> Result<i64, Refused> {
        if time > self.now.max(self.last) {
            return Err(Refused::OutsideHistory);
        }
        let by_then = self
            .commits
            .iter()
            .filter(|c| c.time <= time)
            .map(|c| c.last);
        self.resolve_idx(by_then.max().ok_or(Refused::OutsideHistory)?)
    }
}

impl TableModel {
    /// The column that has this name, or had it when none has it.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        let now = self.columns.iter().position(|c| c.0 == name);
        now.or_else(|| {
            self.columns
                .iter()
                .position(|c| c.1.iter().any(|n| n == name))
        })
    }

    /// The newest version at or before `asof`, deleted or not.
    pub(super) fn head(&self, id: &str, asof: i64) -> Option<&Entry> {
        let upto = |e: &&Entry| e.id == id && e.version.idx.as_micros() <= asof;
        self.log.iter().rev().find(upto)
    }

    /// The records that were current, by id.
    pub(super) fn current(&self, asof: i64) -> Vec<&Entry> {
        let mut ids: Vec<&str> = self.log.iter().map(|e| e.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let heads = ids.into_iter().filter_map(|id| self.head(id, asof));
        heads.filter(|head| head.version.op.is_live()).collect()
    }

    fn is_unique(&self) -> bool {
        self.unique.iter().all(|(columns, nulls)| {
            let keys: Vec<Vec<&Value>> = self
                .current(i64::MAX)
                .iter()
                .map(|e| columns.iter().map(|at| &e.values[*at]).collect::<Vec<_>>())
                .filter(|key| *nulls == Nulls::Equal || key.iter().all(|v| !v.is_null()))
                .collect();
            (1..keys.len()).all(|at| !keys[..at].contains(&keys[at]))
        })
    }

    /// The row that an entry is to a reader.
    pub(super) fn row(&self, entry: &Entry) -> Option<Row> {
        let names = self.columns.iter().map(|c| c.0.clone());
        entry.version.op.is_live().then(|| Row {
            id: entry.id.clone(),
            fields: names.zip(entry.values.iter().cloned()).collect(),
        })
    }
}

/// The versions that there were at some point, to choose from.
pub(super) struct Picker(Vec<Vec<(String, Idx)>>);

impl Picker {
    /// A version of the record; one that it never had when there is none.
    pub(super) fn version(&self, table: usize, id: &str, pick: Pick) -> Idx {
        let mut versions = self.0[table].iter().filter(|v| v.0 == id).map(|v| v.1);
        let found = match pick {
            Pick::Newest => versions.next_back(),
            Pick::Earlier(nth) => versions.nth(nth),
            Pick::Never => None,
        };
        found.unwrap_or(Idx::from_micros(1))
    }

    pub(super) fn expected(&self, table: usize, id: &str, pick: Pick) -> Idx {
        self.version(table, id, pick)
    }
}
