//! Content of any kind, kept once, beside the records that name it.
//!
//! A `Blob` column holds a [`BlobRef`]: BLAKE3 and size. The content is put
//! before the record that names it, each in a short transaction; a commit
//! checks that every content it names is there.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::{Error, Result};
use crate::log::Store;
use crate::log::chunks::{self, Collected};
use crate::record::{BlobRef, VALUE_LIMIT};

/// Content that no record names is kept this long, in microseconds: it may have
/// been put for a record that is about to be written.
const GRACE: i64 = 3_600_000_000;

/// Reads the content of a blob; from [`State::open_blob`](crate::State::open_blob).
#[derive(Debug)]
pub struct BlobReader {
    content: Cursor<Vec<u8>>,
}

impl BlobReader {
    /// The size of the content in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.content.get_ref().len() as u64
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.content.seek(to)
    }
}

/// Reads content to its end, and names it.
pub(crate) fn take(reader: impl Read) -> Result<(BlobRef, Vec<u8>)> {
    let limit = VALUE_LIMIT as u64;
    let mut data = Vec::new();
    reader
        .take(limit + 1)
        .read_to_end(&mut data)
        .map_err(|error| Error::io(Path::new("content"), error))?;
    let size = data.len() as u64;
    if size > limit {
        return Err(Error::BlobTooLarge { limit });
    }
    let hash = blake3::hash(&data).into();
    Ok((BlobRef { hash, size }, data))
}

impl Store {
    pub(crate) fn put_blob(&self, reader: impl Read) -> Result<BlobRef> {
        let (blob, data) = take(reader)?;
        // Put long ago, it may be about to be collected.
        let since = self.config.clock.now().saturating_sub(GRACE / 2);
        let known = self.read(|conn, _| chunks::put_since(conn, &blob, since))?;
        if !known {
            self.write(|tx| chunks::insert(tx.conn, &blob, &data, tx.now))?;
        }
        Ok(blob)
    }

    pub(crate) fn open_blob(&self, blob: &BlobRef) -> Result<BlobReader> {
        let data = self.read(|conn, _| chunks::read(conn, blob))?;
        Ok(BlobReader {
            content: Cursor::new(data),
        })
    }

    pub(crate) fn collect_blobs(&self) -> Result<Collected> {
        self.write(|tx| chunks::collect(tx.conn, &tx.catalog, tx.now.saturating_sub(GRACE)))
    }
}
