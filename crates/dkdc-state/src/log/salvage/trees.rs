//! Trees of pages, mended in the copy that salvage works on: a page above others
//! that is damaged is written anew.
//!
//! A store's file has pointer maps: for each page, which page is above it. So a page
//! that leads nowhere any more is made of those that say they are below it, in the
//! order of the rows they hold. What is read and written here are hints: rows are
//! read by SQLite, and proven by their hashes. Format:
//! <https://www.sqlite.org/fileformat2.html>, "B-tree Pages" and "Pointer Map or
//! Ptrmap Pages".

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::pages::{TABLE_INNER, u16_at, u32_at, varint};

const TABLE_LEAF: u8 = 13;
/// The kind of a pointer map's entry: a page of a tree that has one above it.
const BELOW: u8 = 5;
/// Where SQLite's locks are: the page there holds nothing.
const PENDING_BYTE: u64 = 1 << 30;
/// No tree is as deep.
const DEEPEST: u32 = 32;

/// Mends the trees of rows with these first pages. Returns, for each, how many pages
/// of rows are in it no more, since where they belong cannot be told.
pub(super) fn mend(path: &Path, roots: &[u32]) -> HashMap<u32, u64> {
    let Some(mut trees) = Trees::open(path) else {
        return HashMap::new();
    };
    let mut all = HashMap::new();
    for root in roots {
        let mut dropped = 0;
        trees.mend(*root, DEEPEST, &mut dropped);
        all.insert(*root, dropped);
    }
    all
}

struct Trees {
    file: File,
    size: usize,
    /// The pages below each page, as the pointer maps have it.
    below: HashMap<u32, Vec<u32>>,
}

impl Trees {
    /// `None`: the file has no pointer maps, or cannot be read at all.
    fn open(path: &Path) -> Option<Trees> {
        let mut file = File::options().read(true).write(true).open(path).ok()?;
        let mut header = [0; 100];
        file.read_exact(&mut header).ok()?;
        let size = match u16_at(&header, 16)? {
            1 => 65536,
            size => usize::from(size),
        };
        let maps = u32_at(&header, 52)? != 0;
        let usable = size.checked_sub(usize::from(header[20]))?;
        if !maps || usable < 480 {
            return None;
        }
        let bytes = file.metadata().ok()?.len();
        let count = u32::try_from(bytes / size as u64).ok()?;
        let mut trees = Trees {
            file,
            size,
            below: HashMap::new(),
        };
        let entries = u32::try_from(usable / 5).ok()?;
        let locks = u32::try_from(PENDING_BYTE / size as u64 + 1).ok()?;
        for start in (2..=count).step_by(entries as usize + 1) {
            let map = start + u32::from(start == locks);
            let Some(page) = trees.read(map) else {
                continue;
            };
            for entry in 0..entries {
                let at = entry as usize * 5;
                let number = map + 1 + entry;
                if number <= count
                    && page[at] == BELOW
                    && let Some(above) = u32_at(&page, at + 1)
                {
                    trees.below.entry(above).or_default().push(number);
                }
            }
        }
        Some(trees)
    }

    fn read(&mut self, number: u32) -> Option<Vec<u8>> {
        let at = u64::from(number.checked_sub(1)?) * self.size as u64;
        let mut page = vec![0; self.size];
        self.file.seek(SeekFrom::Start(at)).ok()?;
        self.file.read_exact(&mut page).ok()?;
        Some(page)
    }

    /// Mends what is below a page, then the page.
    fn mend(&mut self, page: u32, depth: u32, dropped: &mut u64) {
        // The first page holds the file's header, too; without it nothing opens.
        let Some(below) = self.below.get(&page).filter(|_| page > 1 && depth > 0) else {
            return;
        };
        let below = below.clone();
        for child in &below {
            self.mend(*child, depth - 1, dropped);
        }
        let leads_to = self.read(page).and_then(|bytes| children(&bytes));
        let is_sound = leads_to.is_some_and(|children| {
            // A map that lacks some of them is the one that is damaged.
            below.len() < children.len() || children == below.iter().copied().collect()
        });
        if is_sound {
            return;
        }
        let ordered = below
            .iter()
            .filter_map(|child| Some((self.greatest(*child, DEEPEST)?, *child)));
        let mut ordered: Vec<(i64, u32)> = ordered.collect();
        ordered.sort_unstable();
        if let Some(bytes) = inner(&ordered, self.size)
            && self.write(page, &bytes).is_ok()
        {
            *dropped += (below.len() - ordered.len()) as u64;
        }
    }

