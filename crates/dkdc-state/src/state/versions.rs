//! Single versions of a record, and what differs between two.

use crate::error::{Error, Result};
use crate::log::Reader;
use crate::log::catalog::TableMeta;
use crate::log::read::{self, LogRow};
use crate::record::{Idx, Value};

/// One column in which two versions differ.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The column.
    pub column: String,
    /// Its value in the one version.
    pub from: Value,
    /// Its value in the other.
    pub to: Value,
}

/// One version of a record, if it had it.
pub(super) fn find(conn: &Reader, meta: &TableMeta, id: &str, idx: Idx) -> Result<Option<LogRow>> {
    let row = read::row(conn, meta, idx)?;
    // A stub has no id, and is nobody's.
    Ok(row.filter(|row| row.id == id && !id.is_empty()))
}

/// The columns in which two versions of a record differ.
pub(super) fn diff(
    conn: &Reader,
    meta: &TableMeta,
    id: &str,
    from: Idx,
    to: Idx,
) -> Result<Vec<Difference>> {
    let version = |idx| {
        find(conn, meta, id, idx)?.ok_or_else(|| Error::NoSuchVersion {
            table: meta.name().to_owned(),
            id: id.to_owned(),
            idx,
        })
    };
    let (from, to) = (version(from)?, version(to)?);
    let names = meta.schema.columns.iter().map(|column| column.name.clone());
    Ok(names
        .zip(from.values.into_iter().zip(to.values))
        .filter(|(_, (from, to))| from != to)
        .map(|(column, (from, to))| Difference { column, from, to })
        .collect())
}
