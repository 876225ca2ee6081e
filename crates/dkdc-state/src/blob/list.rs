//! The list of the pieces that a content is cut into.
//!
//! A list is the names of its entries, 40 bytes each, after 32 bytes that seal
//! them to the content's own name. Long lists are cut into parts by the names in
//! them, so that a new version of a large content shares the parts that its
//! change leaves alone.

use super::pack::{Chunk, Codec};
use crate::record::BlobRef;

/// Bytes of an entry, as of a `Blob` column.
const ENTRY: usize = 40;
/// Bytes of the seal.
const SEAL: usize = 32;
/// Entries of a part: at least, and at most. Between them a part ends where the
/// name of an entry begins with a zero.
const PART_MIN: usize = 64;
const PART_MAX: usize = 1024;

/// Makes a content's lists while its pieces come.
#[derive(Default)]
pub(crate) struct Lister {
    /// The entries of the part under way.
    part: Vec<BlobRef>,
    /// The parts so far.
    parts: Vec<BlobRef>,
}

impl Lister {
    /// Takes the name of the next piece, and gives a part that is full.
    pub(crate) fn push(&mut self, piece: BlobRef) -> Option<Chunk<'static>> {
        self.part.push(piece);
        let full = self.part.len() >= PART_MAX;
        let ends = full || (self.part.len() >= PART_MIN && piece.hash[0] == 0);
        ends.then(|| self.end_part())
    }

    fn end_part(&mut self) -> Chunk<'static> {
        let entries = std::mem::take(&mut self.part);
        let mut hasher = blake3::Hasher::new_derive_key("dkdc part of a list of pieces");
        for entry in &entries {
            hasher.update(&entry.to_bytes());
        }
        let name = BlobRef {
            hash: hasher.finalize().into(),
            size: entries.iter().map(|entry| entry.size).sum(),
        };
        self.parts.push(name);
        encode(name, Codec::Part, &entries)
    }

    /// The lists that are left to write for the content of this name: none when
    /// it is one piece.
    pub(crate) fn finish(mut self, blob: BlobRef) -> Vec<Chunk<'static>> {
        let mut lists = Vec::new();
        if self.parts.is_empty() {
            if self.part.len() > 1 {
                lists.push(encode(blob, Codec::List, &self.part));
            }
            return lists;
        }
        if !self.part.is_empty() {
            lists.push(self.end_part());
        }
        lists.push(encode(blob, Codec::List, &self.parts));
        lists
    }
}

fn encode(name: BlobRef, codec: Codec, entries: &[BlobRef]) -> Chunk<'static> {
    let mut data = Vec::with_capacity(SEAL + entries.len() * ENTRY);
    data.resize(SEAL, 0);
    for entry in entries {
        data.extend(entry.to_bytes());
    }
    let seal = seal(&name, &data[SEAL..]);
    data[..SEAL].copy_from_slice(&seal);
    Chunk {
        name,
        codec,
        data: data.into(),
    }
}

/// The entries of a list; `None` unless they are what was written for this name.
pub(crate) fn decode(name: &BlobRef, data: &[u8]) -> Option<Vec<BlobRef>> {
    let (seal_found, entries) = data.split_at_checked(SEAL)?;
    if seal_found != seal(name, entries) || !entries.len().is_multiple_of(ENTRY) {
        return None;
    }
    let entries = entries.chunks_exact(ENTRY).map(BlobRef::from_bytes);
    let entries: Vec<BlobRef> = entries.collect::<Option<_>>()?;
    let size = entries
        .iter()
        .try_fold(0u64, |sum, entry| sum.checked_add(entry.size));
    (size == Some(name.size)).then_some(entries)
}

fn seal(name: &BlobRef, entries: &[u8]) -> [u8; SEAL] {
    let mut hasher = blake3::Hasher::new_derive_key("dkdc list of pieces");
    hasher.update(&name.to_bytes()).update(entries);
    hasher.finalize().into()
}
