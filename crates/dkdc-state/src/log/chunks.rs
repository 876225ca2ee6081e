//! The content of blobs, as rows of `_dkdc_chunks`.
//!
//! A chunk is addressed by the BLAKE3 of its content and stored once. For now
//! a blob is one chunk: its hash is the chunk's.

use rusqlite::{Connection, OptionalExtension};

use super::catalog::Catalog;
use super::{DbResult, damaged};
use crate::error::{Error, Result};
use crate::record::BlobRef;
use crate::schema::ColumnType;
use crate::schema::sql::quote;

/// The content is stored as it is.
const RAW: i64 = 0;

/// True when the content is in the store.
pub(crate) fn exists(conn: &Connection, blob: &BlobRef) -> Result<bool> {
    conn.prepare_cached("SELECT 1 FROM _dkdc_chunks WHERE hash = ? AND size = ?")
        .and_then(|mut s| s.exists((blob.hash, size(blob))))
        .db()
}

fn size(blob: &BlobRef) -> i64 {
    i64::try_from(blob.size).unwrap_or(i64::MAX)
}

/// True when the content is in the store, and was put at this time or later.
pub(crate) fn put_since(conn: &Connection, blob: &BlobRef, since: i64) -> Result<bool> {
    conn.prepare_cached("SELECT 1 FROM _dkdc_chunks WHERE hash = ? AND size = ? AND put >= ?")
        .and_then(|mut s| s.exists((blob.hash, size(blob), since)))
        .db()
}

/// Puts content into the store; when it is there, it is as if put now.
pub(crate) fn insert(conn: &Connection, blob: &BlobRef, data: &[u8], now: i64) -> Result<()> {
    if exists(conn, blob)? {
        return conn
            .prepare_cached("UPDATE _dkdc_chunks SET put = max(put, ?2) WHERE hash = ?1")
            .and_then(|mut s| s.execute((blob.hash, now)))
            .map(|_| ())
            .db();
    }
    conn.prepare_cached(
        "INSERT INTO _dkdc_chunks(hash, size, codec, put, data) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut s| s.execute((blob.hash, size(blob), RAW, now, data)))
    .map(|_| ())
    .db()
}

/// The content, verified.
pub(crate) fn read(conn: &Connection, blob: &BlobRef) -> Result<Vec<u8>> {
    let found: Option<(i64, Vec<u8>)> = conn
        .prepare_cached("SELECT codec, data FROM _dkdc_chunks WHERE hash = ?")
        .and_then(|mut s| {
            s.query_row([blob.hash], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .db()?;
    let (codec, data) = found.ok_or_else(|| Error::NoSuchBlob { hash: blob.hex() })?;
    let sound = codec == RAW
        && data.len() as u64 == blob.size
        && blake3::hash(&data).as_bytes() == &blob.hash;
    if sound {
        Ok(data)
    } else {
        Err(damaged(format!("the content of blob {}", blob.hex())))
    }
}

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Contents removed.
    pub blobs: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Removes those of some contents that no version of any record names, whenever
/// they were put; returns how many these were.
pub(crate) fn free(conn: &Connection, catalog: &Catalog, blobs: &[BlobRef]) -> Result<u64> {
    if blobs.is_empty() {
        return Ok(0);
    }
    let used = used(catalog);
    let sql = format!(
        "DELETE FROM _dkdc_chunks WHERE hash = ?1 AND hash NOT IN (SELECT hash FROM ({used}))"
    );
    let mut delete = conn.prepare(&sql).db()?;
    let mut freed = 0;
    for blob in blobs {
        freed += delete.execute([blob.hash]).db()? as u64;
    }
    Ok(freed)
}

/// The hashes of all content that is named, as a SELECT.
fn used(catalog: &Catalog) -> String {
    let mut used = String::from("SELECT NULL AS hash WHERE 0");
    for meta in &catalog.tables {
        for column in &meta.schema.columns {
            if column.ty == ColumnType::Blob {
                let name = quote(&column.name);
                used += &format!(
                    " UNION ALL SELECT substr({name}, 1, 32) FROM {} WHERE {name} IS NOT NULL",
                    meta.sql.table
                );
            }
        }
    }
    used
}

/// Removes the content that no version of any record names and that was put
/// before `before`.
pub(crate) fn collect(conn: &Connection, catalog: &Catalog, before: i64) -> Result<Collected> {
    let used = used(catalog);
    let unused = format!("put < ?1 AND hash NOT IN (SELECT hash FROM ({used}))");
    let (blobs, bytes) = conn
        .query_row(
            &format!("SELECT count(*), coalesce(sum(size), 0) FROM _dkdc_chunks WHERE {unused}"),
            [before],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        )
        .db()?;
    conn.execute(
        &format!("DELETE FROM _dkdc_chunks WHERE {unused}"),
        [before],
    )
    .db()?;
    Ok(Collected {
        blobs: u64::try_from(blobs).unwrap_or(0),
        bytes: u64::try_from(bytes).unwrap_or(0),
    })
}
