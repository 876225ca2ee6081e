//! Which ids a head table may have: a filter that spares a new record the look
//! for a head that is not there.
//!
//! A Bloom filter in blocks (Putze, Sanders, Singler: "Cache-, Hash- and
//! Space-Efficient Bloom Filters", 2007): all bits of an id lie in one cache
//! line, so that asking costs one access to memory, where the tree costs
//! several and their comparisons. Two bytes an id; one new id in several hundred
//! is looked for in vain all the same.
//!
//! What must hold: it has every id that the head table has. More does no harm.

/// Ids that a filter is made for at least, and at most: 512 KiB and 32 MiB.
const FEWEST: usize = 1 << 18;
pub(crate) const MOST: u32 = 1 << 24;

/// A cache line.
type Block = [u64; 8];
const IDS_OF_A_BLOCK: usize = 32;

/// A set of ids, by their hashes, that may say yes to some that it does not have.
#[derive(Debug)]
pub(crate) struct Known {
    blocks: Vec<Block>,
    ids: usize,
}

impl Known {
    /// An empty set with room for this many, and as many again.
    pub(crate) fn with_room(ids: usize) -> Known {
        let room = ids.saturating_mul(2).clamp(FEWEST, MOST as usize);
        Known {
            blocks: vec![[0; 8]; room / IDS_OF_A_BLOCK],
            ids: 0,
        }
    }

    /// Adds an id; false when there are so many by now that answers are worth
    /// little.
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        let (block, bits) = self.place(hash);
        for (word, bit) in self.blocks[block].iter_mut().zip(bits) {
            *word |= bit;
        }
        self.ids += 1;
        self.ids <= self.blocks.len() * IDS_OF_A_BLOCK
    }

    /// False: the id was never added.
    pub(crate) fn may_have(&self, hash: u64) -> bool {
        let (block, bits) = self.place(hash);
        let block = &self.blocks[block];
        block.iter().zip(bits).all(|(word, bit)| word & bit != 0)
    }

    /// The block of an id, and its bit in each word of it.
    fn place(&self, hash: u64) -> (usize, [u64; 8]) {
        let scaled = (u128::from(hash) * self.blocks.len() as u128) >> 64;
        let block = usize::try_from(scaled).unwrap_or(0);
        // The block took the highest bits: what is below them is mixed anew.
        let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bits = std::array::from_fn(|at| 1 << ((mixed >> (8 * at)) & 63));
        (block, bits)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use super::*;

    #[test]
    fn an_id_that_was_added_is_never_denied_and_few_others_are_taken_for_one() {
        let mut known = Known::with_room(FEWEST / 2);
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let id = |n: usize| hasher.hash_one(format!("id-{n}"));
        assert!((0..200_000).all(|n| known.insert(id(n))));
        assert!((0..200_000).all(|n| known.may_have(id(n))));
        let wrong = (200_000..400_000).filter(|n| known.may_have(id(*n)));
        assert!(wrong.count() < 2000);
    }

    #[test]
    fn it_says_when_it_is_full() {
        let mut known = Known::with_room(0);
        let filled = (0..FEWEST).all(|n| known.insert(n as u64));
        assert!(filled && !known.insert(0));
    }
}
