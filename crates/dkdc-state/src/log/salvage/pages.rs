//! Where the pages of a table's rows begin, as the pages above them say.
//!
//! Read from the file itself, since SQLite shows no keys of these pages. The file is
//! the copy that salvage works on: nobody else knows its name, so that no lock is
//! lost when it is closed here. What is read are hints, whether right or not: rows
//! are read by SQLite alone. Format: <https://www.sqlite.org/fileformat2.html>,
//! "B-tree Pages".

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use rusqlite::Connection;

use crate::log::catalog::TableMeta;

/// The greatest row numbers that pages of rows may have, in order: each page but
/// the first begins above one of them. Pages that cannot be read are passed over.
pub(super) fn bounds(conn: &Connection, meta: &TableMeta) -> Vec<i64> {
    let root = conn.query_row(
        "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?1",
        [meta.name()],
        |row| row.get(0),
    );
    let file = conn.path().and_then(|path| Pages::open(Path::new(path)));
    let (Ok(root), Some(mut file)) = (root, file) else {
        return Vec::new();
    };
    let (mut bounds, mut seen, mut left) = (Vec::new(), HashSet::new(), vec![root]);
    while let Some(page) = left.pop() {
        if seen.insert(page)
            && let Some(inner) = file.inner(page)
        {
            left.extend(inner.children);
            bounds.extend(inner.keys);
        }
    }
    bounds.sort_unstable();
    bounds.dedup();
    bounds
}

/// The kind of a page of a table's tree that is above others.
pub(super) const TABLE_INNER: u8 = 5;

struct Pages {
    file: File,
    size: usize,
}

/// A page above others.
struct Inner {
    children: Vec<u32>,
    keys: Vec<i64>,
}

impl Pages {
    fn open(path: &Path) -> Option<Pages> {
        let mut file = File::open(path).ok()?;
        let mut header = [0; 18];
        file.read_exact(&mut header).ok()?;
        let size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65536,
            size => usize::from(size),
        };
        (size >= 512).then_some(Pages { file, size })
    }

    /// A page, if it is one above others, as far as it makes sense.
    fn inner(&mut self, number: u32) -> Option<Inner> {
        let at = u64::from(number.checked_sub(1)?) * self.size as u64;
        let mut page = vec![0; self.size];
        self.file.seek(SeekFrom::Start(at)).ok()?;
        self.file.read_exact(&mut page).ok()?;
        // The first page begins with the file's header.
        let start = if number == 1 { 100 } else { 0 };
        if page[start] != TABLE_INNER {
            return None;
        }
        let mut inner = Inner {
            children: vec![u32_at(&page, start + 8)?],
            keys: Vec::new(),
        };
        // A cell that makes no sense is passed over: the others still lead on.
        for cell in 0..usize::from(u16_at(&page, start + 3)?) {
            let Some(at) = u16_at(&page, start + 12 + 2 * cell).map(usize::from) else {
                break;
            };
            inner.children.extend(u32_at(&page, at));
            inner.keys.extend(page.get(at + 4..).and_then(varint));
        }
        Some(inner)
    }
}

pub(super) fn u16_at(page: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(page.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(page: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(page.get(at..at + 4)?.try_into().ok()?))
}

/// SQLite's integer of one to nine bytes.
pub(super) fn varint(bytes: &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some(((value << 8) | u64::from(*byte)).cast_signed());
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(value.cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::varint;

    #[test]
    fn integers_are_read_as_sqlite_writes_them() {
        assert_eq!(varint(&[0x05, 0xff]), Some(5));
        assert_eq!(varint(&[0x81, 0x00]), Some(128));
        assert_eq!(varint(&[0xff; 9]), Some(-1));
        assert_eq!(varint(&[0x80; 3]), None);
        assert_eq!(varint(&[]), None);
    }
}
