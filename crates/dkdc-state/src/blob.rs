//! Content of any kind and size, kept once, beside the records that name it.
//!
//! A `Blob` column holds a [`BlobRef`]: BLAKE3 and size. The content is [cut]
//! where its own bytes say, so that a change moves few of the cuts; each piece
//! is hashed and, where that helps, compressed ([pack]); content of many pieces
//! has a [list] of them. The content is put before the record that names it, in
//! short transactions ([put]); a commit checks that every content it names is
//! there. What is read ([`BlobReader`]) is verified piece by piece.

mod cut;
pub(crate) mod list;
pub(crate) mod pack;
mod put;
mod reader;

pub use pack::Packed;
pub use reader::BlobReader;

use crate::error::Result;
use crate::log::Store;
use crate::log::chunks::{self, Collected, Usage};
use crate::record::BlobRef;

/// Content that no record names is kept this long, in microseconds: it may have
/// been put for a record that is about to be written.
pub(crate) const GRACE: i64 = 3_600_000_000;

impl Store {
    /// Removes content that no version names and that was put a while ago; or
    /// says what would be removed.
    pub(crate) fn collect_blobs(&self, dry_run: bool) -> Result<Collected> {
        let before = |now: i64| now.saturating_sub(GRACE);
        if dry_run {
            let before = before(self.config.clock.now());
            return self.read(|conn, catalog| chunks::unnamed(conn, catalog, before));
        }
        let collected = self.write(|tx| chunks::collect(tx.conn, &tx.catalog, before(tx.now)))?;
        self.release_pages()?;
        Ok(collected)
    }

    pub(crate) fn blob_usage(&self, blobs: &[BlobRef]) -> Result<Usage> {
        self.read(|conn, _| chunks::usage(conn, blobs))
    }
}
