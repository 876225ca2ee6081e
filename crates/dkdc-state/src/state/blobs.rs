//! The content of `Blob` columns, as callers put, read and count it.

use std::io::Read;

use super::State;
use crate::blob::BlobReader;
use crate::error::Result;
use crate::log::chunks::{Collected, Usage};
use crate::record::BlobRef;

impl State {
    /// Puts content of any size into the store and returns what names it, for a
    /// `Blob` column. What the store has of it already is not stored again. Takes
    /// a few megabytes of memory, and three threads for what is large. Content
    /// that no record names within an hour may be collected.
    ///
    /// ```
    /// # use dkdc_state::{ColumnDef, ColumnType, Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let files = TableDef::new("files").column(ColumnDef::new("data", ColumnType::Blob));
    /// let files = state.define(&files)?;
    /// let blob = state.put_blob(std::io::repeat(7).take(3_000_000))?;
    /// files.append(&Row::new("sevens").with("data", blob))?;
    /// assert_eq!(blob.size, 3_000_000);
    /// # use std::io::Read;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) from the reader.
    pub fn put_blob(&self, reader: impl Read) -> Result<BlobRef> {
        self.writable()?.put_blob(reader)
    }

    /// The content that a `Blob` column names. What is read is verified; a range
    /// is read without what is around it.
    ///
    /// ```
    /// # use dkdc_state::State;
    /// use std::io::{Read, Seek, SeekFrom};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let blob = state.put_blob(&b"hello world"[..])?;
    /// let mut content = state.open_blob(&blob)?;
    /// content.seek(SeekFrom::Start(6))?;
    /// assert_eq!(std::io::read_to_string(content)?, "world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchBlob`](crate::Error::NoSuchBlob);
    /// [`Error::Damaged`](crate::Error::Damaged) when it is not what was put.
    /// Reading meets the same, inside an [`std::io::Error`].
    pub fn open_blob(&self, blob: &BlobRef) -> Result<BlobReader> {
        self.store().open_blob(blob)
    }

    /// What some contents take in the store together, whatever else names them
    /// or their pieces.
    ///
    /// ```
    /// # use dkdc_state::State;
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let blob = state.put_blob("hello ".repeat(1000).as_bytes())?;
    /// let usage = state.blob_usage(&[blob, blob])?;
    /// assert_eq!((usage.logical, usage.unique), (12_000, 6000));
    /// assert!(usage.stored < 1000); // compressed
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for any read.
    pub fn blob_usage(&self, blobs: &[BlobRef]) -> Result<Usage> {
        self.store().blob_usage(blobs)
    }

    /// Removes content that no version of any record names, unless it was put
    /// within the last hour, and gives free space back to the file system.
    /// Others may write meanwhile; they wait while what goes is found and removed.
    ///
    /// ```
    /// # use dkdc_state::State;
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let blob = state.put_blob(&b"hello world"[..])?;
    /// // Whoever put it may be about to name it.
    /// assert_eq!(state.gc_blobs()?.blobs, 0);
    /// assert!(state.open_blob(&blob).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for any write. [`Error::Damaged`](crate::Error::Damaged) when a list of
    /// pieces is: then nothing is removed.
    pub fn gc_blobs(&self) -> Result<Collected> {
        self.writable()?.collect_blobs(false)
    }

    /// What [`gc_blobs`](State::gc_blobs) would remove now.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::sync::atomic::{AtomicI64, Ordering};
    /// # use dkdc_state::{Clock, State};
    /// /// A clock that can be put forward.
    /// struct Hand(AtomicI64);
    /// impl Clock for Hand {
    ///     fn now(&self) -> i64 {
    ///         self.0.load(Ordering::Relaxed)
    ///     }
    /// }
    /// # let folder = tempfile::tempdir()?;
    /// let clock = Arc::new(Hand(AtomicI64::new(1_700_000_000_000_000)));
    /// let state = State::options().clock(clock.clone());
    /// let state = state.open(folder.path().join("data.db"))?;
    /// state.put_blob(&b"hello world"[..])?;
    /// assert_eq!(state.unnamed_blobs()?.bytes, 0);
    /// clock.0.fetch_add(2 * 3_600_000_000, Ordering::Relaxed); // two hours
    /// assert_eq!(state.unnamed_blobs()?.bytes, 11);
    /// assert_eq!(state.gc_blobs()?.bytes, 11);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for any read.
    pub fn unnamed_blobs(&self) -> Result<Collected> {
        self.store().collect_blobs(true)
    }
}
