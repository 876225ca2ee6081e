//! Which rows of a damaged table are what was written.
//!
//! A row is proven when its hash continues that of the row before it. Of one whose
//! hash does not, the row after it tells more, so it waits: its own hash may be what
//! is damaged, or it is not what was written, or it is no row at all. Where the row
//! before is lost nothing can be proven, which is said. Numbers are part of what is
//! proven: no other row is passed over for one that is wrong.

use super::begins::Begins;
use super::trees::Gap;
use crate::log::hash::{Hash, link};
use crate::log::read::LogRow;
use crate::record::Idx;

/// A row of the damaged file, as far as it can be read.
pub(super) struct Found {
    pub(super) idx: Idx,
    pub(super) row: Option<LogRow>,
    pub(super) leaf: Option<Hash>,
    pub(super) hash: Option<Hash>,
    /// The page that it begins on, and whether it ends on another.
    pub(super) page: u32,
    pub(super) goes_on: bool,
    pub(super) is_on_sound_page: bool,
}

/// What becomes of a row, or of several that cannot be read.
pub(super) enum Judged {
    Taken { row: LogRow, is_proven: bool },
    Lost(String),
}

/// A row that does not continue from the one before it.
struct Waiting {
    found: Found,
    /// What its hash would have to be.
    made: Vec<Hash>,
    /// Nothing tells what it continues from.
    is_alone: bool,
}

/// What the row after tells of one that waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    /// It is what was written, but its hash is not.
    Proves,
    /// Its hash is what was written.
    Attests,
    Nothing,
    Contradicts,
}

/// A table's chain, followed over what is damaged.
pub(super) struct Chain {
    begins: Begins,
    /// What the next row continues from; where the chain begins, one of these.
    known: Vec<Hash>,
    /// The newest that was written for certain, or was taken for it.
    last: Option<Idx>,
    /// Something between the row before and the next.
    gap: Option<Gap>,
    waiting: Option<Waiting>,
    /// What was lost, unless the next row proves that it was nothing.
    lost: Vec<String>,
}

impl Chain {
    pub(super) fn new(begins: Begins) -> Chain {
        Chain {
            known: begins.anchors.clone(),
            begins,
            last: None,
            gap: None,
            waiting: None,
            lost: Vec::new(),
        }
    }

    /// Something cannot be read here.
    pub(super) fn gap(&mut self, gap: Gap) {
        self.gap = self.gap.max(Some(gap));
    }

    /// The next row in the file.
    pub(super) fn row(&mut self, found: Found, judged: &mut Vec<Judged>) {
        let continues = |before: &Hash| {
            let made = found.leaf.map(|leaf| link(before, found.idx, &leaf));
            made.is_some() && made == found.hash
        };
        let before = self.waiting.take();
        let waits = |hashes: fn(&Waiting) -> &[Hash]| {
            let hashes = before.as_ref().map_or(&[][..], hashes);
            hashes.iter().any(continues)
        };
        if waits(|waiting| &waiting.made) {
            self.settle(before, Some(found.idx), Tells::Proves, judged);
        } else if waits(|waiting| waiting.found.hash.as_slice()) {
            self.settle(before, Some(found.idx), Tells::Attests, judged);
        } else if self.known.iter().any(continues) {
            // What was read in between are no rows of this table.
            self.lost.clear();
        } else if self.begins.pruned_before(found.idx).is_some_and(continues) {
            self.settle(before, Some(found.idx), Tells::Nothing, judged);
            self.lose_gap(Some(found.idx));
        } else {
            self.wait(before, found, judged);
            return;
        }
        self.prove(found, judged);
    }

    /// There are no more rows.
    pub(super) fn end(&mut self, judged: &mut Vec<Judged>) {
        let before = self.waiting.take();
        self.settle(before, None, Tells::Nothing, judged);
        self.lose_gap(None);
        self.flush(judged);
    }

