//! A bit flips, or a page is gone, and the store is salvaged.
//!
//! The failure to prevent: one wrong number makes every later version vanish, and
//! nothing says so; a page that only leads to others costs those; a sound page is
//! written over; or a version is handed out that nobody wrote.

pub(crate) mod file;

use std::collections::BTreeSet;
use std::fs;

use dkdc_state::{ColumnDef, ColumnType, IndexDef, Keep, Nulls, Row, State, TableDef};

use crate::support::{
    NOON, Place, SECOND, TestClock, assert_sound, copy_outside, intruder, note, notes, permit,
    refusal,
};
use file::{Holds, Original, PAGE, SPOILS, log, mixed};

/// A store with all that a store may have.
pub(crate) fn furnished(place: &Place) -> Original {
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let table = state.define(&notes()).expect("a table");
    for n in 0..400 {
        clock.step(SECOND);
        let id = format!("id-{:02}", n * 7 % 90);
        let body = if n % 50 == 9 { 9000 } else { n * 31 % 300 };
        let body = format!("{n} ").repeat(body as usize / 4);
        let row = Row::new(id.as_str()).with("body", body).with("n", n);
        table.upsert(&row).expect("either");
        if n % 40 == 20 {
            table.delete(&id).expect("there");
        }
    }
    let later = ColumnDef::new("later", ColumnType::Float);
    let table = state.define(&notes().column(later)).expect("a column");
    for n in 0..40 {
        let row = note(&format!("later-{n}"), n).with("later", n as f64 / 2.0);
        table.append(&row).expect("new");
    }
    let data = ColumnDef::new("data", ColumnType::Blob);
    let files = state.define(&TableDef::new("files").column(data));
    let files = files.expect("a table");
    for n in 0..60_usize {
        let len = if n == 30 { 200_000 } else { 100 + n * 20 };
        let content: Vec<u8> = (0..len)
            .map(|at| mixed(n * 7 + at).to_le_bytes()[0])
            .collect();
        let blob = state.put_blob(&content[..]).expect("put");
        let row = Row::new(format!("file-{n}")).with("data", blob);
        files.append(&row).expect("new");
    }
    let few = state.define(&TableDef::new("few").column(ColumnDef::new("n", ColumnType::Int)));
    let few = few.expect("a table");
    let rows: Vec<Row> = (0..60)
        .map(|n| Row::new(format!("few-{n}")).with("n", n))
        .collect();
    few.append_all(&rows).expect("new");
    let cut = state.define(&TableDef::new("cut").column(ColumnDef::new("n", ColumnType::Int)));
    let cut = cut.expect("a table");
    let upsert = |n: i64| {
        let row = Row::new(format!("cut-{}", n % 20)).with("n", n);
        cut.upsert(&row).expect("either");
    };
    (0..30).for_each(upsert);
    state.clear(&["cut"]).expect("a table");
    (0..200).map(|n| n * 13).for_each(upsert);
    let keep = Keep::Versions(4.try_into().expect("four"));
    state.prune("cut", keep).expect("pruned");
    state.erase("notes", &["id-33"]).expect("there");
    drop((table, files, few, cut, state));
    Original::of(&place.db())
}

fn flipped(original: &Original, page: usize, bit: usize) -> Vec<u8> {
    let mut bytes = original.bytes.clone();
    bytes[page * PAGE + bit / 8] ^= 1 << (bit % 8);
    bytes
}

#[test]
fn a_flipped_bit_costs_no_more_than_its_page() {
    let place = Place::new();
    let original = furnished(&place);
    for (page, holds) in original.holds.iter().enumerate() {
        let bit = mixed(page) % (PAGE * 8);
        let damaged = flipped(&original, page, bit);
        original.judge(
            &place,
            &damaged,
            holds,
            &format!("bit {bit} of page {page}"),
        );
    }
}

/// What a page says of itself: its kind, how many rows it has, and where they are.
#[test]
fn a_flipped_bit_of_a_pages_head_costs_no_more_than_the_page() {
    let place = Place::new();
    let original = furnished(&place);
    let leaves = &original.leaves["notes"];
    let middle = leaves[leaves.len() / 2];
    let (last, root) = (leaves[leaves.len() - 1], original.above["notes"][0]);
    for (page, step) in [(last, 1), (middle, 5), (original.leaves["few"][1], 5)] {
        for bit in (0..8 * 12).step_by(step) {
            let what = format!("bit {bit} of the page of rows {page}");
            let damaged = flipped(&original, page, bit);
            let judged = original.judge(&place, &damaged, &original.holds[page], &what);
            assert!(judged.is_some(), "{what}");
        }
    }
    for bit in (0..8 * 24).step_by(3) {
        let what = format!("bit {bit} of the page above, {root}");
        let damaged = flipped(&original, root, bit);
        original.judge(&place, &damaged, &Holds::Nothing, &what);
    }
    // The file's own.
    for byte in 0..100 {
        let bit = byte * 8 + mixed(byte) % 8;
        let damaged = flipped(&original, 0, bit);
        original.judge(&place, &damaged, &Holds::Tables, &format!("bit {bit}"));
    }
}

