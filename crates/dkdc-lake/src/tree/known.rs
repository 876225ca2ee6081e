//! What the lake knows of the files of a path, as much of it as an unchanged file
//! is compared by.

use dkdc_state::{Idx, Record, Select, Versioned};
use jiff::Timestamp;

use crate::error::Result;
use crate::lake::Lake;
use crate::read::is_below;

/// Some columns of a current [`File`](crate::File).
#[derive(Record, Clone, Debug)]
#[record(table = "lake")]
pub(super) struct Known {
    #[record(id)]
    pub(super) id: String,
    user_id: Option<String>,
    path: Option<String>,
    filename: String,
    pub(super) size: i64,
    pub(super) mode: Option<i64>,
    pub(super) mtime: Option<Timestamp>,
}

impl Known {
    /// Where the file is below a path that it is in.
    pub(super) fn below(&self, path: Option<&str>) -> String {
        let folder = self.path.as_deref().unwrap_or_default();
        let folder = &folder[path.map_or(0, str::len)..];
        match folder.trim_start_matches('/') {
            "" => self.filename.clone(),
            folder => format!("{folder}/{}", self.filename),
        }
    }
}

/// The current files of exactly this user in a plain path and below it.
pub(super) fn known(
    lake: &Lake,
    user: Option<&str>,
    path: Option<&str>,
) -> Result<Vec<Versioned<Known>>> {
    let Some(table) = lake.state().find_table::<Known>()? else {
        return Ok(Vec::new());
    };
    // In the order of the index, so that nothing is sorted.
    let mut select = Select::new().order("path");
    if let Some(path) = path {
        // `0` follows `/`: the path itself, what is below it, and few others.
        select = select.ge("path", path).lt("path", format!("{path}0"));
    }
    let mut known = table.list(&select)?;
    known.retain(|file| {
        let folder = file.path.as_deref();
        let is_there = path.is_none_or(|path| folder.is_some_and(|of| is_below(of, path)));
        is_there && file.user_id.as_deref() == user
    });
    Ok(known)
}

/// A version that a file had when it was looked at.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) idx: Idx,
}

impl Seen {
    pub(super) fn of(known: Versioned<Known>) -> Seen {
        Seen {
            idx: known.idx(),
            id: known.record.id,
        }
    }
}
