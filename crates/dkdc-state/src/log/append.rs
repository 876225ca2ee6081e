//! Writing versions: what each operation asks of the head, and the rows it
//! makes.
//!
//! Everything an operation may refuse is judged before its first row is
//! written. The row, the index entries and the hash are written together; the
//! head is remembered, and folded later ([`super::recent`]).

mod ahead;
mod row;

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::CachedStatement;

use super::catalog::TableMeta;
use super::request::{self, Request};
use super::writer::Tx;
use super::{DbResult, Store, chunks, format, index, read};
use crate::error::{Error, Result};
use crate::record::{Given, Idx, Op, Value, ValueError, Version};
use crate::schema::{TableSchema, check_id};
pub(crate) use row::{Hashed, Salted, Scribe, column_number, insert_row};

/// One operation on one record.
#[derive(Clone, Debug)]
pub(crate) struct Write<'r> {
    pub(crate) id: Cow<'r, str>,
    pub(crate) action: Action<'r>,
    /// The version that must be the record's current one.
    pub(crate) expected: Option<Idx>,
}

/// What to do with the record.
#[derive(Clone, Debug)]
pub(crate) enum Action<'r> {
    /// Values by place of column; `None` keeps the current one, or takes the
    /// default. Values have passed [`Given::check`].
    Put(Existing, Vec<Option<Given<'r>>>),
    Delete,
    /// The values of an earlier version of the same record.
    Restore(Idx),
}

/// What a put asks of the record it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It must not be there.
    Refused,
    /// It must be there.
    Required,
    /// It may be there.
    Either,
}

/// Writes of one table that succeed or fail together.
pub(crate) struct Batch<W = Vec<Write<'static>>> {
    pub(crate) table: u32,
    pub(crate) writes: W,
    /// When it is one, and was answered before, nothing is written again.
    pub(crate) request: Option<Request>,
}

/// A write, and the leaf that its row has should the record be a new one.
pub(crate) struct Ready<'r> {
    write: Write<'r>,
    leaf: Option<Salted>,
}

impl<'r> From<Write<'r>> for Ready<'r> {
    fn from(write: Write<'r>) -> Ready<'r> {
        Ready { write, leaf: None }
    }
}

/// The writes of a batch, made before or while they are written.
pub(crate) enum Writes<'r> {
    Made(Vec<Write<'r>>),
    /// So many, each made of the table's columns and its place: some at a time, and
    /// of many by a second thread ([`ahead`]), so that a large batch is never all in
    /// memory.
    ToMake(usize, &'r Make<'r>),
}

/// Makes the write that has a place.
pub(crate) type Make<'r> = dyn Fn(&TableSchema, usize) -> Result<Write<'r>> + Sync + 'r;

impl From<Batch> for Batch<Writes<'_>> {
    fn from(batch: Batch) -> Self {
        Batch {
            table: batch.table,
            writes: Writes::Made(batch.writes),
            request: batch.request,
        }
    }
}

impl Write<'_> {
    /// The same without the record.
    fn into_owned(self) -> Write<'static> {
        let owned = |value: Option<Given<'_>>| value.map(Given::into_owned);
        Write {
            id: Cow::Owned(self.id.into_owned()),
            action: match self.action {
                Action::Put(existing, values) => {
                    Action::Put(existing, values.into_iter().map(owned).collect())
                }
                Action::Delete => Action::Delete,
                Action::Restore(from) => Action::Restore(from),
            },
            expected: self.expected,
        }
    }
}

impl Writes<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Writes::Made(writes) => writes.is_empty(),
            Writes::ToMake(count, _) => *count == 0,
        }
    }

    /// All of them made, of a table's columns as this process knows them, to outlive
    /// their records.
    pub(crate) fn made(self, store: &Store, table: u32) -> Result<Vec<Write<'static>>> {
        match self {
            Writes::Made(writes) => Ok(writes.into_iter().map(Write::into_owned).collect()),
            Writes::ToMake(count, make) => store.with_columns(table, |schema| {
                let made = (0..count).map(|at| make(schema, at).map(Write::into_owned));
                made.collect()
            }),
        }
    }
}

/// The head of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) idx: Idx,
    pub(crate) deleted: bool,
}

/// The statements of one table, held over a batch.
struct Statements<'c> {
    head: CachedStatement<'c>,
    insert: CachedStatement<'c>,
}

