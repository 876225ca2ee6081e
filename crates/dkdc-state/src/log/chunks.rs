//! The pieces of blobs and the lists of them, as rows of `_dkdc_chunks`.
//!
//! A row is addressed by the BLAKE3 of the content that it stands for and stored
//! once. What must hold: a list is written only after all that it names, in a
//! transaction that finds it there; and nothing that a list names is removed
//! before the list.

mod collect;

use rusqlite::blob::Blob;
use rusqlite::{Connection, OptionalExtension};

use super::{DbResult, damaged};
use crate::blob::pack::{self, Chunk, Codec, Packed};
use crate::blob::{GRACE, list};
use crate::error::{Error, Result};
use crate::record::BlobRef;

pub use collect::{Collected, Usage};
pub(crate) use collect::{collect, free, unnamed, usage};

/// True when the content is in the store.
pub(crate) fn exists(conn: &Connection, blob: &BlobRef) -> Result<bool> {
    conn.prepare_cached("SELECT 1 FROM _dkdc_chunks WHERE hash = ? AND size = ? AND codec < 3")
        .and_then(|mut s| s.exists((blob.hash, size(blob))))
        .db()
}

/// True when the row is in the store, be it content or part of a list.
pub(crate) fn is_there(conn: &Connection, name: &BlobRef) -> Result<bool> {
    conn.prepare_cached("SELECT 1 FROM _dkdc_chunks WHERE hash = ? AND size = ?")
        .and_then(|mut s| s.exists((name.hash, size(name))))
        .db()
}

fn size(blob: &BlobRef) -> i64 {
    i64::try_from(blob.size).unwrap_or(i64::MAX)
}

