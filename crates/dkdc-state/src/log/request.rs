//! Requests: writes that carry a key, so that they can be tried again.
//!
//! `_dkdc_requests` keeps for each key what was answered, the versions, and a hash
//! of what was asked. The key itself is not kept, only its hash, which is bound to
//! the store. A row is written in the transaction of the versions, so that a
//! request is answered and remembered, or neither.

use rusqlite::{Connection, OptionalExtension};

use super::append::{Action, Existing, Write, column_number};
use super::catalog::TableMeta;
use super::hash::{Hash, Leaf};
use super::{DbResult, damaged};
use crate::error::{Error, Result};
use crate::record::{Idx, Op, Version};
use crate::schema::sql::Cell;

/// A request: its key, and what it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// As the caller gave it, for errors.
    pub(crate) key: String,
    print: Hash,
}

impl Request {
    /// The request to write these, in a table.
    pub(crate) fn new(key: &str, table: u32, writes: &[Write<'_>]) -> Request {
        let mut hasher = blake3::Hasher::new();
        let mut leaf = Leaf::default();
        for write in writes {
            let (kind, from) = match write.action {
                Action::Put(Existing::Refused, _) => (1, None),
                Action::Put(Existing::Required, _) => (2, None),
                Action::Put(Existing::Either, _) => (3, None),
                Action::Delete => (4, None),
                Action::Restore(from) => (5, Some(from)),
            };
            hasher.update(&[kind]);
            leaf.start(&[], table, write.expected, Op::Append, &write.id);
            if let Some(from) = from {
                leaf.column(0, &Cell::Int(from.as_micros()));
            }
            if let Action::Put(_, values) = &write.action {
                for (at, value) in values.iter().enumerate() {
                    // NULL is asked for; what is not named is left alone.
                    if let Some(value) = value {
                        leaf.column(column_number(at), &value.cell());
                        hasher.update(&column_number(at).to_le_bytes());
                    }
                }
            }
            hasher.update(&leaf.finish());
        }
        Request {
            key: key.to_owned(),
            print: hasher.finalize().into(),
        }
    }
}

/// A transaction that is made once: its key, and what it is about.
pub(crate) struct Once {
    key: String,
    about: blake3::Hasher,
    /// What it was about when it was made before.
    before: Option<Hash>,
}

const TRANSACTION: &[u8] = b"dkdc transaction";

impl Once {
    /// Finds out whether a transaction with this key was made before.
    pub(crate) fn begin(conn: &Connection, store: &uuid::Uuid, key: &str) -> Result<Once> {
        let found = find(conn, store, key)?;
        let before = found.map(|found| match (found.of_transaction, found.print) {
            (true, Some(print)) => Ok(print),
            _ => Err(differs(key)),
        });
        let mut about = blake3::Hasher::new();
        about.update(TRANSACTION);
        Ok(Once {
            key: key.to_owned(),
            about,
            before: before.transpose()?,
        })
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn is_new(&self) -> bool {
        self.before.is_none()
    }

    pub(crate) fn about(&mut self, what: &[u8]) {
        self.about.update(&(what.len() as u64).to_le_bytes());
        self.about.update(what);
    }

    /// The transaction ends: a new key is remembered, with the versions that were
    /// made; an old one must be about the same.
    pub(crate) fn end(self, conn: &Connection, store: &uuid::Uuid, at: (Idx, Idx)) -> Result<()> {
        let print: Hash = self.about.finalize().into();
        let nothing = blake3::hash(TRANSACTION);
        match self.before {
            None => {
                let request = Request {
                    key: self.key,
                    print,
                };
                remember(conn, store, &request, None, at, &[])
            }
            // Either side may not have said what it is about.
            Some(before) if [before, print].contains(nothing.as_bytes()) => Ok(()),
            Some(before) if before == print => Ok(()),
            Some(_) => Err(differs(&self.key)),
        }
    }
}

fn differs(key: &str) -> Error {
    Error::RequestDiffers {
        key: key.to_owned(),
    }
}

/// What stands for a key in this store.
fn hashed(store: &uuid::Uuid, key: &str) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"dkdc request");
    hasher.update(store.as_bytes());
    hasher.update(key.as_bytes());
    hasher.finalize().into()
}

/// A request that was answered.
struct Answered {
    of_transaction: bool,
    print: Option<Hash>,
    answer: Vec<u8>,
}

