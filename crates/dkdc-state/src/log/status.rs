//! What a store holds, in numbers.

use std::path::PathBuf;

use rusqlite::OptionalExtension;

use super::identity::beside;
use super::{DbResult, Store, read, writer};
use crate::error::Result;
use crate::record::Idx;

/// A store in numbers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// The file.
    pub path: PathBuf,
    /// The store's identity, drawn at random when it was created.
    pub store_id: uuid::Uuid,
    /// The format of the file.
    pub format: i64,
    /// When the store was created.
    pub created: Idx,
    /// The newest version or event.
    pub last: Idx,
    /// Size of the file in bytes.
    pub db_bytes: u64,
    /// Bytes of it that hold nothing: later writes take them, or
    /// [`vacuum`](crate::State::vacuum) gives them back.
    pub free_bytes: u64,
    /// Size of the `-wal` file in bytes.
    pub wal_bytes: u64,
    /// Pieces of the content of blobs, each stored once.
    pub blobs: u64,
    /// Their size in bytes.
    pub blob_bytes: u64,
    /// What they take in the file, with the lists of them, in bytes.
    pub blob_stored_bytes: u64,
    /// The tables, oldest first.
    pub tables: Vec<TableStatus>,
}

/// A table in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableStatus {
    /// Its name.
    pub name: String,
    /// Versions, deletes included.
    pub versions: u64,
    /// Current records.
    pub records: u64,
    /// The newest version.
    pub last: Option<Idx>,
    /// History before this was cleared or pruned away; 0: never.
    pub floor: Idx,
}

impl Store {
    pub(crate) fn status(&self) -> Result<Status> {
        let size = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
        self.read(|conn, catalog| {
            let count = |n: i64| u64::try_from(n).unwrap_or(0);
            let (blobs, blob_bytes, blob_stored_bytes) = conn
                .query_row(
                    "SELECT count(*) FILTER (WHERE codec < 2), \
                     coalesce(sum(size) FILTER (WHERE codec < 2), 0), \
                     coalesce(sum(length(data)), 0) FROM _dkdc_chunks",
                    [],
                    |row| Ok((count(row.get(0)?), count(row.get(1)?), count(row.get(2)?))),
                )
                .db()?;
            let mut tables = Vec::new();
            for meta in &catalog.tables {
                let table = &meta.sql.table;
                let versions: i64 = conn
                    .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                        row.get(0)
                    })
                    .db()?;
                let last: Option<i64> = conn
                    .query_row(
                        &format!("SELECT idx FROM {table} ORDER BY idx DESC LIMIT 1"),
                        [],
                        |row| row.get(0),
                    )
                    .optional()
                    .db()?;
                tables.push(TableStatus {
                    name: meta.name().to_owned(),
                    versions: count(versions),
                    records: read::count(conn, meta)?,
                    last: last.map(Idx),
                    floor: meta.schema.floor,
                });
            }
            Ok(Status {
                path: self.path.clone(),
                store_id: catalog.store_id,
                format: conn
                    .query_row("PRAGMA user_version", [], |row| row.get(0))
                    .db()?,
                created: catalog.created,
                last: writer::last(conn, catalog)?,
                db_bytes: size(&self.path),
                free_bytes: conn
                    .query_row(
                        "SELECT freelist_count * page_size \
                         FROM pragma_freelist_count, pragma_page_size",
                        [],
                        |row| Ok(count(row.get(0)?)),
                    )
                    .db()?,
                wal_bytes: size(&beside(&self.path, "-wal")),
                blobs,
                blob_bytes,
                blob_stored_bytes,
                tables,
            })
        })
    }
}
