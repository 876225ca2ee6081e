//! Fast, simple, persistent state.
//!
//! An application declares its records; the state keeps every version of every
//! record, durably, in one SQLite file, and answers questions over it in SQL,
//! now or as of any moment. Any number of threads and processes may use one
//! file at the same time.
//!
//! ```
//! use dkdc_state::{Record, State};
//!
//! #[derive(Record, Clone, Debug, PartialEq)]
//! #[record(table = "notes")]
//! struct Note {
//!     #[record(id)]
//!     id: String,
//!     body: String,
//!     #[record(default = 100)]
//!     priority: i64,
//! }
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("data.db");
//! let state = State::open(path)?;
//! let notes = state.table::<Note>()?;
//!
//! let note = Note { id: "n1".into(), body: "draft".into(), priority: 100 };
//! let first = notes.append(&note)?;
//! notes.update(&Note { body: "done".into(), ..note })?;
//!
//! assert_eq!(notes.get("n1")?.expect("a note").body, "done");
//! let then = state.at(first.idx.into())?;
//! assert_eq!(then.table::<Note>()?.get("n1")?.expect("a note").body, "draft");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The file is an ordinary SQLite database that other programs may read. One
//! thing they must not do: a second copy of SQLite *in the same process* that
//! opens the file drops this one's locks.

pub mod clock;

mod blob;
#[cfg(test)]
#[path = "../tests/it/cases.rs"]
mod cases;
mod error;
mod log;
mod mirror;
#[cfg(feature = "query")]
mod query;
mod record;
mod schema;
#[cfg(test)]
#[path = "../tests/it/seed.rs"]
mod seed;
mod snapshot;
mod state;
mod time;

pub use blob::{BlobReader, Packed};
pub use clock::Clock;
pub use dkdc_state_derive::Record;
pub use error::{Error, ErrorKind, Result};
pub use log::backup::BackedUp;
pub use log::changes::{Change, ChangeKind, Changes, Follow};
pub use log::check::{CheckReport, CheckedTable, Progress};
pub use log::chunks::{Collected, Usage};
pub use log::clear::Cleared;
pub use log::erase::Erased;
pub use log::event::{Event, EventKind};
pub use log::expect::{ChainHead, Expected};
pub use log::list::{Listed, ListedValue};
pub use log::prune::{Keep, Pruned};
pub use log::salvage::{Salvaged, SalvagedTable};
pub use log::status::{Status, TableStatus};
pub use log::vacuum::Vacuumed;
pub use mirror::MirroredTable;
#[cfg(feature = "query")]
pub use query::{Batches, Query};
pub use record::{
    BlobRef, Field, Idx, ListField, Op, Record, Value, ValueError, Values, Version, Versioned,
};
pub use schema::{
    Column, ColumnDef, ColumnType, Index, IndexColumn, IndexDef, IndexPart, ListItem, Nulls,
    PartKey, TableDef, TableSchema, parse_json,
};
pub use snapshot::{Scan, Snapshot, SnapshotTable};
pub use state::{
    Difference, Durability, OpenOptions, Row, Select, State, Table, Transaction, TxTable,
};
pub use time::Moment;

pub use arrow_array;
pub use arrow_schema;
pub use jiff;
pub use serde_json;
pub use uuid;

/// What the expansion of `derive(Record)` uses besides, and who brings in records of
/// another kind.
#[doc(hidden)]
pub mod record_support {
    pub use crate::log::append::Existing;
    pub use crate::record::{Given, from_json, to_json};
}

// The crate's own examples and tests derive records by the crate's public name.
extern crate self as dkdc_state;