fn find(conn: &Connection, store: &uuid::Uuid, key: &str) -> Result<Option<Answered>> {
    conn.prepare_cached(
        "SELECT \"table\" IS NULL, print, answer FROM _dkdc_requests WHERE key = ?1",
    )
    .and_then(|mut s| {
        s.query_row([hashed(store, key)], |row| {
            Ok(Answered {
                of_transaction: row.get(0)?,
                print: row.get(1)?,
                answer: row.get(2)?,
            })
        })
        .optional()
    })
    .db()
}

/// What a request was answered, if it was made before.
pub(crate) fn answered(
    conn: &Connection,
    store: &uuid::Uuid,
    request: &Request,
) -> Result<Option<Vec<Version>>> {
    match find(conn, store, &request.key)? {
        None => Ok(None),
        // What was asked is forgotten when a record of it is erased.
        Some(found)
            if !found.of_transaction && found.print.is_none_or(|print| print == request.print) =>
        {
            decode(&found.answer).map(Some)
        }
        Some(_) => Err(differs(&request.key)),
    }
}

/// Remembers what a request was answered. `table`: `None` for a transaction's,
/// which may be about several; `at`: the versions it is about, in a row.
pub(crate) fn remember(
    conn: &Connection,
    store: &uuid::Uuid,
    request: &Request,
    table: Option<u32>,
    (first, last): (Idx, Idx),
    versions: &[Version],
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO _dkdc_requests(key, \"table\", first, last, print, answer) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .and_then(|mut s| {
        s.execute((
            hashed(store, &request.key),
            table,
            first.as_micros(),
            last.as_micros(),
            request.print,
            encode(versions),
        ))
    })
    .map(|_| ())
    .db()
}

/// Forgets what was asked in the requests that made versions of a table which are
/// stubs now; that they were answered stays known. A transaction's says nothing.
pub(crate) fn forget(conn: &Connection, meta: &TableMeta) -> Result<()> {
    let (log, number, erased) = (&meta.sql.table, meta.schema.number, Op::Erased.code());
    conn.execute(
        &format!(
            "UPDATE _dkdc_requests AS r SET print = NULL WHERE \"table\" = {number} AND EXISTS \
             (SELECT 1 FROM {log} l WHERE l.idx BETWEEN r.first AND r.last AND l._op = {erased})"
        ),
        [],
    )
    .map(|_| ())
    .db()
}

/// Forgets the requests that wrote a table, up to a version; asked while the
/// versions are there, since only they tell which tables a transaction wrote.
pub(crate) fn expire(conn: &Connection, meta: &TableMeta, upto: Idx) -> Result<()> {
    let (log, number) = (&meta.sql.table, meta.schema.number);
    conn.execute(
        &format!(
            "DELETE FROM _dkdc_requests AS r WHERE r.last <= ?1 AND (\"table\" = {number} OR \
             \"table\" IS NULL AND EXISTS \
             (SELECT 1 FROM {log} l WHERE l.idx BETWEEN r.first AND r.last))"
        ),
        [upto.as_micros()],
    )
    .map(|_| ())
    .db()
}

/// Bytes of one version: `idx`, `prev` or the least integer, `op`.
const VERSION: usize = 17;

fn encode(versions: &[Version]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(versions.len() * VERSION);
    for version in versions {
        let prev = version.prev.map_or(i64::MIN, Idx::as_micros);
        bytes.extend_from_slice(&version.idx.as_micros().to_le_bytes());
        bytes.extend_from_slice(&prev.to_le_bytes());
        bytes.push(version.op.code());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Result<Vec<Version>> {
    let wrong = || damaged("what a request was answered does not parse");
    let int = |bytes: &[u8]| {
        bytes
            .try_into()
            .map(i64::from_le_bytes)
            .map_err(|_| wrong())
    };
    if !bytes.len().is_multiple_of(VERSION) {
        return Err(wrong());
    }
    let versions = bytes.chunks_exact(VERSION).map(|bytes| -> Result<Version> {
        let prev = int(&bytes[8..16])?;
        Ok(Version {
            idx: Idx(int(&bytes[..8])?),
            prev: (prev != i64::MIN).then_some(Idx(prev)),
            op: Op::from_code(i64::from(bytes[16])).ok_or_else(wrong)?,
        })
    });
    versions.collect()
}
