//! Where content is cut: by content (FastCDC), so that what is inserted or
//! removed changes the pieces around it and no others.
//!
//! Small pieces find more that is equal and cost more rows; docs/lake.md has what
//! each size was measured to take. Beyond [`FINE`] bytes pieces are larger; the place alone
//! decides, so that content need not be known to its end.

use std::io::{self, Read};

use fastcdc::v2020::{Normalization, cut, select_masks};

/// From here on pieces are larger.
const FINE: u64 = 128 << 20;
/// Content up to this size is not cut.
pub(super) const WHOLE: usize = 16 << 10;
/// Bytes that are read and cut at a time.
pub(super) const WINDOW: usize = 1 << 20;

/// The least, usual and largest size of a piece.
struct Sizes {
    min: usize,
    usual: usize,
    max: usize,
    masks: (u64, u64),
}

impl Sizes {
    fn new(usual: usize) -> Sizes {
        Sizes {
            min: usual / 4,
            usual,
            max: usual * 4,
            masks: select_masks(usual, Normalization::Level2),
        }
    }

    /// The length of the first piece of `data`, which goes on unless it is
    /// shorter than the largest piece.
    fn first(&self, data: &[u8]) -> usize {
        let (small, large) = self.masks;
        let (min, usual, max) = (self.min, self.usual, self.max);
        let (_, length) = cut(data, min, usual, max, small, large, small << 1, large << 1);
        length
    }
}

/// Bytes of content, with the ends of the pieces that they are cut into.
#[derive(Default)]
pub(super) struct Window {
    pub(super) data: Vec<u8>,
    pub(super) ends: Vec<usize>,
}

impl Window {
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.data[*start..*end])
    }
}

/// Reads content and cuts it, a window at a time, into room that is used again.
pub(super) struct Cutter<R> {
    reader: R,
    fine: Sizes,
    coarse: Sizes,
    /// How much of the content has been cut.
    at: u64,
    /// Read, and not yet cut.
    rest: Vec<u8>,
    /// The room of windows that nobody needs any more.
    spent: Vec<Window>,
    ended: bool,
}

impl<R: Read> Cutter<R> {
    pub(super) fn new(reader: R) -> Cutter<R> {
        Cutter {
            reader,
            fine: Sizes::new(16 << 10),
            coarse: Sizes::new(64 << 10),
            at: 0,
            rest: Vec::new(),
            spent: Vec::new(),
            ended: false,
        }
    }

    /// Takes back a window.
    pub(super) fn reuse(&mut self, spent: Window) {
        self.spent.push(spent);
    }

    /// True when the last window was the end.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended
    }

    /// The next window; `None` after the last. Content of no bytes is one piece
    /// of none.
    pub(super) fn next(&mut self) -> io::Result<Option<Window>> {
        if self.ended {
            return Ok(None);
        }
        let Window { mut data, mut ends } = self.spent.pop().unwrap_or_default();
        data.clear();
        ends.clear();
        data.append(&mut self.rest);
        let more = (WINDOW - data.len()) as u64;
        let read = (&mut self.reader).take(more).read_to_end(&mut data)?;
        self.ended = (read as u64) < more;
        let mut end = 0;
        loop {
            let rest = &data[end..];
            let sizes = if self.at < FINE {
                &self.fine
            } else {
                &self.coarse
            };
            let length = match rest.len() {
                0 if self.at > 0 => break,
                short if self.ended && self.at == 0 && short <= WHOLE => short,
                short if !self.ended && short < sizes.max => break,
                _ => sizes.first(rest),
            };
            end += length;
            self.at += length as u64;
            ends.push(end);
            if length == 0 {
                break;
            }
        }
        self.rest.extend_from_slice(&data[end..]);
        data.truncate(end);
        Ok(Some(Window { data, ends }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(bytes: usize, mut seed: u64) -> Vec<u8> {
        let mut data = Vec::with_capacity(bytes + 8);
        while data.len() < bytes {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            data.extend(seed.to_le_bytes());
        }
        data.truncate(bytes);
        data
    }

    fn pieces(data: &[u8]) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::new(data);
        let mut pieces = Vec::new();
        while let Some(window) = cutter.next().expect("no error") {
            pieces.extend(window.pieces().map(<[u8]>::to_vec));
        }
        pieces
    }

    #[test]
    fn pieces_are_the_content_and_small_content_is_one() {
        for bytes in [0, 1, 10 << 10, WHOLE] {
            let data = noise(bytes, 7);
            assert_eq!(pieces(&data), [data]);
        }
        let data = noise((3 << 20) + 17, 7);
        let all = pieces(&data);
        assert!(all.len() > 100, "{} pieces", all.len());
        assert!(
            all.iter()
                .all(|piece| !piece.is_empty() && piece.len() <= 64 << 10)
        );
        assert_eq!(all.concat(), data);
    }

    #[test]
    fn an_insertion_changes_few_pieces() {
        let data = noise(8 << 20, 99);
        let mut changed = data.clone();
        let middle = 4 << 20;
        changed.splice(middle..middle, noise(1000, 5));
        let before: std::collections::HashSet<Vec<u8>> = pieces(&data).into_iter().collect();
        let new = pieces(&changed)
            .into_iter()
            .filter(|piece| !before.contains(piece));
        let new = new.count();
        assert!((1..=4).contains(&new), "{new} new pieces");
    }
}