    /// The greatest row number on a page, or below it, as far as it can be read: what
    /// cannot be read is in nobody's way.
    fn greatest(&mut self, number: u32, depth: u32) -> Option<i64> {
        let page = self.read(number)?;
        match page[0] {
            TABLE_LEAF => {
                let last = usize::from(u16_at(&page, 3)?).checked_sub(1)?;
                let cell = usize::from(u16_at(&page, 8 + 2 * last)?);
                let cell = page.get(cell..)?;
                // The size of the row comes first.
                let size = cell
                    .iter()
                    .take(8)
                    .take_while(|byte| **byte >= 0x80)
                    .count()
                    + 1;
                varint(cell.get(size..)?)
            }
            TABLE_INNER if depth > 0 => {
                let right = self.greatest(u32_at(&page, 8)?, depth - 1);
                right.or_else(|| {
                    let last = usize::from(u16_at(&page, 3)?).checked_sub(1)?;
                    let cell = usize::from(u16_at(&page, 12 + 2 * last)?);
                    varint(page.get(cell + 4..)?)
                })
            }
            _ => None,
        }
    }

    fn write(&mut self, number: u32, bytes: &[u8]) -> std::io::Result<()> {
        let at = u64::from(number - 1) * self.size as u64;
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)
    }
}

/// The pages that a page above others leads to, if all of it makes sense.
fn children(page: &[u8]) -> Option<BTreeSet<u32>> {
    if page[0] != TABLE_INNER {
        return None;
    }
    let mut children = BTreeSet::from([u32_at(page, 8)?]);
    let mut before = i64::MIN;
    for cell in 0..usize::from(u16_at(page, 3)?) {
        let at = usize::from(u16_at(page, 12 + 2 * cell)?);
        let key = varint(page.get(at + 4..)?)?;
        if !children.insert(u32_at(page, at)?) || key <= before && cell > 0 {
            return None;
        }
        before = key;
    }
    Some(children)
}

/// A page above others, which are given in order with the greatest row number of
/// each; `None` for none, or more than a page can lead to.
fn inner(below: &[(i64, u32)], size: usize) -> Option<Vec<u8>> {
    let ((_, right), cells) = below.split_last()?;
    let mut page = vec![0; size];
    page[0] = TABLE_INNER;
    let mut end = size;
    for (at, (key, child)) in cells.iter().enumerate() {
        let mut cell = child.to_be_bytes().to_vec();
        cell.extend(encoded(*key));
        let start = end.checked_sub(cell.len())?;
        let pointer = 12 + 2 * at;
        if start < pointer + 2 {
            return None;
        }
        page[start..end].copy_from_slice(&cell);
        page[pointer..pointer + 2].copy_from_slice(&u16::try_from(start).ok()?.to_be_bytes());
        end = start;
    }
    page[3..5].copy_from_slice(&u16::try_from(cells.len()).ok()?.to_be_bytes());
    // 65,536 is written as 0.
    let content = u16::try_from(end).unwrap_or(0);
    page[5..7].copy_from_slice(&content.to_be_bytes());
    page[8..12].copy_from_slice(&right.to_be_bytes());
    Some(page)
}

/// An integer as SQLite writes it, in one to nine bytes.
fn encoded(value: i64) -> Vec<u8> {
    let mut left = value.cast_unsigned();
    let low = |bits: u64| u8::try_from(bits & 0x7f).unwrap_or(0);
    if left >> 56 != 0 {
        let last = u8::try_from(left & 0xff).unwrap_or(0);
        let mut bytes: Vec<u8> = (0..8)
            .map(|at| 0x80 | low(left >> (8 + 7 * (7 - at))))
            .collect();
        bytes.push(last);
        return bytes;
    }
    let mut bytes = vec![low(left)];
    left >>= 7;
    while left > 0 {
        bytes.push(0x80 | low(left));
        left >>= 7;
    }
    bytes.reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn integers_are_written_as_they_are_read(value: i64, shift in 0u32..64) {
            let value = value >> shift;
            let bytes = encoded(value);
            prop_assert_eq!(varint(&bytes), Some(value));
            // The shortest form, as SQLite has it.
            let bits = 64 - value.cast_unsigned().leading_zeros();
            prop_assert_eq!(bytes.len(), (bits.div_ceil(7).max(1) as usize).min(9));
        }
    }

    #[test]
    fn a_page_leads_where_it_was_told_to() {
        let below: Vec<(i64, u32)> = (0..200_u32)
            .map(|n| ((1 << 50) + i64::from(n) * 1000, 7 + n))
            .collect();
        let page = inner(&below, 4096).expect("it fits");
        let expected = below.iter().map(|(_, child)| *child).collect();
        assert_eq!(children(&page), Some(expected));
        assert_eq!(u32_at(&page, 8), Some(206));
        let many: Vec<(i64, u32)> = (0..400_u32)
            .map(|n| ((1 << 50) + i64::from(n), n))
            .collect();
        assert_eq!(inner(&many, 4096), None);
        assert_eq!(children(&[0xee; 4096]), None);
    }
}
