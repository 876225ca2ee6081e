//! A file to damage: what its pages hold, what versions it has, and what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use dkdc_state::{ErrorKind, Salvaged, State};
use rusqlite::types::Value;

use crate::support::{Place, assert_sound, other_program};

/// A table and the number of a version in it.
pub(crate) type Key = (String, i64);
/// Every version's columns, but for what a salvaged store has of its own.
pub(crate) type Log = BTreeMap<Key, BTreeMap<String, Value>>;

/// What is lost with a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Nothing: it is derived, or a hint.
    Nothing,
    /// What tables there are; that may not be guessed.
    Tables,
    Versions(BTreeSet<Key>),
}

impl Holds {
    /// What is lost with both.
    pub(super) fn and(self, other: Holds) -> Holds {
        match (self, other) {
            (Holds::Nothing, holds) | (holds, Holds::Nothing) => holds,
            (Holds::Tables, _) | (_, Holds::Tables) => Holds::Tables,
            (Holds::Versions(mut some), Holds::Versions(more)) => {
                some.extend(more);
                Holds::Versions(some)
            }
        }
    }
}

/// A sound store's file.
pub(crate) struct Original {
    pub(crate) bytes: Vec<u8>,
    pub(super) log: Log,
    pub(crate) holds: Vec<Holds>,
    /// The table or index that each page belongs to; empty for none.
    pub(crate) names: Vec<String>,
    /// The pages of rows of each table, in order, and those above them.
    pub(crate) leaves: BTreeMap<String, Vec<usize>>,
    pub(crate) above: BTreeMap<String, Vec<usize>>,
}

pub(crate) const PAGE: usize = 4096;

/// What becomes of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoil {
    Bytes(u8),
    Noise,
    /// One of its sectors is empty.
    Sector,
}

pub(crate) const SPOILS: [Spoil; 4] = [
    Spoil::Bytes(0xee),
    Spoil::Bytes(0),
    Spoil::Noise,
    Spoil::Sector,
];

impl Original {
    /// Of a file that nobody has open.
    pub(crate) fn of(path: &Path) -> Original {
        let bytes = fs::read(path).expect("a file");
        let mut original = Original {
            log: log(path),
            holds: vec![Holds::Nothing; bytes.len() / PAGE],
            names: vec![String::new(); bytes.len() / PAGE],
            bytes,
            leaves: BTreeMap::new(),
            above: BTreeMap::new(),
        };
        original.look(path);
        original
    }

    fn look(&mut self, path: &Path) {
        let conn = other_program(path);
        let sql = "SELECT name, path, pageno - 1, pagetype, ncell FROM dbstat ORDER BY name, path";
        let mut pages = conn.prepare(sql).expect("dbstat");
        let mut pages = pages.query([]).expect("pages");
        // Of those that were erased, too.
        let numbers = |name: &str| -> Vec<Key> {
            let sql = format!("SELECT idx FROM \"{name}\" ORDER BY idx");
            let mut numbers = conn.prepare(&sql).expect("a table");
            let numbers = numbers.query_map([], |row| row.get(0)).expect("numbers");
            numbers
                .map(|idx| (name.to_owned(), idx.expect("a number")))
                .collect()
        };
        // The keys of a page of rows, by its path.
        let mut rows: BTreeMap<(String, String), Vec<Key>> = BTreeMap::new();
        let mut internal = Vec::new();
        let mut read: BTreeMap<String, usize> = BTreeMap::new();
        let logs: BTreeSet<String> = self.log.keys().map(|key| key.0.clone()).collect();
        while let Some(page) = pages.next().expect("a page") {
            let (name, path): (String, String) = (page.get(0).expect("x"), page.get(1).expect("x"));
            let number = page.get::<_, u32>(2).expect("x") as usize;
            let kind: String = page.get(3).expect("x");
            let cells = page.get::<_, u32>(4).expect("x") as usize;
            let blobs = || {
                let keys = self.log.keys().filter(|key| key.0 == "files");
                Holds::Versions(keys.cloned().collect())
            };
            self.names[number].clone_from(&name);
            let is_log = logs.contains(&name);
            self.holds[number] = match (name.as_str(), kind.as_str()) {
                ("sqlite_schema" | "_dkdc_store" | "_dkdc_tables", _) => Holds::Tables,
                ("_dkdc_chunks", "internal") if self.has_maps() => Holds::Nothing,
                ("_dkdc_chunks", _) => blobs(),
                (_, "leaf") if is_log => {
                    let from = read.entry(name.clone()).or_default();
                    let keys: Vec<Key> =
                        numbers(&name).into_iter().skip(*from).take(cells).collect();
                    assert_eq!(keys.len(), cells, "{name} {path}");
                    *from += cells;
                    self.leaves.entry(name.clone()).or_default().push(number);
                    rows.insert((name, path), keys.clone());
                    Holds::Versions(keys.into_iter().collect())
                }
                (_, "overflow") if is_log => {
                    let (leaf, cell) = path.rsplit_once('/').expect("a path");
                    let cell = cell.split('+').next().expect("a cell");
                    let at = usize::from_str_radix(cell, 16).expect("a place");
                    let key = rows[&(name, format!("{leaf}/"))][at].clone();
                    Holds::Versions(BTreeSet::from([key]))
                }
                (_, "internal") if is_log => {
                    self.above.entry(name.clone()).or_default().push(number);
                    internal.push((name, path, number));
                    Holds::Nothing
                }
                _ => Holds::Nothing,
            };
        }
        if self.has_maps() {
            return;
        }
        for (name, path, number) in internal {
            let below = rows
                .iter()
                .filter(|((of, leaf), _)| *of == name && leaf.starts_with(&path));
            let keys = below.flat_map(|(_, keys)| keys.iter().cloned());
            self.holds[number] = Holds::Versions(keys.collect());
        }
    }

