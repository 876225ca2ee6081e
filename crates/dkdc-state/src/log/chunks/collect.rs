//! What blobs take, and the removal of what no version names.
//!
//! Named are the contents that a row of any table names, those that were put or
//! put again a short while ago, and all that their lists name. The rest goes, in
//! the one transaction that found it so.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};

use super::super::catalog::Catalog;
use super::super::{DbResult, damaged};
use super::{Codec, Found, open};
use crate::error::Result;
use crate::record::BlobRef;
use crate::schema::ColumnType;
use crate::schema::sql::quote;

/// What a collection removed, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Pieces of content, and lists of them.
    pub blobs: u64,
    /// The size of that content in bytes.
    pub bytes: u64,
    /// What it took in the store, in bytes.
    pub stored: u64,
}

/// What some contents take together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Contents.
    pub blobs: u64,
    /// Their size, each by itself, in bytes.
    pub logical: u64,
    /// Different pieces.
    pub pieces: u64,
    /// The size of those, in bytes.
    pub unique: u64,
    /// What they take in the store, with the lists of them, in bytes.
    pub stored: u64,
}

/// A row, by its number.
struct Row {
    number: i64,
    codec: i64,
    /// Of the content, and as it is stored.
    size: u64,
    stored: u64,
}

/// Rows that were reached, and all that those name.
#[derive(Default)]
struct Reached {
    numbers: HashSet<i64>,
    pieces: u64,
    unique: u64,
    stored: u64,
}

impl Reached {
    /// Reaches a row that something names.
    fn name(&mut self, conn: &Connection, name: &BlobRef) -> Result<()> {
        let row = conn
            .prepare_cached(
                "SELECT number, codec, size, length(data) FROM _dkdc_chunks WHERE hash = ?",
            )
            .and_then(|mut s| s.query_row([name.hash], row).optional())
            .db()?;
        match row {
            Some(row) => self.row(conn, &row),
            // What is gone is said by whoever reads it.
            None => Ok(()),
        }
    }

    fn row(&mut self, conn: &Connection, row: &Row) -> Result<()> {
        if !self.numbers.insert(row.number) {
            return Ok(());
        }
        self.stored += row.stored;
        let list = Codec::from_number(row.codec).is_some_and(Codec::is_list);
        if !list {
            self.pieces += 1;
            self.unique += row.size;
            return Ok(());
        }
        for entry in entries(conn, row.number)? {
            self.name(conn, &entry)?;
        }
        Ok(())
    }
}

