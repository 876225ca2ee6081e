//! The pages of a damaged file, as far as they make sense.
//!
//! Rows are read where they lie. SQLite finds a row by its number, so that one wrong
//! number, or one bad page above others, hides sound rows from it. Nothing that is
//! read here is believed: rows are proven by their hashes. The file is the copy that
//! salvage works on: nobody else knows its name, so that no lock is lost when it is
//! closed here. Format: <https://www.sqlite.org/fileformat2.html>, "B-tree Pages" and
//! "Cell Payload Overflow Pages".

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use crate::error::{Error, Result};
use crate::log::damaged;

const ROWS: u8 = 13;
const ABOVE: u8 = 5;
/// The first page begins with the file's header.
const HEADER: usize = 100;
/// The least that SQLite leaves of a page, and the least size of a cell.
const LEAST_USABLE: usize = 480;
const LEAST_CELL: usize = 4;

/// A file of pages.
pub(super) struct Pages {
    file: File,
    pub(super) size: usize,
    /// What SQLite uses of a page.
    pub(super) usable: usize,
    pub(super) count: u32,
    /// Whether the file says of each page which one is above it.
    pub(super) has_maps: bool,
}

/// A page of a table's tree.
pub(super) enum Page {
    Rows(RowPage),
    Above(AbovePage),
}

/// A page of rows.
pub(super) struct RowPage {
    bytes: Vec<u8>,
    /// In order; `None`: there is none where the page says there is.
    cells: Vec<Option<Cell>>,
    /// The page is as SQLite leaves one: its parts are all of it, and in order.
    pub(super) is_sound: bool,
}

/// A row on its page.
struct Cell {
    number: i64,
    /// How long its record is, and what of it is on the page.
    len: usize,
    local: Range<usize>,
    /// Where it goes on.
    overflow: Option<u32>,
    end: usize,
}

/// A page above others.
pub(super) struct AbovePage {
    /// In order.
    pub(super) children: Vec<u32>,
    pub(super) is_sound: bool,
}

impl Pages {
    pub(super) fn open(path: &Path) -> Result<Pages> {
        let failed = |error| Error::io(path, error);
        let mut file = File::open(path).map_err(failed)?;
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(failed)?;
        let size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65536,
            size => usize::from(size),
        };
        if size < 512 {
            return Err(damaged(format!("its pages cannot be of {size} bytes")));
        }
        let bytes = file.metadata().map_err(failed)?.len();
        let mut pages = Pages {
            file,
            size,
            usable: size,
            count: u32::try_from(bytes / size as u64).unwrap_or(u32::MAX),
            has_maps: header[52..56] != [0; 4],
        };
        // Where the header says something else than the page that it is on, it is wrong.
        let told = size - usize::from(header[20]);
        let first = pages.read(1);
        let fits = |usable| {
            let page = first.clone().and_then(|page| parse(page, HEADER, usable));
            page.is_some_and(|page| page.is_sound())
        };
        if told >= LEAST_USABLE && (fits(told) || !fits(size)) {
            pages.usable = told;
        }
        Ok(pages)
    }

    /// The bytes of a page; `None`: there is none, or it cannot be read.
    pub(super) fn read(&self, number: u32) -> Option<Vec<u8>> {
        let at = u64::from(number.checked_sub(1)?) * self.size as u64;
        let mut page = vec![0; self.size];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(at)).ok()?;
        file.read_exact(&mut page).ok()?;
        Some(page)
    }

    /// A page of a table's tree, if it is one. The first page is that of the list of
    /// tables.
    pub(super) fn page(&self, number: u32) -> Option<Page> {
        let page = (number > 1).then(|| self.read(number))??;
        parse(page, 0, self.usable)
    }

    /// The record of a row, or so much of it, and the rest of the page that it ends on.
    pub(super) fn record<'p>(
        &self,
        page: &'p RowPage,
        at: usize,
        enough: usize,
    ) -> Option<Cow<'p, [u8]>> {
        let cell = page.cells.get(at)?.as_ref()?;
        let local = page.bytes.get(cell.local.clone())?;
        let Some(mut next) = cell.overflow else {
            return Some(Cow::Borrowed(local));
        };
        if cell.len > self.size.saturating_mul(self.count as usize) {
            return None;
        }
        let mut record = local.to_vec();
        while record.len() < cell.len.min(enough) {
            let page = self.read(next)?;
            let rest = cell.len - record.len();
            record.extend_from_slice(page.get(4..self.usable.min(4 + rest))?);
            next = u32_at(&page, 0)?;
        }
        Some(Cow::Owned(record))
    }
}

impl Page {
    fn is_sound(&self) -> bool {
        match self {
            Page::Rows(page) => page.is_sound,
            Page::Above(page) => page.is_sound,
        }
    }
}

impl RowPage {
    /// How many rows the page says it has.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The number of a row, as far as there is one.
    pub(super) fn number(&self, at: usize) -> Option<i64> {
        Some(self.cells.get(at)?.as_ref()?.number)
    }

    /// Whether a row goes on, and so ends, on another page.
    pub(super) fn goes_on(&self, at: usize) -> bool {
        let cell = self.cells.get(at).and_then(Option::as_ref);
        cell.is_some_and(|cell| cell.overflow.is_some())
    }

    /// A number that the page stands by: a wrong one is at either end.
    pub(super) fn middle(&self) -> Option<i64> {
        let mut numbers: Vec<i64> = self.cells.iter().flatten().map(|c| c.number).collect();
        numbers.sort_unstable();
        numbers.get(numbers.len() / 2).copied()
    }
}

