//! Content brought along into the new store, piece by piece, each verified.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::log::DbResult;
use crate::log::chunks::{self, Found};
use crate::record::BlobRef;

/// Numbers that are tried after one that cannot be read, before the pieces are taken
/// to end there.
const TRIED: i64 = 100_000;

/// The pieces of the damaged file.
#[derive(Default)]
pub(super) struct Contents {
    /// Contents that were looked at, and whether they are sound.
    looked: HashMap<BlobRef, bool>,
    /// Where pieces are, read from their rows: for when the index that leads to them
    /// is damaged.
    numbers: Option<HashMap<[u8; 32], i64>>,
}

impl Contents {
    /// Brings a content with all that it consists of into another store. False: it is
    /// not what was put, or not all there.
    pub(super) fn bring(
        &mut self,
        from: &Connection,
        to: &Connection,
        name: &BlobRef,
    ) -> Result<bool> {
        if let Some(sound) = self.looked.get(name) {
            return Ok(*sound);
        }
        let sound = self.piece(from, to, name)?;
        self.looked.insert(*name, sound);
        Ok(sound)
    }

    fn piece(&mut self, from: &Connection, to: &Connection, name: &BlobRef) -> Result<bool> {
        if chunks::is_there(to, name)? {
            return Ok(true);
        }
        let indexed = chunks::fetch(from, name).ok().and_then(|(codec, data)| {
            let found = chunks::open(name, codec, data.clone()).ok()?;
            Some((found, codec, data))
        });
        let Some((found, codec, data)) = indexed.or_else(|| self.by_number(from, name)) else {
            return Ok(false);
        };
        if let Found::List(entries) = found {
            for entry in entries {
                if !self.piece(from, to, &entry)? {
                    return Ok(false);
                }
            }
        }
        chunks::insert(to, name, codec, &data)?;
        Ok(true)
    }

    /// A piece that the index does not lead to.
    fn by_number(&mut self, from: &Connection, name: &BlobRef) -> Option<(Found, i64, Vec<u8>)> {
        let numbers = self.numbers.get_or_insert_with(|| numbers(from));
        let number = numbers.get(&name.hash)?;
        let sql = "SELECT codec, data FROM _dkdc_chunks WHERE number = ?1";
        let row = from.prepare_cached(sql).ok()?.query_row([number], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        });
        let (codec, data) = row.ok()?;
        let found = chunks::open(name, codec, data.clone()).ok()?;
        Some((found, codec, data))
    }
}

/// The pieces that can be read, one after the other.
fn numbers(conn: &Connection) -> HashMap<[u8; 32], i64> {
    let mut numbers = HashMap::new();
    let sql = "SELECT number, hash FROM _dkdc_chunks NOT INDEXED WHERE number >= ?1 \
               ORDER BY number LIMIT 1";
    let Ok(mut statement) = conn.prepare(sql).db() else {
        return numbers;
    };
    let (mut from, mut failed) = (0_i64, 0);
    while failed < TRIED {
        let next = statement
            .query_row([from], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional();
        match next {
            Ok(Some((number, hash))) => {
                numbers.insert(hash, number);
                (from, failed) = (number + 1, 0);
            }
            Ok(None) => break,
            Err(_) => (from, failed) = (from + 1, failed + 1),
        }
    }
    numbers
}