    fn prove(&mut self, found: Found, judged: &mut Vec<Judged>) {
        self.gap = None;
        self.known.clear();
        self.known.extend(found.hash);
        let is_newer = self.last.is_none_or(|last| last < found.idx);
        match found.row {
            Some(row) if is_newer => self.take(row, true, judged),
            Some(row) => {
                let line = format!("version {} of {:?}: it is out of order", found.idx, row.id);
                self.lost.push(line);
            }
            None => self.lost.push(unreadable(found.idx)),
        }
        self.last = self.last.max(Some(found.idx));
        self.flush(judged);
    }

    fn wait(&mut self, before: Option<Waiting>, found: Found, judged: &mut Vec<Judged>) {
        // Nor does a damaged row tell anything of another page.
        let is_blind = before
            .as_ref()
            .is_some_and(|Waiting { found: before, .. }| {
                before.hash.is_none() || before.goes_on || before.page != found.page
            });
        let is_alone = self.gap.is_some() || is_blind || !self.begins.is_sound;
        let made = match found.leaf {
            Some(leaf) if !is_alone => {
                let hash = before.as_ref().map(|before| before.found.hash.as_slice());
                let hashes = hash.unwrap_or(&self.known).iter();
                hashes
                    .map(|before| link(before, found.idx, &leaf))
                    .collect()
            }
            _ => Vec::new(),
        };
        let tells = if self.gap.is_some() || !self.begins.is_sound {
            Tells::Nothing
        } else {
            Tells::Contradicts
        };
        self.settle(before, Some(found.idx), tells, judged);
        self.lose_gap(Some(found.idx));
        self.waiting = Some(Waiting {
            is_alone: is_alone && found.leaf.is_some(),
            found,
            made,
        });
    }

    /// Judges a row that waited, by what the next one tells.
    fn settle(
        &mut self,
        waiting: Option<Waiting>,
        next: Option<Idx>,
        tells: Tells,
        judged: &mut Vec<Judged>,
    ) {
        let Some(Waiting {
            found, is_alone, ..
        }) = waiting
        else {
            return;
        };
        let is_between = self.last.is_none_or(|last| last < found.idx)
            && next.is_none_or(|next| found.idx < next);
        let is_taken = is_between
            && match tells {
                Tells::Proves => true,
                Tells::Attests => is_alone,
                Tells::Nothing => is_alone && found.is_on_sound_page && found.hash.is_some(),
                Tells::Contradicts => false,
            };
        match found.row {
            Some(row) if is_taken => {
                self.known.clear();
                self.known.extend(found.hash);
                self.take(row, tells == Tells::Proves, judged);
            }
            Some(row) if is_between => self.lost.push(format!(
                "version {} of {:?} is not what was written",
                found.idx, row.id
            )),
            Some(row) => self.lost.push(format!(
                "a version of {:?} is not what was written: it says it is {}",
                row.id, found.idx
            )),
            None => self.lost.push(unreadable(found.idx)),
        }
    }

    fn take(&mut self, row: LogRow, is_proven: bool, judged: &mut Vec<Judged>) {
        self.last = Some(row.version.idx);
        self.flush(judged);
        judged.push(Judged::Taken { row, is_proven });
    }

    fn lose_gap(&mut self, next: Option<Idx>) {
        let Some(gap) = self.gap.take() else { return };
        let which = match (self.last, next) {
            (Some(last), Some(next)) => format!("versions after {last} and before {next}"),
            (None, Some(next)) => format!("versions before {next}"),
            (Some(last), None) => format!("versions after {last}"),
            (None, None) => "all versions".to_owned(),
        };
        let perhaps = match gap {
            Gap::Possible if next.is_none() => ", if there were any",
            _ => "",
        };
        self.lost
            .push(format!("{which}{perhaps}: they cannot be read"));
    }

    fn flush(&mut self, judged: &mut Vec<Judged>) {
        judged.extend(self.lost.drain(..).map(Judged::Lost));
    }
}

fn unreadable(idx: Idx) -> String {
    format!("version {idx}: it is not readable")
}