#[test]
fn a_spoiled_page_costs_what_is_on_it() {
    let place = Place::new();
    let original = furnished(&place);
    for (page, holds) in original.holds.iter().enumerate() {
        let damaged = original.spoiled(page, SPOILS[page % 4]);
        original.judge(&place, &damaged, holds, &format!("page {page}"));
    }
}

/// The bytes of a row's number, as they lie on its page.
fn number_at(original: &Original, page: usize, idx: i64) -> usize {
    let mut bytes: Vec<u8> = Vec::new();
    for at in (0..8).rev() {
        let more = if at == 0 { 0 } else { 0x80 };
        bytes.push(u8::try_from((idx >> (7 * at)) & 0x7f).expect("seven bits") | more);
    }
    let page = &original.bytes[page * PAGE..(page + 1) * PAGE];
    let at = page.windows(8).position(|eight| eight == bytes);
    at.expect("a number of eight bytes")
}

/// Whatever a number is changed to, the versions around it are where they were.
#[test]
fn a_wrong_number_costs_its_own_version() {
    let place = Place::new();
    let original = furnished(&place);
    let leaves = &original.leaves["notes"];
    for (page, part) in [(0, 0), (leaves.len() / 2, 1), (leaves.len() - 1, 2)] {
        let page = leaves[page];
        let Holds::Versions(keys) = &original.holds[page] else {
            panic!("{page}");
        };
        let key = keys.iter().nth(part * (keys.len() - 1) / 2);
        let key = key.expect("a version");
        let at = number_at(&original, page, key.1);
        for bit in 0..64 {
            let damaged = flipped(&original, page, at * 8 + bit);
            // The highest of each byte says how many there are: then all of the row is
            // another.
            let holds = match bit % 8 {
                7 => original.holds[page].clone(),
                _ => Holds::Versions(BTreeSet::from([key.clone()])),
            };
            original.judge(&place, &damaged, &holds, &format!("bit {bit} of {key:?}"));
        }
    }
}

/// Two pages of rows, and one above them that is gone, with or without one of them.
#[test]
fn a_tree_of_two_pages_is_read_whatever_leads_to_it() {
    let place = Place::new();
    let original = furnished(&place);
    let leaves = &original.leaves["few"];
    assert_eq!((leaves.len(), original.above["few"].len()), (2, 1));
    let above = original.above["few"][0];
    let spoil = |pages: &[usize]| {
        let mut bytes = original.bytes.clone();
        pages
            .iter()
            .for_each(|page| bytes[page * PAGE..(page + 1) * PAGE].fill(0xee));
        bytes
    };
    original.judge(&place, &spoil(&[above]), &Holds::Nothing, "the one above");
    for leaf in leaves {
        let holds = &original.holds[*leaf];
        let judged = original.judge(&place, &spoil(&[above, *leaf]), holds, "two");
        let (lost, _) = judged.expect("it is salvaged");
        let Holds::Versions(keys) = holds else {
            panic!("{holds:?}");
        };
        assert_eq!(lost, *keys);
    }
}

/// What a pointer map says of the page above another is a hint.
#[test]
fn a_wrong_entry_of_a_pointer_map_costs_nothing() {
    let place = Place::new();
    let original = furnished(&place);
    assert!(original.has_maps());
    let leaves = &original.leaves["notes"];
    let others = [
        leaves[3],
        original.above["files"][0],
        original.above["notes"][0],
    ];
    for (n, leaf) in leaves.iter().enumerate() {
        let other = u32::try_from(others[n % 3] + 1).expect("a page");
        let mut damaged = original.bytes.clone();
        let entry = PAGE + 5 * (leaf - 2);
        assert_eq!(damaged[entry], 5);
        damaged[entry + 1..entry + 5].copy_from_slice(&other.to_be_bytes());
        let what = format!("{leaf} below {other}");
        let judged = original.judge(&place, &damaged, &Holds::Nothing, &what);
        let (_, salvaged) = judged.expect("it is salvaged");
        let lines = salvaged.tables.iter().flat_map(|table| &table.lost);
        assert_eq!(lines.count(), 0, "{what}: {salvaged:?}");
    }
}

