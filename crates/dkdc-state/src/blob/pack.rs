//! A piece of content as it is stored: hashed, and compressed where that helps.
//!
//! What must hold: nothing is taken out of a piece that has not its hash and its
//! declared size, and decompression stops at that size.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, Read};
use std::path::Path;

use super::cut::{Cutter, WHOLE, Window};
use super::list::Lister;
use crate::error::{Error, Result};
use crate::record::{BlobRef, VALUE_LIMIT};

/// How a stored piece is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// As it is.
    Raw,
    /// As one frame of zstd.
    Zstd,
    /// No piece of content, but the list of a content's pieces.
    List,
    /// A list that only other lists name.
    Part,
}

impl Codec {
    pub(crate) fn number(self) -> i64 {
        match self {
            Codec::Raw => 0,
            Codec::Zstd => 1,
            Codec::List => 2,
            Codec::Part => 3,
        }
    }

    pub(crate) fn from_number(number: i64) -> Option<Codec> {
        let all = [Codec::Raw, Codec::Zstd, Codec::List, Codec::Part];
        all.into_iter().find(|codec| codec.number() == number)
    }

    pub(crate) fn is_list(self) -> bool {
        matches!(self, Codec::List | Codec::Part)
    }
}

/// A row of `_dkdc_chunks`, yet to be written.
#[derive(Clone, Debug)]
pub(crate) struct Chunk<'p> {
    pub(crate) name: BlobRef,
    pub(crate) codec: Codec,
    pub(crate) data: Cow<'p, [u8]>,
}

impl Chunk<'_> {
    /// The same without the piece that it was made of.
    fn into_owned(self) -> Chunk<'static> {
        Chunk {
            name: self.name,
            codec: self.codec,
            data: Cow::Owned(self.data.into_owned()),
        }
    }
}

/// The level of zstd: the next ones gain a thirtieth and take a fifth more of all
/// that adding many small files takes (docs/lake.md).
const LEVEL: i32 = 1;
/// Pieces up to this size are compressed without a try.
const TRY_ABOVE: usize = 8 << 10;
/// How much of a larger piece is tried.
const TRIED: usize = 4 << 10;
/// What must be gained: a sixteenth.
const GAIN: usize = 16;
/// No compressed piece is larger than this when it is unpacked, and none of several.
pub(super) const LARGEST: u64 = 16 << 20;

thread_local! {
    // Making one costs more than a small piece.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// What names a piece.
pub(crate) fn name_of(piece: &[u8]) -> BlobRef {
    BlobRef {
        hash: blake3::hash(piece).into(),
        size: piece.len() as u64,
    }
}

/// A piece as it is stored.
pub(crate) fn pack(name: BlobRef, piece: &[u8]) -> Chunk<'_> {
    let helps = piece.len() <= TRY_ABOVE || {
        let middle = piece.len() / 2;
        compressed(&piece[middle..(middle + TRIED).min(piece.len())]).is_some()
    };
    match helps.then(|| compressed(piece)).flatten() {
        Some(data) => Chunk {
            name,
            codec: Codec::Zstd,
            data: Cow::Owned(data),
        },
        None => Chunk {
            name,
            codec: Codec::Raw,
            data: Cow::Borrowed(piece),
        },
    }
}

/// Compressed, if that helps. A failure of the compressor costs space alone.
fn compressed(piece: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        if compressor.is_none() {
            *compressor = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        let data = compressor.as_mut()?.compress(piece).ok()?;
        (data.len() + piece.len() / GAIN < piece.len()).then_some(data)
    })
}

/// What was packed; `None` unless it is exactly that.
pub(crate) fn unpack(name: &BlobRef, codec: Codec, data: Vec<u8>) -> Option<Vec<u8>> {
    let piece = match codec {
        Codec::Raw => data,
        Codec::Zstd if name.size <= LARGEST => {
            let mut piece = vec![0; usize::try_from(name.size).ok()?];
            inflate(&data, &mut piece)?;
            piece
        }
        Codec::Zstd | Codec::List | Codec::Part => return None,
    };
    (name_of(&piece) == *name).then_some(piece)
}

/// Unpacks a compressed piece to where it belongs; `None` unless it is exactly that.
pub(crate) fn unpack_to(name: &BlobRef, data: &[u8], to: &mut [u8]) -> Option<()> {
    inflate(data, to)?;
    (name_of(to) == *name).then_some(())
}

/// Decompresses what has exactly this many bytes.
fn inflate(data: &[u8], to: &mut [u8]) -> Option<()> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        if decompressor.is_none() {
            *decompressor = zstd::bulk::Decompressor::new().ok();
        }
        let found = decompressor.as_mut()?.decompress_to_buffer(data, to).ok()?;
        (found == to.len()).then_some(())
    })
}

