//! What a caller writes and reads: records, their values, and the versions
//! that the state keeps of them.
//!
//! Owns the vocabulary ([`Idx`], [`Op`], [`Version`], [`Versioned`], [`Value`])
//! and the traits that [`derive(Record)`](macro@crate::Record) implements. No
//! I/O happens here.

mod field;
mod given;
mod value;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

pub use field::{Field, ListField, Values, from_json, to_json};
#[doc(hidden)]
pub use given::Given;
pub use value::{BlobRef, Value, ValueError};
pub(crate) use value::{VALUE_LIMIT, hex, shorten};

use crate::schema::TableDef;

/// The number of a version, and the time at which it was committed:
/// microseconds since the Unix epoch, UTC.
///
/// Strictly increasing over a whole store, across threads, processes and steps
/// of the clock, so an `Idx` names one version of one record in one table.
///
/// ```
/// use dkdc_state::Idx;
/// let idx: Idx = "1732730565321529".parse()?;
/// assert_eq!(idx.timestamp().to_string(), "2024-11-27T18:02:45.321529Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Idx(pub(crate) i64);

impl Idx {
    /// Before every version: where [`changes`](crate::State::changes) starts.
    pub const ZERO: Idx = Idx(0);

    /// The `idx` that is `micros` microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Idx {
        Idx(micros)
    }

    /// Microseconds since the Unix epoch, UTC.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The same as a timestamp; clamped to the years that `jiff` can show.
    #[must_use]
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }

    /// The number as people are shown it, and can give it back wherever one is
    /// asked for: its time to the microsecond. What no clock has shown since
    /// there are stores stays in digits.
    ///
    /// ```
    /// use dkdc_state::Idx;
    /// let idx = Idx::from_micros(1_732_730_565_320_000);
    /// assert_eq!(idx.shown(), "2024-11-27T18:02:45.320000Z");
    /// assert_eq!(Idx::from_micros(7).shown(), "7");
    /// ```
    #[must_use]
    pub fn shown(self) -> String {
        let time = self.timestamp();
        if self.0 >= 1_000_000_000_000_000 && time.as_microsecond() == self.0 {
            format!("{time:.6}")
        } else {
            self.0.to_string()
        }
    }
}

impl fmt::Display for Idx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Idx {
    type Err = std::num::ParseIntError;

    fn from_str(s: &str) -> Result<Idx, Self::Err> {
        s.parse().map(Idx)
    }
}

/// What a version did to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Op {
    /// The record is new, or came back under an id that had been deleted.
    Append = 1,
    /// The record's values changed.
    Update = 2,
    /// The record is gone from the current records; its history stays.
    Delete = 3,
    /// The record has the values of an earlier version again.
    Restore = 4,
    /// The version's content was erased; a stub keeps the hash chain whole.
    Erased = 5,
}

impl Op {
    pub(crate) fn from_code(code: i64) -> Option<Op> {
        Some(match code {
            1 => Op::Append,
            2 => Op::Update,
            3 => Op::Delete,
            4 => Op::Restore,
            5 => Op::Erased,
            _ => return None,
        })
    }

    /// The number that the log keeps.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// True when a version with this `op` holds a record.
    #[must_use]
    pub fn is_live(self) -> bool {
        !matches!(self, Op::Delete | Op::Erased)
    }

    /// `append`, `update`, `delete`, `restore` or `erased`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Op::Append => "append",
            Op::Update => "update",
            Op::Delete => "delete",
            Op::Restore => "restore",
            Op::Erased => "erased",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A version of a record, without its values: what a write returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// The version's number.
    pub idx: Idx,
    /// The version that this one replaced: the record's newest at the time.
    pub prev: Option<Idx>,
    /// What this version did.
    pub op: Op,
}

/// A version together with what it holds.
///
/// Reads of current records give `Versioned<R>`; history gives
/// `Versioned<Option<R>>`, since a delete holds no record. It dereferences to
/// what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    /// Which version this is.
    pub version: Version,
    /// What it holds.
    pub record: T,
}

impl<T> Versioned<T> {
    /// The version's number: what [`update_if`](crate::Table::update_if) takes.
    pub fn idx(&self) -> Idx {
        self.version.idx
    }
}

impl<T> Deref for Versioned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

/// A type whose values a state keeps. Implemented by
/// [`derive(Record)`](macro@crate::Record).
///
/// ```
/// use dkdc_state::Record;
///
/// #[derive(Record, Clone, Debug, PartialEq)]
/// #[record(table = "notes", index(priority, idx))]
/// struct Note {
///     #[record(id)]
///     id: String,
///     user_id: Option<String>,
///     body: String,
///     #[record(default = 100)]
///     priority: i64,
///     labels: Vec<String>,
/// }
///
/// let table = Note::table();
/// assert_eq!(table.name, "notes");
/// assert_eq!(table.columns.len(), 4); // the id is not a column of its own
/// ```
pub trait Record: Sized + Sync {
    /// The table that holds these records, as this type declares it.
    fn table() -> TableDef;

    /// The record's key: 1 byte to 1 KiB, compared byte by byte.
    fn id(&self) -> Cow<'_, str>;

    /// The values of all columns except the id, in the order of
    /// [`table`](Record::table)'s columns. Where many are written, called inside the
    /// transaction and by several threads: a use of the state in here is refused then.
    ///
    /// # Errors
    /// [`ValueError`] when a value cannot be kept exactly, such as a NaN.
    fn to_values(&self) -> Result<Vec<Value>, ValueError>;

    /// The same, as they are written: not copied where that is not needed.
    #[doc(hidden)]
    fn give(&self) -> Result<Vec<Given<'_>>, ValueError> {
        let values = self.to_values()?;
        Ok(values.into_iter().map(Given::Value).collect())
    }

    /// The record with this id and these values, in the order of
    /// [`table`](Record::table)'s columns.
    ///
    /// # Errors
    /// [`ValueError`] when a value does not fit its field.
    fn from_values(id: String, values: &mut Values) -> Result<Self, ValueError>;
}