/// A file that was adopted has no pointer maps.
#[test]
fn without_pointer_maps_no_more_is_lost_than_a_page_leads_to() {
    let place = Place::new();
    furnished(&place);
    let conn = intruder(&place.db());
    conn.execute_batch("PRAGMA auto_vacuum = NONE; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("no maps");
    drop(conn);
    let original = Original::of(&place.db());
    assert!(!original.has_maps());
    let root = original.above["notes"][0];
    let bits = (0..8 * 64).step_by(7);
    for bit in bits.chain((8 * 4000..8 * PAGE).step_by(13)) {
        let damaged = flipped(&original, root, bit);
        let holds = &original.holds[root];
        original.judge(&place, &damaged, holds, &format!("bit {bit} of {root}"));
    }
    for page in original.leaves.values().flatten() {
        let bit = mixed(*page) % (PAGE * 8);
        let what = format!("bit {bit} of {page}");
        let damaged = flipped(&original, *page, bit);
        original.judge(&place, &damaged, &original.holds[*page], &what);
        let mut damaged = original.bytes.clone();
        damaged[page * PAGE..(page + 1) * PAGE].fill(0xee);
        original.judge(&place, &damaged, &original.holds[*page], &what);
    }
}

/// Whoever puts a damaged file aside may well take the right to write it away.
#[test]
fn a_file_that_may_only_be_read_is_salvaged_with_its_wal() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let rows: Vec<Row> = (0..2000).map(|n| note(&format!("id-{n}"), n)).collect();
    table.append_all(&rows).expect("new");
    table.append(&note("newest", 1)).expect("new");
    // What a process that was killed would leave.
    for suffix in ["", "-wal"] {
        let (from, to) = (format!("data.db{suffix}"), format!("damaged.db{suffix}"));
        copy_outside(&place.at(&from), &place.at(&to));
        permit(&place.at(&to), 0o444);
    }
    drop((table, state));
    let wal = fs::metadata(place.at("damaged.db-wal")).expect("a -wal");
    assert!(wal.len() > 0);
    let to = place.at("rescued.db");
    let salvaged = State::salvage(place.at("damaged.db"), &to, &mut |_| {}).expect("all of it");
    let found = &salvaged.tables[0];
    assert_eq!((found.versions, found.lost.len()), (2001, 0), "{found:?}");
    assert_eq!(log(&to), log(&place.db()));

    // Moved into the file, and what leads to the rows is gone.
    let original = Original::of(&place.db());
    let mut bytes = original.bytes.clone();
    let root = original.above["notes"][0];
    bytes[root * PAGE..(root + 1) * PAGE].fill(0xee);
    let damaged = place.at("spoiled.db");
    fs::write(&damaged, &bytes).expect("a file");
    permit(&damaged, 0o444);
    let to = place.at("rescued-2.db");
    let salvaged = State::salvage(&damaged, &to, &mut |_| {}).expect("all of it");
    assert_eq!(salvaged.tables[0].versions, 2001, "{salvaged:?}");
    let rescued = State::open(&to).expect("a store");
    let table = rescued.rows("notes").expect("a table");
    table.append(&note("goes on", 1)).expect("new");
    assert_sound(&rescued);
}

/// A number is the last there is, and one that is too large hides no others.
#[test]
fn content_is_found_by_whatever_number_it_has() {
    let place = Place::new();
    furnished(&place);
    let conn = intruder(&place.db());
    let last = "UPDATE _dkdc_chunks SET number = 9223372036854775807 \
                WHERE number = (SELECT max(number) FROM _dkdc_chunks); \
                PRAGMA wal_checkpoint(TRUNCATE)";
    conn.execute_batch(last).expect("a change");
    let index: Vec<usize> = {
        let sql = "SELECT pageno - 1 FROM dbstat WHERE name = 'sqlite_autoindex__dkdc_chunks_1'";
        let mut pages = conn.prepare(sql).expect("dbstat");
        let pages = pages.query_map([], |row| row.get::<_, u32>(0));
        let pages = pages.expect("pages").map(|page| page.expect("x") as usize);
        pages.collect()
    };
    drop(conn);
    let original = Original::of(&place.db());
    let mut spoiled = original.bytes.clone();
    for page in &index {
        spoiled[page * PAGE..(page + 1) * PAGE].fill(0xee);
    }
    original.judge(&place, &spoiled, &Holds::Nothing, "the index is gone");
    // Numbers here are of one byte: the length of the row comes before.
    let page = original.holds.iter().enumerate().find(|(page, holds)| {
        let head = &spoiled[page * PAGE..][..1];
        matches!(holds, Holds::Versions(keys) if keys.len() == 60) && head == [13]
    });
    let page = &mut spoiled[page.expect("a page of pieces").0 * PAGE..];
    let first = usize::from(u16::from_be_bytes([page[8], page[9]]));
    let len = page[first..].iter().position(|byte| *byte < 0x80);
    let number = first + len.expect("a length") + 1;
    assert!(page[number] < 0x40, "{}", page[number]);
    page[number] |= 0x40;
    original.judge(&place, &spoiled, &Holds::Nothing, "and a number wrong");
}