/// What the list with this number names. One that is damaged may name anything:
/// then nothing can be called unnamed.
fn entries(conn: &Connection, number: i64) -> Result<Vec<BlobRef>> {
    let (hash, size, codec, data): ([u8; 32], i64, i64, Vec<u8>) = conn
        .prepare_cached("SELECT hash, size, codec, data FROM _dkdc_chunks WHERE number = ?")
        .and_then(|mut s| {
            s.query_row([number], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
        })
        .db()?;
    let size = u64::try_from(size).map_err(|_| damaged("a content of negative size"))?;
    match open(&BlobRef { hash, size }, codec, data)? {
        Found::List(entries) => Ok(entries),
        Found::Content(_) => Ok(Vec::new()),
    }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(Row {
        number: row.get(0)?,
        codec: row.get(1)?,
        size: count(row.get(2)?),
        stored: count(row.get(3)?),
    })
}

/// What these contents take together.
pub(crate) fn usage(conn: &Connection, blobs: &[BlobRef]) -> Result<Usage> {
    let mut reached = Reached::default();
    let mut usage = Usage::default();
    for blob in blobs {
        usage.blobs += 1;
        usage.logical += blob.size;
        reached.name(conn, blob)?;
    }
    usage.pieces = reached.pieces;
    usage.unique = reached.unique;
    usage.stored = reached.stored;
    Ok(usage)
}

/// All that is named, or was put at `before` or later.
fn named(conn: &Connection, catalog: &Catalog, before: i64) -> Result<Reached> {
    let mut sources = vec![
        "SELECT hash FROM _dkdc_chunks WHERE put >= ?1".to_owned(),
        "SELECT c.hash FROM _dkdc_reused r JOIN _dkdc_chunks c ON c.number = r.number \
         WHERE r.put >= ?1"
            .to_owned(),
    ];
    for meta in &catalog.tables {
        for column in &meta.schema.columns {
            if column.ty == ColumnType::Blob {
                let name = quote(&column.name);
                sources.push(format!(
                    "SELECT DISTINCT substr({name}, 1, 32) FROM {} \
                     WHERE {name} IS NOT NULL AND ?1 IS NOT NULL",
                    meta.sql.table
                ));
            }
        }
    }
    let mut reached = Reached::default();
    for sql in sources {
        let mut statement = conn.prepare(&sql).db()?;
        let mut rows = statement.query([before]).db()?;
        while let Some(row) = rows.next().db()? {
            let hash: [u8; 32] = row.get(0).db()?;
            reached.name(conn, &BlobRef { hash, size: 0 })?;
        }
    }
    Ok(reached)
}

/// What [`collect`] would remove.
pub(crate) fn unnamed(conn: &Connection, catalog: &Catalog, before: i64) -> Result<Collected> {
    Ok(find(conn, catalog, before)?.0)
}

fn find(conn: &Connection, catalog: &Catalog, before: i64) -> Result<(Collected, Vec<i64>)> {
    let reached = named(conn, catalog, before)?;
    let mut collected = Collected::default();
    let mut numbers = Vec::new();
    let mut statement = conn
        .prepare("SELECT number, codec, size, length(data) FROM _dkdc_chunks")
        .db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(found) = rows.next().db()? {
        let found = row(found).db()?;
        if reached.numbers.contains(&found.number) {
            continue;
        }
        collected.blobs += 1;
        collected.stored += found.stored;
        if !Codec::from_number(found.codec).is_some_and(Codec::is_list) {
            collected.bytes += found.size;
        }
        numbers.push(found.number);
    }
    Ok((collected, numbers))
}

/// Removes the content that no version of any record names and that was put
/// before `before`; what was put later may be about to be named. With
/// `i64::MAX`, all that no version names.
pub(crate) fn collect(conn: &Connection, catalog: &Catalog, before: i64) -> Result<Collected> {
    let (collected, numbers) = find(conn, catalog, before)?;
    let mut delete = conn
        .prepare_cached("DELETE FROM _dkdc_chunks WHERE number = ?")
        .db()?;
    for number in numbers {
        delete.execute([number]).db()?;
    }
    conn.execute("DELETE FROM _dkdc_reused WHERE put < ?", [before])
        .db()?;
    Ok(collected)
}

/// Removes what some contents have that no version names, whenever it was put;
/// returns how many of them that were.
///
/// Other lists that nothing names, as of content that is being put, may name the
/// same pieces: these lists go too, so that nobody can name content that is not
/// whole. Whoever was about to is told that it is gone.
pub(crate) fn free(conn: &Connection, catalog: &Catalog, blobs: &[BlobRef]) -> Result<u64> {
    if blobs.is_empty() {
        return Ok(0);
    }
    let named = named(conn, catalog, i64::MAX)?;
    let (mut gone, mut freed) = (HashSet::new(), HashSet::new());
    for blob in blobs {
        let mut reached = Reached::default();
        reached.name(conn, blob)?;
        let own = reached.numbers.difference(&named.numbers);
        let before = gone.len();
        gone.extend(own.copied());
        if gone.len() > before {
            freed.insert(blob.hash);
        }
    }
    let mut lists = Vec::new();
    let mut statement = conn
        .prepare("SELECT number, codec, size, length(data) FROM _dkdc_chunks WHERE codec IN (2, 3)")
        .db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(found) = rows.next().db()? {
        let found = row(found).db()?;
        if named.numbers.contains(&found.number) || gone.contains(&found.number) {
            continue;
        }
        let mut reached = Reached::default();
        reached.row(conn, &found)?;
        if !reached.numbers.is_disjoint(&gone) {
            lists.push(found.number);
        }
    }
    drop(rows);
    gone.extend(lists);
    let mut delete = conn
        .prepare("DELETE FROM _dkdc_chunks WHERE number = ?")
        .db()?;
    let mut forget = conn
        .prepare("DELETE FROM _dkdc_reused WHERE number = ?")
        .db()?;
    for number in gone {
        delete.execute([number]).db()?;
        forget.execute([number]).db()?;
    }
    Ok(freed.len() as u64)
}