impl<'w> Tx<'w> {
    /// Applies a batch.
    pub(crate) fn apply<'r>(
        &mut self,
        batch: impl Into<Batch<Writes<'r>>>,
    ) -> Result<Vec<Version>> {
        let Batch {
            table,
            writes,
            request,
        } = batch.into();
        let Some(request) = request else {
            return self.apply_all(table, writes);
        };
        let store = self.catalog.store_id;
        if let Some(answer) = request::answered(self.conn, &store, &request)? {
            return Ok(answer);
        }
        let versions = self.apply_all(table, writes)?;
        if let (Some(first), Some(last)) = (versions.first(), versions.last()) {
            let at = (first.idx, last.idx);
            request::remember(self.conn, &store, &request, Some(table), at, &versions)?;
        }
        Ok(versions)
    }

    fn apply_all(&mut self, table: u32, writes: Writes<'_>) -> Result<Vec<Version>> {
        let meta = Arc::clone(self.catalog.by_number(table)?);
        self.heads.complete(self.conn, &meta)?;
        let conn = self.conn;
        let mut statements = Statements {
            head: conn.prepare_cached(&meta.sql.folded_head).db()?,
            insert: conn.prepare_cached(&meta.sql.insert).db()?,
        };
        let scribe = &mut std::mem::take(self.ahead);
        let store = self.store;
        let mut write = |ready: Ready<'_>| {
            let version = self.write(&meta, &mut statements, ready)?;
            self.heads.fold_within(conn, &meta)?;
            Ok(version)
        };
        let versions = match writes {
            Writes::Made(writes) => writes.into_iter().map(Ready::from).map(write).collect(),
            Writes::ToMake(count, make) => {
                let mut versions = Vec::with_capacity(count);
                let take = |ready| write(ready).map(|version| versions.push(version));
                ahead::each(store, &meta, scribe, (count, make), take).map(|()| versions)
            }
        };
        *self.ahead = std::mem::take(scribe);
        versions
    }

    fn write(
        &mut self,
        meta: &TableMeta,
        statements: &mut Statements<'w>,
        Ready { write, leaf }: Ready<'_>,
    ) -> Result<Version> {
        check_id(meta.name(), &write.id)?;
        let number = meta.schema.number;
        let hash = self.heads.hash(&write.id);
        let find = || find_head(&mut statements.head, &write.id);
        let head = self.heads.head(number, hash, &write.id, find)?;
        let live = head.filter(|head| !head.deleted);
        check_head(meta, &write, head)?;
        // The current row, where the index entries or the values kept need it.
        let old = match live {
            Some(head) if needs_old(meta, &write.action) => {
                Some(self.values_at(meta, &write.id, head.idx)?)
            }
            _ => None,
        };
        let (op, values) = match write.action {
            Action::Delete => (Op::Delete, Vec::new()),
            Action::Restore(from) => {
                let restored = self.restored(meta, &write.id, from)?;
                (
                    Op::Restore,
                    restored.into_iter().map(Given::Value).collect(),
                )
            }
            Action::Put(_, given) => {
                let op = if live.is_some() {
                    Op::Update
                } else {
                    Op::Append
                };
                (op, complete(meta, given, old.as_deref()))
            }
        };
        if op.is_live() {
            self.check_values(meta, &write.id, &values)?;
        }
        let version = Version {
            idx: self.next_idx()?,
            prev: head.map(|head| head.idx),
            op,
        };
        let leaf = leaf.filter(|_| version.prev.is_none() && op == Op::Append);
        let row = (&*write.id, version, &values[..]);
        self.insert_row(meta, &mut statements.insert, row, leaf)?;
        let (idx, deleted) = (version.idx, !op.is_live());
        self.heads
            .put(number, hash, &write.id, Head { idx, deleted });
        if version.prev.is_some() && format::is_waypoint(version.idx) {
            self.conn
                .prepare_cached(format::INSERT_WAYPOINT)
                .and_then(|mut s| s.execute((number, &write.id, version.idx.as_micros())))
                .db()?;
        }
        if !meta.schema.indexes.is_empty() {
            let old = live.zip(old.as_deref());
            let new = op.is_live().then_some((version.idx, &values[..]));
            self.move_entries(meta, &write.id, old, new)?;
        }
        Ok(version)
    }

    fn values_at(&self, meta: &TableMeta, id: &str, idx: Idx) -> Result<Vec<Value>> {
        match read::row_of(self.conn, meta, id, idx)? {
            Some(row) => Ok(row.values),
            None => Err(read::nowhere(meta, id, idx)),
        }
    }

    fn restored(&self, meta: &TableMeta, id: &str, from: Idx) -> Result<Vec<Value>> {
        let row = read::row(self.conn, meta, from)?;
        row.filter(|row| row.id == id && row.version.op.is_live())
            .map(|row| row.values)
            .ok_or_else(|| Error::NoSuchVersion {
                table: meta.name().to_owned(),
                id: id.to_owned(),
                idx: from,
            })
    }

    /// Required columns have values, and content that is named is there.
    fn check_values(&self, meta: &TableMeta, id: &str, values: &[Given<'_>]) -> Result<()> {
        for (column, value) in meta.schema.columns.iter().zip(values) {
            match value {
                Given::Value(Value::Null) if column.required => {
                    return Err(Error::InvalidValue {
                        table: meta.name().to_owned(),
                        id: id.to_owned(),
                        source: ValueError::Missing.in_column(&column.name),
                    });
                }
                Given::Value(Value::Blob(blob)) if !chunks::exists(self.conn, blob)? => {
                    return Err(Error::NoSuchBlob { hash: blob.hex() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn insert_row(
        &mut self,
        meta: &TableMeta,
        insert: &mut CachedStatement<'_>,
        (id, version, values): (&str, Version, &[Given<'_>]),
        leaf: Option<Salted>,
    ) -> Result<()> {
        let previous = self.chain(meta.schema.number)?;
        let cells = values.iter().map(Given::cell);
        let hashed = match leaf {
            Some(leaf) => Hashed::Before(leaf),
            None => Hashed::Now(self.scribe),
        };
        let hash = insert_row(meta, insert, hashed, &previous, id, version, cells)?;
        self.set_chain(meta.schema.number, Some(hash));
        Ok(())
    }

    /// Takes the old entries out of the indexes and puts the new ones in.
    fn move_entries(
        &mut self,
        meta: &TableMeta,
        id: &str,
        old: Option<(Head, &[Value])>,
        new: Option<(Idx, &[Given<'_>])>,
    ) -> Result<()> {
        for (at, def) in meta.schema.indexes.iter().enumerate() {
            let before = old.and_then(|(head, values)| index::key(def, id, head.idx, values));
            let after =
                new.and_then(|(idx, values)| index::key_of(def, id, idx, |at| values[at].lent()));
            if before == after {
                continue;
            }
            if let Some(key) = before {
                self.conn
                    .prepare_cached(&meta.sql.index_delete[at])
                    .and_then(|mut s| s.execute((key, id)))
                    .db()?;
            }
            if let Some(key) = after {
                self.conn
                    .prepare_cached(&meta.sql.index_insert[at])
                    .and_then(|mut s| s.execute((&key, id)))
                    .db()?;
                if def.unique.is_some() {
                    self.touch(meta.schema.number, at, key, id);
                }
            }
        }
        Ok(())
    }
}

/// The head that a statement finds.
pub(crate) fn find_head(statement: &mut CachedStatement<'_>, id: &str) -> Result<Option<Head>> {
    statement.raw_bind_parameter(1, id).db()?;
    let mut rows = statement.raw_query();
    let Some(row) = rows.next().db()? else {
        return Ok(None);
    };
    Ok(Some(Head {
        idx: Idx(row.get(0).db()?),
        deleted: row.get(1).db()?,
    }))
}

/// Refuses what does not go with the record's head.
fn check_head(meta: &TableMeta, write: &Write<'_>, head: Option<Head>) -> Result<()> {
    let live = head.filter(|head| !head.deleted);
    let table = || meta.name().to_owned();
    let id = || write.id.clone().into_owned();
    if let Some(expected) = write.expected
        && live.map(|head| head.idx) != Some(expected)
    {
        return Err(Error::Conflict {
            table: table(),
            id: id(),
            expected,
            actual: head.map(|head| head.idx),
        });
    }
    match (&write.action, live) {
        (Action::Put(Existing::Refused, _), Some(head)) => Err(Error::AlreadyExists {
            table: table(),
            id: id(),
            idx: head.idx,
        }),
        (Action::Put(Existing::Required, _) | Action::Delete, None) => Err(Error::NotFound {
            table: table(),
            id: id(),
        }),
        _ => Ok(()),
    }
}

fn needs_old(meta: &TableMeta, action: &Action<'_>) -> bool {
    if !meta.schema.indexes.is_empty() {
        return true;
    }
    match action {
        Action::Put(_, given) => {
            given.len() < meta.schema.columns.len() || given.iter().any(Option::is_none)
        }
        Action::Delete | Action::Restore(_) => false,
    }
}

/// The row's values: those given, else the current ones, else the defaults.
fn complete<'r>(
    meta: &TableMeta,
    mut given: Vec<Option<Given<'r>>>,
    old: Option<&[Value]>,
) -> Vec<Given<'r>> {
    let columns = &meta.schema.columns;
    given.resize_with(columns.len(), || None);
    // In place: a value and perhaps a value are of one size.
    let values = given.into_iter().enumerate();
    values
        .map(|(at, value)| match (value, old) {
            (Some(value), _) => value,
            (None, Some(old)) => Given::Value(old[at].clone()),
            (None, None) => Given::Value(columns[at].default.clone().unwrap_or_default()),
        })
        .collect()
}