fn parse(page: Vec<u8>, start: usize, usable: usize) -> Option<Page> {
    match page[start] {
        ROWS => Some(Page::Rows(rows(page, start, usable))),
        ABOVE => above(&page, start, usable).map(Page::Above),
        _ => None,
    }
}

fn rows(bytes: Vec<u8>, start: usize, usable: usize) -> RowPage {
    let cells: Vec<Option<Cell>> = pointers(&bytes, start + 8, start)
        .map(|at| row(&bytes, at?, usable))
        .collect();
    let parts = pointers(&bytes, start + 8, start).zip(&cells);
    let parts: Option<Vec<Range<usize>>> = parts
        .map(|(at, cell)| Some(at?..cell.as_ref()?.end))
        .collect();
    let in_order = cells.windows(2).all(|two| match two {
        [Some(one), Some(next)] => one.number < next.number,
        _ => false,
    });
    let is_sound = in_order
        && parts.is_some_and(|parts| accounts(&bytes, start, 8, usable, parts).unwrap_or(false));
    RowPage {
        bytes,
        cells,
        is_sound,
    }
}

/// Where a page says that its cells are.
fn pointers(page: &[u8], first: usize, start: usize) -> impl Iterator<Item = Option<usize>> {
    let count = u16_at(page, start + 3).map_or(0, usize::from);
    // No page has room for more.
    let count = count.min(page.len() / 2);
    (0..count).map(move |at| u16_at(page, first + 2 * at).map(usize::from))
}

fn row(page: &[u8], at: usize, usable: usize) -> Option<Cell> {
    let (len, first) = varint(page.get(at..)?)?;
    let (number, second) = varint(page.get(at + first..)?)?;
    let len = usize::try_from(len).ok()?;
    let from = at + first + second;
    let to = from + on_page(len, usable);
    let overflow = if to - from < len {
        Some(u32_at(page, to)?)
    } else {
        None
    };
    let end = if overflow.is_some() { to + 4 } else { to };
    let end = end.max(at + LEAST_CELL);
    (end <= usable).then_some(Cell {
        number,
        len,
        local: from..to,
        overflow,
        end,
    })
}

/// How much of a record is on the page of its row.
fn on_page(len: usize, usable: usize) -> usize {
    let (most, least) = (usable - 35, (usable - 12) * 32 / 255 - 23);
    if len <= most {
        return len;
    }
    let rest = least + (len - least) % (usable - 4);
    if rest <= most { rest } else { least }
}

fn above(page: &[u8], start: usize, usable: usize) -> Option<AbovePage> {
    let cells: Vec<Option<(u32, Range<usize>)>> = pointers(page, start + 12, start)
        .map(|at| {
            let at = at?;
            let (_, len) = varint(page.get(at + 4..)?)?;
            Some((u32_at(page, at)?, at..at + 4 + len))
        })
        .collect();
    let mut children: Vec<u32> = cells.iter().flatten().map(|(child, _)| *child).collect();
    children.push(u32_at(page, start + 8)?);
    let parts: Option<Vec<_>> = cells.into_iter().map(|cell| Some(cell?.1)).collect();
    let is_sound = parts.is_some_and(|parts| {
        !parts.is_empty() && accounts(page, start, 12, usable, parts).unwrap_or(false)
    });
    Some(AbovePage { children, is_sound })
}

/// Whether cells and free blocks, and as many bytes between them as the page says, are
/// all of a page's content; a count or a place that was damaged is seen by this.
fn accounts(
    page: &[u8],
    start: usize,
    head: usize,
    usable: usize,
    mut parts: Vec<Range<usize>>,
) -> Option<bool> {
    let content = match u16_at(page, start + 5)? {
        0 => 65536,
        content => usize::from(content),
    };
    if start + head + 2 * parts.len() > content {
        return Some(false);
    }
    let mut free = usize::from(u16_at(page, start + 1)?);
    while free != 0 {
        let (next, len) = (u16_at(page, free)?, u16_at(page, free + 2)?);
        parts.push(free..free + usize::from(len));
        let next = usize::from(next);
        if next != 0 && next <= free {
            return Some(false);
        }
        free = next;
    }
    parts.sort_unstable_by_key(|part| part.start);
    let (mut end, mut between) = (content, 0);
    for part in parts {
        between += match part.start.checked_sub(end) {
            Some(gap) => gap,
            None => return Some(false),
        };
        end = part.end;
    }
    let rest = usable.checked_sub(end)?;
    Some(between + rest == usize::from(*page.get(start + 7)?))
}

pub(super) fn u16_at(page: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(page.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(page: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(page.get(at..at + 4)?.try_into().ok()?))
}

/// SQLite's integer of one to nine bytes, and how many they are.
pub(super) fn varint(bytes: &[u8]) -> Option<(i64, usize)> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some((((value << 8) | u64::from(*byte)).cast_signed(), 9));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value.cast_signed(), at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::varint;

    #[test]
    fn integers_are_read_as_sqlite_writes_them() {
        assert_eq!(varint(&[0x05, 0xff]), Some((5, 1)));
        assert_eq!(varint(&[0x81, 0x00]), Some((128, 2)));
        assert_eq!(varint(&[0xff; 9]), Some((-1, 9)));
        assert_eq!(varint(&[0x80; 3]), None);
        assert_eq!(varint(&[]), None);
    }
}