/// Makes sure that what is in the store stays for a while, although nothing
/// names it. False: it is not in the store.
pub(crate) fn keep(conn: &Connection, name: &BlobRef, now: i64) -> Result<bool> {
    let found: Option<(i64, i64)> = conn
        .prepare_cached("SELECT number, put FROM _dkdc_chunks WHERE hash = ? AND size = ?")
        .and_then(|mut s| {
            s.query_row((name.hash, size(name)), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
        })
        .db()?;
    let Some((number, put)) = found else {
        return Ok(false);
    };
    if put < now.saturating_sub(GRACE / 2) {
        // Not in the row itself: that would write its page anew.
        conn.prepare_cached("INSERT OR REPLACE INTO _dkdc_reused(number, put) VALUES (?1, ?2)")
            .and_then(|mut s| s.execute((number, now)))
            .db()?;
    }
    Ok(true)
}

/// Writes a row unless it is there.
pub(crate) fn put(conn: &Connection, chunk: &Chunk<'_>, now: i64) -> Result<()> {
    let Chunk { name, codec, data } = chunk;
    let written = conn
        .prepare_cached(
            "INSERT INTO _dkdc_chunks(hash, size, codec, put, data) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (hash) DO NOTHING",
        )
        .and_then(|mut s| s.execute((name.hash, size(name), codec.number(), now, &**data)))
        .db()?;
    if written == 0 && !keep(conn, name, now)? {
        return Err(not_what_was_put(name));
    }
    Ok(())
}

/// Writes lists, the parts before what names them, if all that they name is
/// there.
pub(crate) fn put_lists(conn: &Connection, lists: &[Chunk<'_>], now: i64) -> Result<()> {
    for chunk in lists {
        let entries = list::decode(&chunk.name, &chunk.data).unwrap_or_default();
        for entry in entries {
            if !is_there(conn, &entry)? {
                return Err(Error::NoSuchBlob { hash: entry.hex() });
            }
        }
        put(conn, chunk, now)?;
    }
    Ok(())
}

/// Puts content that is packed.
pub(crate) fn put_packed(conn: &Connection, packed: &Packed, now: i64) -> Result<()> {
    // Of a single piece, the row itself says so.
    let several = packed.chunks.len() > 1;
    if several && exists(conn, &packed.blob())? && keep(conn, &packed.blob(), now)? {
        return Ok(());
    }
    packed
        .chunks
        .iter()
        .try_for_each(|chunk| put(conn, chunk, now))
}

/// A row as it was found.
pub(crate) enum Found {
    Content(Vec<u8>),
    List(Vec<BlobRef>),
}

/// A row as it is stored.
pub(crate) fn fetch(conn: &Connection, name: &BlobRef) -> Result<(i64, Vec<u8>)> {
    let found: Option<(i64, Vec<u8>)> = conn
        .prepare_cached("SELECT codec, data FROM _dkdc_chunks WHERE hash = ?")
        .and_then(|mut s| {
            s.query_row([name.hash], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .db()?;
    found.ok_or_else(|| Error::NoSuchBlob { hash: name.hex() })
}

/// Reads pieces of content, one behind the other, into as many bytes as they have
/// together: verified, or an error.
pub(crate) fn read(conn: &Connection, names: &[BlobRef], mut to: &mut [u8]) -> Result<()> {
    // What is found is still there when it is read.
    let snapshot = conn.unchecked_transaction().db()?;
    let mut find = conn
        .prepare_cached("SELECT number, codec FROM _dkdc_chunks WHERE hash = ?")
        .db()?;
    let mut blob: Option<Blob<'_>> = None;
    let mut packed = Vec::new();
    for name in names {
        let found = find
            .query_row([name.hash], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .db()?;
        let (number, codec): (i64, i64) =
            found.ok_or_else(|| Error::NoSuchBlob { hash: name.hex() })?;
        let blob = match blob.take() {
            Some(mut other) => {
                other.reopen(number).db()?;
                blob.insert(other)
            }
            None => {
                let first = conn.blob_open("main", "_dkdc_chunks", "data", number, true);
                blob.insert(first.db()?)
            }
        };
        let size = usize::try_from(name.size).unwrap_or(usize::MAX);
        let (piece, rest) = to
            .split_at_mut_checked(size)
            .ok_or_else(|| damaged("BUG: pieces have no room"))?;
        to = rest;
        // Straight to its place, where nothing has to be unpacked.
        let read = match Codec::from_number(codec) {
            Some(Codec::Raw) if blob.len() == piece.len() => {
                blob.read_at_exact(piece, 0).db()?;
                (pack::name_of(piece) == *name).then_some(())
            }
            Some(Codec::Zstd) => {
                packed.resize(blob.len(), 0);
                blob.read_at_exact(&mut packed, 0).db()?;
                pack::unpack_to(name, &packed, piece)
            }
            _ => None,
        };
        read.ok_or_else(|| not_what_was_put(name))?;
    }
    drop((blob, find));
    snapshot.finish().db()
}

/// What it means that a piece of a content is not there: damage, unless all of it is
/// gone, which it goes at once.
pub(crate) fn lacking(conn: &Connection, blob: &BlobRef, error: Error) -> Error {
    let Error::NoSuchBlob { hash } = error else {
        return error;
    };
    match exists(conn, blob) {
        Ok(true) => damaged(format!("piece {hash} of blob {} is gone", blob.hex())),
        Ok(false) => Error::NoSuchBlob { hash: blob.hex() },
        Err(error) => error,
    }
}

fn not_what_was_put(name: &BlobRef) -> Error {
    damaged(format!("the content of blob {}", name.hex()))
}

/// True for a list, be it a content's or a part of one.
pub(crate) fn is_list(conn: &Connection, name: &BlobRef) -> Result<bool> {
    conn.prepare_cached("SELECT 1 FROM _dkdc_chunks WHERE hash = ? AND codec IN (2, 3)")
        .and_then(|mut s| s.exists([name.hash]))
        .db()
}

/// What a stored row stands for, verified.
pub(crate) fn open(name: &BlobRef, codec: i64, data: Vec<u8>) -> Result<Found> {
    let found = match Codec::from_number(codec) {
        None => None,
        Some(codec) if codec.is_list() => list::decode(name, &data).map(Found::List),
        Some(codec) => pack::unpack(name, codec, data).map(Found::Content),
    };
    found.ok_or_else(|| not_what_was_put(name))
}

/// Tells of every row that is not what was written: its number, and what is
/// wrong.
pub(crate) fn verify(conn: &Connection, mut tell: impl FnMut(i64, &str)) -> Result<()> {
    let mut statement = conn
        .prepare("SELECT number, hash, size, codec, data FROM _dkdc_chunks ORDER BY number")
        .db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let number: i64 = row.get(0).db()?;
        let name = row.get(1).ok().and_then(|hash| {
            let size = row.get::<_, i64>(2).ok()?;
            let size = u64::try_from(size).ok()?;
            Some(BlobRef { hash, size })
        });
        let codec: i64 = row.get(3).unwrap_or(-1);
        let data: Vec<u8> = row.get(4).unwrap_or_default();
        match name.map(|name| open(&name, codec, data)) {
            Some(Ok(Found::Content(_))) => {}
            Some(Ok(Found::List(entries))) => {
                for entry in entries {
                    if !is_there(conn, &entry)? {
                        tell(number, "names a piece that is gone");
                        break;
                    }
                }
            }
            None | Some(Err(_)) => tell(number, "is not what was put"),
        }
    }
    Ok(())
}

/// Writes a row that was found in another store, as it was stored there.
pub(crate) fn insert(conn: &Connection, name: &BlobRef, codec: i64, data: &[u8]) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO _dkdc_chunks(hash, size, codec, put, data) VALUES (?1, ?2, ?3, 0, ?4)",
    )
    .and_then(|mut s| s.execute((name.hash, size(name), codec, data)))
    .map(|_| ())
    .db()
}