#[test]
fn at_the_end_of_all_numbers_salvage_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let table = state.define(&notes()).expect("a table");
    clock.set(i64::MAX);
    table.append(&note("a", 1)).expect("new");
    drop((table, state));
    let files = || fs::read_dir(place.folder()).expect("a folder").count();
    let before = files();
    let refused = State::salvage(place.db(), place.at("rescued.db"), &mut |_| {});
    let error = refused.expect_err("no number is left");
    assert!(error.to_string().contains("clock is at its end"), "{error}");
    assert_eq!(files(), before);
}

/// A record had a value that must be unique, gave it up, and another took it: when the
/// version between is lost, two have it.
#[test]
fn a_constraint_that_what_is_left_does_not_keep_is_named() {
    let place = Place::new();
    let state = place.open();
    let unique = IndexDef::new(["key"]).unique(Nulls::Distinct);
    let columns = ["key", "body"].map(|name| ColumnDef::new(name, ColumnType::Text));
    let [key, body] = columns;
    let def = TableDef::new("slots").column(key).column(body);
    let table = state.define(&def.clone().index(unique)).expect("a table");
    // A page each.
    let body = "x".repeat(3500);
    let slot = |id: &str, key: &str| Row::new(id).with("key", key).with("body", body.as_str());
    for (id, key) in [("a", "one"), ("a", "two"), ("b", "one"), ("c", "three")] {
        table.upsert(&slot(id, key)).expect("either");
    }
    drop((table, state));
    let original = Original::of(&place.db());
    let leaves = &original.leaves["slots"];
    assert_eq!(leaves.len(), 4);
    let mut damaged = original.bytes.clone();
    damaged[leaves[1] * PAGE..(leaves[1] + 1) * PAGE].fill(0xee);
    let holds = &original.holds[leaves[1]];
    let judged = original.judge(&place, &damaged, holds, "the version between");
    let (lost, salvaged) = judged.expect("it is salvaged");
    assert_eq!(lost.len(), 1);
    let lines = &salvaged.tables[0].lost;
    let named = lines.iter().filter(|line| line.contains("key is unique"));
    assert_eq!((named.count(), lines.len()), (1, 2), "{lines:?}");
    let to = place.at("rescued.db");
    State::salvage(place.at("damaged.db"), &to, &mut |_| {}).expect("most of it");
    let rescued = State::open(&to).expect("a store");
    let table = rescued.rows("slots").expect("a table");
    for id in ["a", "b"] {
        let row = table.get(id).expect("a read").expect("there");
        assert_eq!(row.get("key"), Some(&"one".into()));
    }
    let again = rescued.define(&def.index(IndexDef::new(["key"]).unique(Nulls::Distinct)));
    assert_eq!(refusal(again.map(|_| ())), "NotUnique");
}

#[test]
fn a_file_whose_end_is_missing_costs_what_was_there() {
    let place = Place::new();
    let original = furnished(&place);
    let pages = original.holds.len();
    for missing in [1, 2, 3, 7, pages / 4] {
        for more in [0, 1000] {
            let damaged = &original.bytes[..(pages - missing) * PAGE - more];
            let gone = pages - missing - usize::from(more > 0);
            let holds = original.holds[gone..].iter().cloned();
            let holds = holds.reduce(Holds::and).expect("a page");
            let what = format!("{missing} pages and {more} bytes are missing");
            original.judge(&place, damaged, &holds, &what);
        }
    }
}

/// Guards are for other programs, and made anew.
#[test]
fn a_flipped_bit_in_a_guard_costs_nothing() {
    let place = Place::new();
    let original = furnished(&place);
    let starts = original.bytes.windows(7).enumerate();
    let guards: Vec<usize> = starts
        .filter(|(_, bytes)| *bytes == b"TRIGGER")
        .map(|(at, _)| at)
        .collect();
    assert!(guards.len() > 6, "{guards:?}");
    for at in guards.into_iter().step_by(5) {
        let mut damaged = original.bytes.clone();
        damaged[at + 2] ^= 2;
        let what = format!("a guard at {at}");
        original.judge(&place, &damaged, &Holds::Nothing, &what);
    }
}
