//! Content brought along into the new store, piece by piece, each verified.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::reading;
use super::record::Record;
use super::trees::{Place, Trees};
use crate::error::Result;
use crate::log::chunks::{self, Found};
use crate::record::BlobRef;

/// So much of a piece's row has its hash.
const ENOUGH: usize = 64;

/// A damaged file, as SQLite reads it and as it lies there.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) conn: &'s Connection,
    pub(super) trees: &'s Trees,
}

/// The pieces of the damaged file.
#[derive(Default)]
pub(super) struct Contents {
    /// Contents that were looked at, and whether they are sound.
    looked: HashMap<BlobRef, bool>,
    /// Where pieces are, by page and place, read from their rows: for when the index
    /// that leads to them is damaged.
    places: Option<HashMap<[u8; 32], (u32, usize)>>,
}

impl Contents {
    /// Brings a content with all that it consists of into another store. False: it is
    /// not what was put, or not all there.
    pub(super) fn bring(
        &mut self,
        from: Source<'_>,
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

    fn piece(&mut self, from: Source<'_>, to: &Connection, name: &BlobRef) -> Result<bool> {
        if chunks::is_there(to, name)? {
            return Ok(true);
        }
        let indexed = chunks::fetch(from.conn, name)
            .ok()
            .and_then(|(codec, data)| verified(name, codec, data));
        let found = indexed.or_else(|| {
            let (codec, data) = self.by_place(from, name)?;
            verified(name, codec, data)
        });
        let Some((found, codec, data)) = found else {
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
    fn by_place(&mut self, from: Source<'_>, name: &BlobRef) -> Option<(i64, Vec<u8>)> {
        let places = self.places.get_or_insert_with(|| places(from));
        let (page, at) = *places.get(&name.hash)?;
        let page = from.trees.rows(page)?;
        let record = from.trees.pages.record(&page, at, usize::MAX)?;
        let values: Option<Vec<_>> = Record::new(&record)?.collect();
        // Number, hash, size, codec, when it was put, data.
        match values?.as_slice() {
            [_, _, _, ValueRef::Integer(codec), _, ValueRef::Blob(data)] => {
                Some((*codec, data.to_vec()))
            }
            _ => None,
        }
    }
}

fn verified(name: &BlobRef, codec: i64, data: Vec<u8>) -> Option<(Found, i64, Vec<u8>)> {
    let found = chunks::open(name, codec, data.clone()).ok()?;
    Some((found, codec, data))
}

/// The pieces that can be read, as they lie in the file.
fn places(from: Source<'_>) -> HashMap<[u8; 32], (u32, usize)> {
    let mut places = HashMap::new();
    let Ok(Some(root)) = reading::root(from.conn, "_dkdc_chunks") else {
        return places;
    };
    for place in from.trees.places(root) {
        let Place::Rows(page) = place else { continue };
        let Some(rows) = from.trees.rows(page) else {
            continue;
        };
        for at in 0..rows.len() {
            let record = from.trees.pages.record(&rows, at, ENOUGH);
            let hash = record.as_deref().and_then(|record| {
                let hash = Record::new(record)?.nth(1)??;
                hash.as_blob().ok()?.try_into().ok()
            });
            if let Some(hash) = hash {
                places.insert(hash, (page, at));
            }
        }
    }
    places
}
