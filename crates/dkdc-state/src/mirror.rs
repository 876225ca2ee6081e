//! The mirror: immutable Parquet files beside the database, derived from the
//! log, and the only user of parquet.
//!
//! A file holds every version of one table over a range, its *history*, or the
//! rows that were *current* at one version. It is a cache: deleting the folder
//! loses nothing. What must hold:
//!
//! - A file is complete, synced and under its final name before the manifest
//!   names it; the manifest is changed in one SQLite transaction.
//! - A file is used only while it is the very file whose BLAKE3 was verified
//!   ([`trust`]); whatever is missing, altered or foreign is read from the log
//!   instead, and written again.
//! - Writers never wait for the mirror, but for the one insert into the
//!   manifest: a thread of its own keeps it ([`keeper`]) in a process that
//!   writes.
//! - Nobody removes a file that somebody reads.

mod admin;
mod current;
pub(crate) mod keeper;
mod merge;
#[cfg(feature = "query")]
mod pieces;
mod plan;
mod publish;
mod reader;
mod reread;
mod seal;
mod sweep;
mod trust;
mod verify;
mod versions;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::log::Reader;
use crate::log::catalog::TableMeta;
use crate::log::identity::beside;
use crate::log::manifest::{self, Amount, Sealed};
use crate::record::Idx;

pub use admin::MirroredTable;
pub(crate) use current::{Superseded, filter};
#[cfg(feature = "query")]
pub(crate) use pieces::{Current, Pieces};
pub(crate) use plan::SEAL_ROWS;
pub(crate) use trust::Held;
pub(crate) use versions::{Part, Versions};

/// The folder of a store's mirror, beside its resolved path.
pub(crate) fn folder(database: &Path) -> PathBuf {
    beside(database, "-mirror")
}

/// The mirror as one process knows it.
pub(crate) struct Mirror {
    folder: PathBuf,
    trust: trust::Trust,
    /// What each table's log has beyond the mirror, as far as it was counted.
    tails: Mutex<HashMap<u32, Counted>>,
    /// Held by the thread that writes files.
    at_work: Mutex<()>,
    /// Held while the manifest is changed: SQLite's lock is polled for, and goes
    /// to whoever comes just then, which is always the one that writes without
    /// pause.
    entering: Mutex<()>,
    /// Rows that went into files, to say what the mirror costs.
    rows_written: AtomicU64,
    /// When writing files failed last, if it has not worked since.
    failed: Mutex<Option<std::time::Instant>>,
}

struct Counted {
    /// The table's floor: a clear begins anew.
    floor: Idx,
    after: Idx,
    upto: Idx,
    amount: Amount,
}

impl Mirror {
    pub(crate) fn new(database: &Path) -> Mirror {
        Mirror {
            folder: folder(database),
            trust: trust::Trust::default(),
            tails: Mutex::default(),
            at_work: Mutex::default(),
            entering: Mutex::default(),
            rows_written: AtomicU64::new(0),
            failed: Mutex::default(),
        }
    }

    /// Lets a file enter the manifest that is waiting to, before a write begins.
    pub(crate) fn give_way(&self) {
        drop(self.entering.lock());
    }

    /// Takes a file for reading; `None` when it is not what was written.
    fn hold(&self, sealed: &Sealed) -> Option<Held> {
        self.trust.hold(&self.folder, sealed)
    }

    /// What a table's log has beyond the mirror, up to `last`, in the
    /// connection's transaction. Only what is new since the last call is read.
    fn tail(&self, conn: &Reader, meta: &TableMeta, after: Idx, last: Idx) -> Result<Amount> {
        let (number, floor) = (meta.schema.number, meta.schema.floor);
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tails.remove(&number);
        let known = known.filter(|k| k.floor == floor && k.after == after && k.upto <= last);
        let (from, before) = known.map_or((after, Amount::default()), |k| (k.upto, k.amount));
        let new = manifest::amount(conn, meta, (from, last))?;
        let amount = Amount {
            rows: before.rows + new.rows,
            bytes: before.bytes + new.bytes,
        };
        tails.insert(
            number,
            Counted {
                floor,
                after,
                upto: last,
                amount,
            },
        );
        Ok(amount)
    }
}
