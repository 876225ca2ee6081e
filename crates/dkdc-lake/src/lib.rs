//! A lake of files that keeps every version of every file, on
//! [`dkdc_state`]'s public API only.
//!
//! [`Lake`] holds [`File`]s. A file is known by its [`FileName`]: user, path
//! and filename together, each of the first two possibly none. The content may
//! be of any size; it is kept once, however many versions and files have it.
//! Whatever is written stays: [`Lake::history`] shows every version,
//! [`Lake::restore`] brings one back, [`Lake::at`] reads the lake as it was.
//! Calls block; a [`Lake`] may be cloned and shared among threads.
//!
//! ```
//! use dkdc_lake::{Edit, FileName, Lake, NewFile};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("data.db");
//! let lake = Lake::open(path)?;
//! let name = FileName::new("test.txt");
//! let first = lake.append_file(NewFile::new(name.clone()), &b"hello world"[..])?;
//! let second = lake.update_file(NewFile::new(name.clone()), &b"hello world!"[..])?;
//! assert_eq!(first.id, second.id);
//!
//! assert_eq!(lake.read_to_vec(&name)?, b"hello world!");
//! assert_eq!(lake.list(None, None)?.len(), 1); // the latest version only ...
//! assert_eq!(lake.history(&name)?.len(), 2); // ... but both are kept
//!
//! // `put` appends or updates, and changes just what it names.
//! let report: FileName = "reports/2026/june.csv".parse()?;
//! lake.put(&report, &Edit::new().status("draft"), &b"a,b\n1,2\n"[..])?;
//! let report = lake.put(&report, &Edit::new(), &b"a,b\n3,4\n"[..])?.file;
//! assert_eq!(report.status.as_deref(), Some("draft"));
//! assert_eq!(report.filetype.as_deref(), Some("csv"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The records are plain records of a [`State`]: the same file may hold other
//! tables, [`Lake::state`] and [`Lake::table`] lead to everything that
//! `dkdc-state` can do, SQL included.

mod content;
mod current;
mod entries;
mod error;
mod file;
mod id;
mod kind;
mod lake;
mod name;
mod pattern;
mod put;
mod read;
mod then;
mod tree;
mod versions;

pub use dkdc_state::{
    BlobReader, BlobRef, ErrorKind, Idx, Moment, Op, State, Table, Version, Versioned,
};

pub use entries::Entries;
pub use error::{Error, Result};
pub use file::{File, NewFile};
pub use id::uuid;
pub use kind::kind_of;
pub use lake::Lake;
pub use name::{FileName, filetype_of};
pub use pattern::{Pattern, is_pattern, matching};
pub use put::{Edit, Put};
pub use then::LakeAt;
pub use tree::{AddOptions, CheckoutOptions, Difference, Done, Gauge, Side, Tree, TreeReport};
pub use versions::{FileVersion, FileVersions};
