//! Requests: writes that carry a key, so that they can be tried again.
//!
//! `_dkdc_requests` keeps for each key what was answered, the versions, and a hash
//! of what was asked. The key itself is not kept, only its hash, which is bound to
//! the store. A row is written in the transaction of the versions, so that a
//! request is answered and remembered, or neither.

use rusqlite::{Connection, OptionalExtension};

use super::append::{Action, Existing, Write, column_number};
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
    pub(crate) fn new(key: &str, table: u32, writes: &[Write]) -> Request {
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
                        leaf.column(column_number(at), &Cell::of(value));
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

    /// A request of which only the key is known: a transaction's.
    pub(crate) fn of_key(key: &str) -> Request {
        Request {
            key: key.to_owned(),
            print: blake3::hash(b"dkdc transaction").into(),
        }
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

/// What a request was answered, if it was made before.
pub(crate) fn answered(
    conn: &Connection,
    store: &uuid::Uuid,
    request: &Request,
) -> Result<Option<Vec<Version>>> {
    let found: Option<(Option<Hash>, Vec<u8>)> = conn
        .prepare_cached("SELECT print, answer FROM _dkdc_requests WHERE key = ?1")
        .and_then(|mut s| {
            s.query_row([hashed(store, &request.key)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
        })
        .db()?;
    match found {
        None => Ok(None),
        // What was asked is forgotten when a record is erased; the answer stays.
        Some((print, answer)) if print.is_none_or(|print| print == request.print) => {
            decode(&answer).map(Some)
        }
        Some(_) => Err(Error::RequestDiffers {
            key: request.key.clone(),
        }),
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

/// Forgets what was asked in the request that made a version, since that was
/// erased; that it was answered stays known.
pub(crate) fn forget(conn: &Connection, idx: Idx) -> Result<()> {
    conn.prepare_cached("UPDATE _dkdc_requests SET print = NULL WHERE first <= ?1 AND last >= ?1")
        .and_then(|mut s| s.execute([idx.as_micros()]))
        .map(|_| ())
        .db()
}

/// Forgets the requests of a table up to a version.
pub(crate) fn expire(conn: &Connection, table: u32, upto: Idx) -> Result<()> {
    conn.prepare_cached("DELETE FROM _dkdc_requests WHERE \"table\" = ?1 AND last <= ?2")
        .and_then(|mut s| s.execute((table, upto.as_micros())))
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
