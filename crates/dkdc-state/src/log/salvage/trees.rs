//! Trees of pages: which pages have a table's rows, in order, whatever leads to them.
//!
//! Pages above others say it, and so do the file's pointer maps: for each page, which
//! page is above it. Where a page above others is damaged, or says something else than
//! the maps, what either leads to is put in the order of the rows on it. Where pages
//! may be missing then, the rows' hashes tell. Format:
//! <https://www.sqlite.org/fileformat2.html>, "B-tree Pages" and "Pointer Map or
//! Ptrmap Pages".

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::pages::{AbovePage, Page, Pages, RowPage, u32_at};
use crate::error::Result;

/// The kinds of a pointer map's entries: a page that nothing uses, and a page of a tree
/// that has one above it.
const FREE: u8 = 2;
const BELOW: u8 = 5;
/// Where SQLite's locks are: the page there holds nothing.
const PENDING_BYTE: u64 = 1 << 30;
/// No tree is as deep.
const DEEPEST: u32 = 32;

/// What is next in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A page of rows.
    Rows(u32),
    Gap(Gap),
}

/// Something that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// It may be that there are rows.
    Possible,
    Certain,
}

pub(super) struct Trees {
    pub(super) pages: Pages,
    /// The page above each page, and those below each, as the pointer maps have it.
    above: HashMap<u32, u32>,
    below: HashMap<u32, Vec<u32>>,
    free: HashSet<u32>,
}

/// What a page turns out to be.
enum Look {
    Rows(RowPage),
    Above(AbovePage),
    Lost,
}

impl Trees {
    pub(super) fn open(path: &Path) -> Result<Trees> {
        let mut trees = Trees {
            pages: Pages::open(path)?,
            above: HashMap::new(),
            below: HashMap::new(),
            free: HashSet::new(),
        };
        if trees.pages.has_maps {
            trees.read_maps();
        }
        Ok(trees)
    }

    fn read_maps(&mut self) {
        let (count, entries) = (self.pages.count, self.pages.usable / 5);
        let locks = u32::try_from(PENDING_BYTE / self.pages.size as u64 + 1).unwrap_or(u32::MAX);
        for start in (2..=count).step_by(entries + 1) {
            let map = start + u32::from(start == locks);
            let Some(page) = self.pages.read(map) else {
                continue;
            };
            let entries = page.chunks_exact(5).take(entries);
            for (number, entry) in (map + 1..=count).zip(entries) {
                match (entry[0], u32_at(entry, 1)) {
                    (BELOW, Some(above)) => {
                        self.above.insert(number, above);
                        self.below.entry(above).or_default().push(number);
                    }
                    (FREE, _) => {
                        self.free.insert(number);
                    }
                    _ => {}
                }
            }
        }
    }

    /// A page of rows.
    pub(super) fn rows(&self, page: u32) -> Option<RowPage> {
        match self.look(page) {
            Look::Rows(rows) => Some(rows),
            _ => None,
        }
    }

    /// Whether a page is in the middle of a tree.
    pub(super) fn is_below(&self, page: u32) -> bool {
        let above = self.above.get(&page);
        above.is_some_and(|above| self.leads_to(*above, page))
    }

    /// Where the rows of the tree with this first page are.
    pub(super) fn places(&self, root: u32) -> Vec<Place> {
        let mut places = Vec::new();
        if self.in_order(root, DEEPEST, &mut HashSet::new(), &mut places) {
            return places;
        }
        self.by_number(root)
    }

    fn look(&self, page: u32) -> Look {
        let has_below = self.below.contains_key(&page);
        match self.pages.page(page) {
            Some(Page::Rows(rows)) if rows.is_sound || !has_below => Look::Rows(rows),
            Some(Page::Above(above)) if above.is_sound || has_below || !self.pages.has_maps => {
                Look::Above(above)
            }
            _ if has_below => Look::Above(AbovePage {
                children: Vec::new(),
                is_sound: false,
            }),
            _ => Look::Lost,
        }
    }

    fn leads_to(&self, above: u32, page: u32) -> bool {
        match self.pages.page(above) {
            Some(Page::Above(above)) => above.children.contains(&page),
            _ => false,
        }
    }

    /// Follows pages above others. False: one of them is not to be trusted.
    fn in_order(
        &self,
        page: u32,
        depth: u32,
        seen: &mut HashSet<u32>,
        places: &mut Vec<Place>,
    ) -> bool {
        if depth == 0 || !seen.insert(page) {
            return false;
        }
        match self.look(page) {
            Look::Rows(_) => places.push(Place::Rows(page)),
            Look::Above(above) => {
                return self.is_trusted(page, &above)
                    && above
                        .children
                        .iter()
                        .all(|child| self.in_order(*child, depth - 1, seen, places));
            }
            Look::Lost => places.push(Place::Gap(Gap::Certain)),
        }
        true
    }

    /// Whether a page leads to what is below it: it is sound, and if the maps say
    /// something else, they are what is damaged.
    fn is_trusted(&self, page: u32, above: &AbovePage) -> bool {
        let listed: HashSet<u32> = above.children.iter().copied().collect();
        if listed.len() < above.children.len() {
            return false;
        }
        if !self.pages.has_maps {
            return above.is_sound;
        }
        let below = self.below.get(&page).map_or(&[][..], Vec::as_slice);
        let all_are_below = listed
            .iter()
            .all(|child| self.above.get(child) == Some(&page));
        let none_is_missing = below.iter().all(|child| listed.contains(child));
        let agree = usize::from(all_are_below) + usize::from(none_is_missing);
        agree + usize::from(above.is_sound) >= 2
    }

    /// Takes whatever the pages and the maps lead to, by the numbers of its rows.
    fn by_number(&self, root: u32) -> Vec<Place> {
        let (mut seen, mut left) = (HashSet::new(), vec![root]);
        let (mut found, mut lacks) = (Vec::new(), !self.pages.has_maps);
        while let Some(page) = left.pop() {
            if !seen.insert(page) {
                continue;
            }
            match self.look(page) {
                Look::Rows(rows) => match rows.middle() {
                    Some(middle) => found.push((middle, page)),
                    None => lacks = true,
                },
                Look::Above(above) if self.is_trusted(page, &above) => {
                    left.extend(above.children);
                }
                Look::Above(above) => {
                    let children = above.children.iter();
                    left.extend(children.filter(|child| !self.is_elsewhere(**child, page)));
                    left.extend(self.below.get(&page).into_iter().flatten());
                    lacks |= above.children.iter().any(|child| self.free.contains(child));
                }
                Look::Lost => lacks = true,
            }
        }
        found.sort_unstable();
        let gap = lacks.then_some(Place::Gap(Gap::Possible));
        let places = found
            .into_iter()
            .flat_map(|(_, page)| gap.into_iter().chain([Place::Rows(page)]));
        places.chain(gap).collect()
    }

    /// Whether something else than a page that is not trusted says where a page belongs.
    fn is_elsewhere(&self, child: u32, page: u32) -> bool {
        let is_below_it = self.above.get(&child) == Some(&page);
        !is_below_it && (self.free.contains(&child) || self.is_below(child))
    }
}