    /// The file with one page spoiled.
    pub(crate) fn spoiled(&self, page: usize, spoil: Spoil) -> Vec<u8> {
        let mut damaged = self.bytes.clone();
        let spoiled = &mut damaged[page * PAGE..(page + 1) * PAGE];
        match spoil {
            Spoil::Bytes(byte) => spoiled.fill(byte),
            Spoil::Noise => {
                (0..PAGE).for_each(|at| spoiled[at] = mixed(page * PAGE + at).to_le_bytes()[0]);
            }
            Spoil::Sector => spoiled[page % 8 * 512..][..512].fill(0),
        }
        damaged
    }

    pub(super) fn has_maps(&self) -> bool {
        self.bytes[52..56] != [0; 4]
    }

    /// Salvages a file that differs from this one, and judges what came of it: what is
    /// kept is what was written, and no more is lost than may be.
    #[track_caller]
    pub(super) fn judge(
        &self,
        place: &Place,
        damaged: &[u8],
        holds: &Holds,
        what: &str,
    ) -> Option<(BTreeSet<Key>, Salvaged)> {
        let (from, to) = (place.at("damaged.db"), place.at("rescued.db"));
        fs::write(&from, damaged).expect("a file");
        let salvaged = match State::salvage(&from, &to, &mut |_| {}) {
            Ok(salvaged) => salvaged,
            Err(error) => {
                assert_eq!(*holds, Holds::Tables, "{what}: {error}");
                let kinds = [ErrorKind::Damaged, ErrorKind::Input, ErrorKind::Failure];
                assert!(kinds.contains(&error.kind()), "{what}: {error}");
                return None;
            }
        };
        let lines = salvaged.tables.iter().flat_map(|table| &table.lost);
        let lines: Vec<&String> = lines.chain(&salvaged.lost).collect();
        let kept = log(&to);
        if *holds != Holds::Tables || lines.is_empty() {
            for (key, row) in &kept {
                assert_eq!(Some(row), self.log.get(key), "{what}: {key:?}");
            }
        }
        let versions: u64 = salvaged.tables.iter().map(|table| table.versions).sum();
        assert_eq!(versions, kept.len() as u64, "{what}");
        let keys = self.log.keys().filter(|key| !kept.contains_key(*key));
        let lost: BTreeSet<Key> = keys.cloned().collect();
        assert!(lost.is_empty() || !lines.is_empty(), "{what}: {lost:?}");
        match holds {
            Holds::Tables => {}
            Holds::Nothing => assert!(lost.is_empty(), "{what}: {lost:?}, {lines:#?}"),
            Holds::Versions(keys) => {
                let more: Vec<&Key> = lost.difference(keys).collect();
                assert!(more.is_empty(), "{what}: {more:?}, {lines:#?}");
            }
        }
        assert_sound(&State::open(&to).expect("a store"));
        fs::remove_file(&to).expect("a file");
        Some((lost, salvaged))
    }
}

/// What a store's file says; nothing of what was erased.
pub(super) fn log(path: &Path) -> Log {
    let conn = other_program(path);
    let mut names = conn
        .prepare("SELECT name FROM _dkdc_tables ORDER BY number")
        .expect("tables");
    let names = names.query_map([], |row| row.get(0)).expect("tables");
    let names: Vec<String> = names.collect::<Result<_, _>>().expect("tables");
    let mut log = Log::new();
    for name in names {
        let sql = format!("SELECT * FROM \"{name}\" WHERE _op <> 5");
        let mut rows = conn.prepare(&sql).expect("a table");
        let columns: Vec<String> = rows.column_names().map(str::to_owned).collect();
        let mut rows = rows.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            let values = columns.iter().enumerate().map(|(at, column)| {
                let value: Value = row.get(at).expect("a value");
                (column.clone(), value)
            });
            let own = ["idx", "_prev", "_seal", "_hash"];
            let values = values.filter(|(column, _)| !own.contains(&column.as_str()));
            let idx = row.get("idx").expect("a number");
            log.insert((name.clone(), idx), values.collect());
        }
    }
    log
}

/// Numbers that are the same every time: the end of splitmix64.
pub(super) fn mixed(n: usize) -> usize {
    let mut mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) >> 1).expect("a number")
}
