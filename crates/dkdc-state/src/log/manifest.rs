//! The manifest of the mirror: which files hold which rows.
//!
//! A row of `_dkdc_mirror` says everything about one file: its table, what it
//! holds, the versions it covers, its size and its BLAKE3, and the newest event
//! when it was written. The files of a table's history cover ranges that meet
//! without a gap, so the newest `upto` is the table's watermark; a table's
//! current rows are those of a version at or below it.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::catalog::{self, Catalog, TableMeta};
use super::hash::Hash;
use super::writer::Tx;
use super::{DbResult, damaged, event};
use crate::error::Result;
use crate::record::Idx;
use crate::schema::ColumnType;
use crate::schema::sql::quote;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Every version of a range.
    History,
    /// The rows that were current at a version.
    Current,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::History => "history",
            Kind::Current => "current",
        }
    }
}

/// One file of the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Its name in the mirror's folder.
    pub(crate) file: String,
    pub(crate) table: u32,
    pub(crate) kind: Kind,
    /// It covers versions after this one ...
    pub(crate) after: Idx,
    /// ... up to this one.
    pub(crate) upto: Idx,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) hash: Hash,
}

/// Every file, by table, kind and range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) files: Vec<Sealed>,
    /// The newest event when this was read.
    pub(crate) event: Idx,
}

impl Manifest {
    /// The files of a table's history, oldest first.
    pub(crate) fn history(&self, table: u32) -> impl Iterator<Item = &Sealed> {
        let of_table = move |s: &&Sealed| s.table == table && s.kind == Kind::History;
        self.files.iter().filter(of_table)
    }

    /// The file of a table's current rows.
    pub(crate) fn current(&self, table: u32) -> Option<&Sealed> {
        let of_table = |s: &&Sealed| s.table == table && s.kind == Kind::Current;
        self.files.iter().find(of_table)
    }

    /// The newest version of a table that the mirror has.
    pub(crate) fn watermark(&self, table: u32) -> Idx {
        self.history(table).last().map_or(Idx(i64::MIN), |s| s.upto)
    }
}

/// The manifest, inside the connection's transaction.
pub(crate) fn read(conn: &Connection) -> Result<Manifest> {
    let mut statement = conn
        .prepare_cached(
            "SELECT file, \"table\", kind, after, upto, rows, bytes, hash FROM _dkdc_mirror \
             WHERE kind IN ('history', 'current') ORDER BY \"table\", kind, upto",
        )
        .db()?;
    let rows = statement
        .query_map([], |row| {
            let count = |n: i64| u64::try_from(n).unwrap_or(0);
            let kind: String = row.get(2)?;
            Ok(Sealed {
                file: row.get(0)?,
                table: row.get(1)?,
                kind: match kind.as_str() {
                    "current" => Kind::Current,
                    _ => Kind::History,
                },
                after: Idx(row.get(3)?),
                upto: Idx(row.get(4)?),
                rows: count(row.get(5)?),
                bytes: count(row.get(6)?),
                hash: row.get(7)?,
            })
        })
        .db()?;
    let files: Vec<Sealed> = rows.collect::<rusqlite::Result<_>>().db()?;
    // A name is taken for a path: none that leads out of the folder.
    match files.iter().find(|s| s.file.contains(['/', '\\', '\0'])) {
        Some(sealed) => Err(damaged(format!(
            "the mirror's manifest names {:?}",
            sealed.file
        ))),
        None => Ok(Manifest {
            files,
            event: catalog::last_event(conn)?,
        }),
    }
}

/// Rows of a range of the log, and the bytes of their texts and blobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// Of more rows than this, the bytes are estimated.
const COUNTED: u64 = 1024;
/// One row in so many is looked at then.
const SAMPLE: u64 = 16;

/// How much a table's log has in a range; of many rows, one in sixteen is looked
/// at for the bytes.
pub(crate) fn amount(
    conn: &Connection,
    meta: &TableMeta,
    (after, upto): (Idx, Idx),
) -> Result<Amount> {
    let sized = |ty: ColumnType| {
        use ColumnType as T;
        matches!(ty, T::Text | T::Json | T::Bytes | T::List(_))
    };
    let columns = meta.schema.columns.iter().filter(|c| sized(c.ty));
    let bytes = columns.fold("0".to_owned(), |sum, column| {
        format!("{sum} + coalesce(octet_length({}), 0)", quote(&column.name))
    });
    let range = format!("FROM {} WHERE idx > ?1 AND idx <= ?2", meta.sql.table);
    let one = |sql: &str| -> Result<u64> {
        let found: i64 = conn
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row((after.as_micros(), upto.as_micros()), |row| row.get(0)))
            .db()?;
        Ok(u64::try_from(found).unwrap_or(0))
    };
    let rows = one(&format!("SELECT count(*) {range}"))?;
    let bytes = format!("SELECT CAST(total({bytes}) AS INTEGER) {range}");
    let bytes = if rows <= COUNTED {
        one(&bytes)?
    } else {
        one(&format!("{bytes} AND idx % {SAMPLE} = 0"))? * SAMPLE
    };
    Ok(Amount { rows, bytes })
}

/// Enters a file, in place of others that hold the same or less, or after all
/// others of its table, in a transaction of its own. False: another process was
/// first, or rows were taken from the table after `since`, the newest event when
/// the file's rows were read: it may hold what was erased.
pub(crate) fn enter(
    conn: &Connection,
    sealed: &Sealed,
    replaces: &[&Sealed],
    since: Idx,
) -> Result<bool> {
    let tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate).db()?;
    let catalog = Catalog::read(&tx)?;
    let manifest = read(&tx)?;
    let there = replaces.iter().all(|old| manifest.files.contains(old));
    let due = match sealed.kind {
        Kind::History if replaces.is_empty() => manifest.watermark(sealed.table) == sealed.after,
        Kind::History => there,
        Kind::Current => {
            there
                && sealed.upto <= manifest.watermark(sealed.table)
                && (manifest.current(sealed.table).is_none() || !replaces.is_empty())
        }
    };
    if !due || event::took(&tx, sealed.table, since)? {
        return Ok(false);
    }
    for old in replaces {
        tx.execute("DELETE FROM _dkdc_mirror WHERE file = ?1", [&old.file])
            .db()?;
    }
    let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO _dkdc_mirror(file, \"table\", kind, after, upto, rows, bytes, hash, event) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (
            &sealed.file,
            sealed.table,
            sealed.kind.name(),
            sealed.after.as_micros(),
            sealed.upto.as_micros(),
            int(sealed.rows),
            int(sealed.bytes),
            sealed.hash,
            catalog.event.as_micros(),
        ),
    )
    .db()?;
    tx.commit().db()?;
    Ok(true)
}

/// True when the manifest names a file.
pub(crate) fn names(conn: &Connection, file: &str) -> Result<bool> {
    conn.prepare_cached("SELECT 1 FROM _dkdc_mirror WHERE file = ?1")
        .and_then(|mut s| s.exists([file]))
        .db()
}

impl Tx<'_> {
    /// Takes every file of a table out of the manifest.
    pub(crate) fn forget(&mut self, table: u32) -> Result<()> {
        self.conn
            .execute("DELETE FROM _dkdc_mirror WHERE \"table\" = ?1", [table])
            .map(|_| ())
            .db()
    }
}