/// Content in memory, hashed and compressed, yet to be put: the work that needs
/// no transaction, so that many small contents can be put in one with
/// [`Transaction::put_packed`](crate::Transaction::put_packed).
///
/// ```
/// # use dkdc_state::{Error, Packed, State};
/// # let folder = tempfile::tempdir()?;
/// # let state = State::open(folder.path().join("data.db"))?;
/// let packed = Packed::new(b"hello world");
/// let blob = state.transaction(|tx| tx.put_packed(&packed))?;
/// assert_eq!(blob, packed.blob());
/// assert_eq!(state.open_blob(&blob)?.size(), 11);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Packed {
    blob: BlobRef,
    /// What is named comes before what names it.
    pub(crate) chunks: Vec<Chunk<'static>>,
}

impl Packed {
    /// Packs content that is in memory.
    #[must_use]
    pub fn new(content: &[u8]) -> Packed {
        if content.len() <= WHOLE {
            let chunk = pack(name_of(content), content).into_owned();
            return Packed {
                blob: chunk.name,
                chunks: vec![chunk],
            };
        }
        let packed = Packed::up_to(u64::MAX, content);
        packed.unwrap_or_else(|_| unreachable!("BUG: reading memory failed"))
    }

    /// Packs content that is read to its end; all of it is kept in memory.
    ///
    /// # Errors
    /// [`Error::Io`] from the reader; [`Error::BlobTooLarge`] for content of more
    /// than 256 MiB, which [`State::put_blob`](crate::State::put_blob) takes.
    pub fn read(reader: impl Read) -> Result<Packed> {
        Packed::up_to(VALUE_LIMIT as u64, reader)
    }

    fn up_to(limit: u64, reader: impl Read) -> Result<Packed> {
        let mut cutter = Cutter::new(reader);
        let mut whole = blake3::Hasher::new();
        let mut lister = Lister::default();
        let mut chunks = Vec::new();
        let mut size = 0;
        while let Some(window) = cutter.next().map_err(content_failed)? {
            size += window.ends.last().map_or(0, |end| *end as u64);
            if size > limit {
                return Err(Error::BlobTooLarge { limit });
            }
            for piece in window.pieces() {
                whole.update(piece);
                let chunk = pack(name_of(piece), piece);
                let list = lister.push(chunk.name);
                chunks.push(chunk.into_owned());
                chunks.extend(list);
            }
            cutter.reuse(window);
        }
        let hash = whole.finalize().into();
        let blob = BlobRef { hash, size };
        chunks.extend(lister.finish(blob));
        Ok(Packed { blob, chunks })
    }

    /// Packs content that is one window.
    pub(super) fn of(window: &Window, blob: BlobRef) -> Packed {
        let mut lister = Lister::default();
        let mut chunks = Vec::new();
        for piece in window.pieces() {
            let chunk = pack(name_of(piece), piece);
            let list = lister.push(chunk.name);
            chunks.push(chunk.into_owned());
            chunks.extend(list);
        }
        chunks.extend(lister.finish(blob));
        Packed { blob, chunks }
    }

    /// What names the content.
    #[must_use]
    pub fn blob(&self) -> BlobRef {
        self.blob
    }

    /// How many bytes it takes in the store, if nothing of it is there already.
    #[must_use]
    pub fn stored_size(&self) -> u64 {
        self.chunks
            .iter()
            .map(|chunk| chunk.data.len() as u64)
            .sum()
    }
}

pub(super) fn content_failed(error: io::Error) -> Error {
    Error::io(Path::new("content"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_inflates_beyond_its_size_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0; 8 << 20], 3).expect("compressed");
        assert!(bomb.len() < 1 << 10);
        let name = BlobRef {
            size: 1 << 10,
            ..name_of(&[0; 1 << 10])
        };
        assert_eq!(unpack(&name, Codec::Zstd, bomb.clone()), None);
        let name = BlobRef {
            size: u64::MAX,
            ..name
        };
        assert_eq!(unpack(&name, Codec::Zstd, bomb), None);
    }

    #[test]
    fn what_does_not_shrink_is_kept_as_it_is() {
        let text = b"the same again, and ".repeat(500);
        let packed = pack(name_of(&text), &text);
        assert_eq!(packed.codec, Codec::Zstd);
        let data = packed.data.into_owned();
        assert_eq!(unpack(&packed.name, packed.codec, data), Some(text));
        let hashes: Vec<u8> = (0..600u32)
            .flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes())
            .collect();
        let packed = pack(name_of(&hashes), &hashes);
        assert_eq!((packed.codec, &*packed.data), (Codec::Raw, &hashes[..]));
    }
}
