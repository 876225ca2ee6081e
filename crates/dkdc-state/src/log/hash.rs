//! The hash chain: what makes a flipped bit or an edited row visible.
//!
//! `leaf = BLAKE3(salt, table number, prev, op, id, each non-NULL column)` and
//! `hash = BLAKE3(previous hash of the table, idx, leaf)`. A column is (number,
//! type tag, length, bytes as SQLite returns them); columns added later are
//! NULL in older rows and change no old hash. BLAKE3:
//! <https://github.com/BLAKE3-team/BLAKE3-specs>. docs/format.md gives the
//! bytes.

use std::path::Path;

use crate::error::{Error, Result};
use crate::record::{Idx, Op};
use crate::schema::sql::Cell;

/// A BLAKE3 hash.
pub(crate) type Hash = [u8; 32];
/// What a live row's leaf is salted with, so that a stub reveals nothing.
pub(crate) type Salt = [u8; 16];

/// The hash before a table's first version: bound to the store, so that rows
/// of another store do not fit.
pub(crate) fn genesis(store: &uuid::Uuid, table: u32) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"dkdc chain");
    hasher.update(store.as_bytes());
    hasher.update(&table.to_le_bytes());
    hasher.finalize().into()
}

/// The hash of one version, chained to the version before it.
pub(crate) fn link(previous: &Hash, idx: Idx, leaf: &Hash) -> Hash {
    let mut bytes = [0; 72];
    bytes[..32].copy_from_slice(previous);
    bytes[32..40].copy_from_slice(&idx.as_micros().to_le_bytes());
    bytes[40..].copy_from_slice(leaf);
    blake3::hash(&bytes).into()
}

/// Collects one row's content; its buffer is reused from row to row.
#[derive(Default)]
pub(crate) struct Leaf {
    bytes: Vec<u8>,
}

impl Leaf {
    /// Starts a row.
    pub(crate) fn start(&mut self, salt: &[u8], table: u32, prev: Option<Idx>, op: Op, id: &str) {
        self.bytes.clear();
        self.bytes.extend_from_slice(salt);
        self.bytes.extend_from_slice(&table.to_le_bytes());
        match prev {
            None => self.bytes.push(0),
            Some(prev) => {
                self.bytes.push(1);
                self.bytes
                    .extend_from_slice(&prev.as_micros().to_le_bytes());
            }
        }
        self.bytes.push(op.code());
        self.bytes
            .extend_from_slice(&(id.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(id.as_bytes());
    }

    /// Adds one column, in order of number.
    pub(crate) fn column(&mut self, number: u32, cell: &Cell<'_>) {
        match cell {
            Cell::Null => {}
            Cell::Int(i) => self.entry(number, 1, &i.to_le_bytes()),
            Cell::Real(f) => self.entry(number, 2, &f.to_le_bytes()),
            Cell::Text(t) => self.entry(number, 3, t.as_bytes()),
            Cell::Blob(b) => self.entry(number, 4, b),
        }
    }

    fn entry(&mut self, number: u32, tag: u8, bytes: &[u8]) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
        self.bytes.push(tag);
        self.bytes
            .extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    /// The row's leaf hash.
    pub(crate) fn finish(&self) -> Hash {
        blake3::hash(&self.bytes).into()
    }
}

/// Fills `bytes` from the system's random source.
pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| Error::io(Path::new(""), std::io::Error::other(error)))
}

/// Random salts, taken from the system 256 at a time.
#[derive(Default)]
pub(crate) struct Salts {
    pool: Vec<u8>,
    used: usize,
}

impl Salts {
    /// A salt never given before.
    pub(crate) fn take(&mut self) -> Result<Salt> {
        if self.used == self.pool.len() {
            self.pool.resize(4096, 0);
            random(&mut self.pool)?;
            self.used = 0;
        }
        let mut salt = [0; 16];
        salt.copy_from_slice(&self.pool[self.used..self.used + 16]);
        // A salt that has been used is kept nowhere but in its row.
        self.pool[self.used..self.used + 16].fill(0);
        self.used += 16;
        Ok(salt)
    }
}
