//! Recent heads by id. The ids lie one behind the other in one text, so that a new
//! one costs no allocation of its own, and thousands of them none when they go.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::log::append::Head;

/// Heads by id. A hash is always that of the id that comes with it.
#[derive(Debug, Default)]
pub(super) struct HeadMap {
    ids: String,
    heads: HashTable<Place>,
}

/// An id, and its head.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u64,
    start: usize,
    end: usize,
    head: Head,
}

/// Where an id is: good until the map loses what it has had since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    hash: u64,
    start: usize,
    end: usize,
}

impl HeadMap {
    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    pub(super) fn get(&self, hash: u64, id: &str) -> Option<Head> {
        let is_it = |place: &Place| place.hash == hash && self.ids[place.start..place.end] == *id;
        self.heads.find(hash, is_it).map(|place| place.head)
    }

    /// Gives an id a head; returns the one that it had.
    pub(super) fn put(&mut self, hash: u64, id: &str, head: Head) -> (Key, Option<Head>) {
        let is_it = |place: &Place| place.hash == hash && self.ids[place.start..place.end] == *id;
        match self.heads.entry(hash, is_it, |place| place.hash) {
            Entry::Occupied(mut entry) => {
                let place = entry.get_mut();
                let Place { start, end, .. } = *place;
                let before = std::mem::replace(&mut place.head, head);
                (Key { hash, start, end }, Some(before))
            }
            Entry::Vacant(entry) => {
                let start = self.ids.len();
                self.ids.push_str(id);
                let end = self.ids.len();
                entry.insert(Place {
                    hash,
                    start,
                    end,
                    head,
                });
                (Key { hash, start, end }, None)
            }
        }
    }

    /// Takes back the newest put that was not taken back yet.
    pub(super) fn take_back(&mut self, Key { hash, start, end }: Key, before: Option<Head>) {
        let is_it = |place: &Place| (place.start, place.end) == (start, end);
        match (self.heads.find_entry(hash, is_it), before) {
            (Ok(mut entry), Some(head)) => entry.get_mut().head = head,
            (Ok(entry), None) => {
                entry.remove();
                self.ids.truncate(start);
            }
            (Err(_), _) => {}
        }
    }

    /// Removes all, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.ids.clear();
        self.heads.clear();
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.heads.iter().map(|place| place.hash)
    }

    /// The heads in the order of their ids.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (&str, Head)> {
        let id = |place: &Place| &self.ids[place.start..place.end];
        // Most ids differ in their first bytes: these decide without a look at the
        // rest, which is somewhere else in memory.
        let places = self.heads.iter();
        let mut sorted: Vec<(u64, &Place)> =
            places.map(|place| (prefix(id(place)), place)).collect();
        sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| id(a.1).cmp(id(b.1))));
        sorted
            .into_iter()
            .map(move |(_, place)| (id(place), place.head))
    }
}

/// The first bytes of an id, as a number that sorts as they do.
fn prefix(id: &str) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(id.bytes()) {
        *to = from;
    }
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::cases::cases;
    use crate::record::Idx;

    /// Some heads put, deleted or not, and some taken back: the last that was put.
    fn is_a_map(steps: &[(&str, Option<bool>)]) {
        // All ids have one of three hashes: equal ones are no reason to mix ids up.
        let hash = |id: &str| id.len() as u64 % 3;
        let (mut map, mut model) = (HeadMap::default(), BTreeMap::new());
        let mut done = Vec::new();
        for (at, &(id, step)) in (0..).zip(steps) {
            let head = Head {
                idx: Idx(at),
                deleted: step == Some(true),
            };
            if let Some(deleted) = step {
                let (key, before) = map.put(hash(id), id, head);
                let was = model.insert(id, (head.idx, deleted));
                assert_eq!(before.map(|b| b.idx), was.map(|m| m.0));
                done.push((key, id, before));
            } else if let Some((key, id, before)) = done.pop() {
                map.take_back(key, before);
                match before {
                    Some(head) => model.insert(id, (head.idx, head.deleted)),
                    None => model.remove(id),
                };
            }
            assert_eq!(map.len(), model.len());
            let sorted: Vec<(&str, Idx)> = map.sorted().map(|(id, head)| (id, head.idx)).collect();
            let expected: Vec<(&str, Idx)> = model.iter().map(|(id, m)| (*id, m.0)).collect();
            assert_eq!(sorted, expected);
            for (id, (idx, deleted)) in &model {
                let found = map.get(hash(id), id).map(|head| (head.idx, head.deleted));
                assert_eq!(found, Some((*idx, *deleted)));
            }
        }
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn it_is_a_map_that_can_take_back(
            steps in prop::collection::vec(("[ab]{0,9}", any::<Option<bool>>()), 0..60),
        ) {
            let steps: Vec<(&str, Option<bool>)> =
                steps.iter().map(|(id, step)| (id.as_str(), *step)).collect();
            is_a_map(&steps);
        }
    }

    /// Found by chance: two ids of one hash, put and taken back in turns.
    #[test]
    fn what_is_taken_back_leaves_others_of_its_hash() {
        let (put, back) = (Some(false), None);
        is_a_map(&[
            ("", put),
            ("", put),
            ("", back),
            ("aaaaaa", put),
            ("", back),
        ]);
    }
}
