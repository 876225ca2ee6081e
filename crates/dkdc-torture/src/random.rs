//! Random choices that can be made again: all of them come from one seed.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A generator of the SplitMix64 kind: small, fast, the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

/// A seed that nobody chose: to be printed.
#[must_use]
pub fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl Random {
    /// The generator that this seed stands for.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// The same for positions and lengths.
    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or(0)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.index(all.len())]
    }
}
