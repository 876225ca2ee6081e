//! A disk fails, and there is no newer backup.
//!
//! The failure to prevent: one bad page, and every record is out of reach; or a
//! repair "mends" the log, and nobody can tell any more what was written; or a
//! backup that was made while others wrote turns out to be of no moment at all.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dkdc_state::{ColumnDef, ColumnType, EventKind, Idx, Row, Select, State, TableDef};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::cases::cases;
use crate::support::{
    NOON, Place, TestClock, assert_sound, copy_outside, intruder, note, notes, other_program,
    refusal,
};

fn furnished(place: &Place) -> (State, Vec<(Idx, Row)>) {
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    for n in 0..2000 {
        table
            .upsert(&note(&format!("id-{:03}", n * 7 % 500), n))
            .expect("either");
    }
    table.delete("id-007").expect("there");
    drop((table, state));
    let state = place.open();
    let all = all(&state);
    (state, all)
}

fn all(state: &State) -> Vec<(Idx, Row)> {
    let rows = state
        .rows("notes")
        .and_then(|table| table.list(&Select::new()));
    rows.expect("a list")
        .into_iter()
        .map(|row| (row.idx(), row.record))
        .collect()
}

#[test]
fn whatever_is_derived_is_made_anew_from_the_log() {
    for change in [
        "DELETE FROM _dkdc_head_notes WHERE id > 'id-100'",
        "UPDATE _dkdc_head_notes SET deleted = 1",
        "UPDATE _dkdc_head_notes SET idx = (SELECT min(idx) FROM notes)",
        "DROP TABLE _dkdc_head_notes",
        "DELETE FROM _dkdc_index_notes_1",
        "DROP TABLE _dkdc_index_notes_1",
        "DELETE FROM _dkdc_waypoints",
        "DROP TABLE _dkdc_waypoints",
        "DELETE FROM _dkdc_heads",
        "UPDATE _dkdc_heads SET upto = upto + 1000000000000",
        "DROP TABLE _dkdc_mirror",
        "DROP TRIGGER _dkdc_guard_insert_notes; DROP TRIGGER _dkdc_guard_delete__dkdc_head_notes",
    ] {
        let place = Place::new();
        let (state, before) = furnished(&place);
        state.seal_mirror().expect("files");
        intruder(&place.db()).execute_batch(change).expect(change);
        state
            .repair()
            .unwrap_or_else(|error| panic!("{change}: {error}"));
        assert_sound(&state);
        assert_eq!(all(&state), before, "{change}");
        let event = state.events().expect("events").pop().expect("an event");
        assert_eq!(event.kind, EventKind::Repair);
        let table = state.rows("notes").expect("a table");
        table.update(&note("id-003", 1)).expect("there");
        table.append(&note("id-007", 1)).expect("new");
        state.seal_mirror().expect("files");
        assert_sound(&state);
    }
}

#[test]
fn the_log_is_not_mended() {
    let place = Place::new();
    let (state, _) = furnished(&place);
    let change =
        "UPDATE notes SET body = 'x' WHERE idx = (SELECT max(idx) FROM notes WHERE id = 'id-003');
                  DELETE FROM _dkdc_head_notes";
    intruder(&place.db())
        .execute_batch(change)
        .expect("a change");
    state.repair().expect("the rest is made anew");
    let report = state.check().expect("a check");
    assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
    assert!(report.damage[0].contains("\"id-003\" is not what was written"));
    let table = &report.tables[0];
    assert_eq!((table.versions, table.sound), (2001, 2000));
    let row = state.rows("notes").and_then(|table| table.get("id-003"));
    assert_eq!(table.first, row.expect("a read").map(|row| row.idx()));
}

#[test]
fn a_backup_is_one_moment_while_others_write() {
    let place = Place::new();
    let (state, _) = furnished(&place);
    let table = state.rows("notes").expect("a table");
    let pair = |n: i64| [note("left", n), note("right", n)];
    table.append_all(&pair(0)).expect("new");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                n += 1;
                table.update_all(&pair(n)).expect("there");
            }
        });
        for n in 0..5 {
            let to = place.at(&format!("backup-{n}.db"));
            let mut steps = Vec::new();
            let made = state
                .backup(&to, &mut |now| steps.push(now))
                .expect("a backup");
            let last = steps.last().expect("progress");
            assert_eq!(last.done, last.total);
            let copy = State::open(&to).expect("a store");
            assert_sound(&copy);
            assert_eq!(copy.last().expect("a read"), made.idx);
            let rows = copy.rows("notes").expect("a table");
            let n = |id: &str| {
                rows.get(id)
                    .expect("a read")
                    .expect("there")
                    .get("n")
                    .cloned()
            };
            assert_eq!(n("left"), n("right"));
            assert!(made.bytes > 0 && rows.count().expect("a count") == 501);
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    assert_eq!(
        refusal(state.backup(place.at("backup-0.db"), &mut |_| {})),
        "FileExists"
    );
    assert_eq!(refusal(state.backup(place.db(), &mut |_| {})), "FileExists");
    assert_eq!(
        refusal(state.backup(place.at("none/x.db"), &mut |_| {})),
        "Io"
    );
    let drafts = fs::read_dir(place.folder()).expect("a folder");
    let drafts = drafts.filter(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        name.to_string_lossy().contains("draft")
    });
    assert_eq!(drafts.count(), 0);
}

#[test]
fn what_was_cut_off_or_rewritten_is_not_as_expected() {
    let place = Place::new();
    let (state, _) = furnished(&place);
    let heads = state.chain_heads().expect("heads");
    assert_eq!(heads.len(), 2);
    let parsed: Vec<_> = heads
        .iter()
        .map(|head| head.to_string().parse().expect("a head"))
        .collect();
    assert_eq!(heads, parsed);
    let table = state.rows("notes").expect("a table");
    table.append(&note("newer", 1)).expect("new");
    state.erase("notes", &["id-100"]).expect("there");
    let expected = state.expect(&heads).expect("a read");
    assert_eq!((expected.wrong.len(), expected.unproven.len()), (0, 0));
    let newest = heads
        .iter()
        .find(|head| head.table == "notes")
        .expect("a head")
        .idx;
    for change in [
        format!("DELETE FROM notes WHERE idx >= {newest}"),
        format!("UPDATE notes SET _hash = zeroblob(32) WHERE idx = {newest}"),
        "DELETE FROM _dkdc_events WHERE kind = 'create' AND \"table\" = 1".to_owned(),
        "UPDATE _dkdc_events SET _hash = zeroblob(32)".to_owned(),
    ] {
        let other = Place::new();
        drop(table.clone());
        state.backup(other.db(), &mut |_| {}).expect("a copy");
        intruder(&other.db()).execute_batch(&change).expect(&change);
        let copy = other.open();
        let wrong = copy.expect(&heads).expect("a read").wrong;
        assert_eq!(wrong.len(), 1, "{change}: {wrong:?}");
    }
    // What was taken out since, by an event, cannot be proven.
    table.update(&note("id-003", 1)).expect("there");
    let since = state.last().expect("a read");
    table.delete("id-003").expect("there");
    let keep = dkdc_state::Keep::Versions(1.try_into().expect("one"));
    state.prune("notes", keep).expect("pruned");
    let expected = state.expect(&heads).expect("a read");
    assert_eq!(expected.wrong, [""; 0]);
    state.clear(&["notes"]).expect("a table");
    let expected = state.expect(&heads).expect("a read");
    assert_eq!((expected.wrong.len(), expected.unproven.len()), (0, 1));
    assert!(since > newest);
}

/// Overwrites a page of a file that nobody has open.
fn spoil(path: &Path, page: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[page * 4096..(page + 1) * 4096].fill(0xee);
    fs::write(path, bytes).expect("a file");
}

/// The pages of a table's rows, and the first of its tree.
fn pages(path: &Path) -> (Vec<usize>, usize) {
    let conn = other_program(path);
    let root = conn.query_row(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'notes'",
        [],
        |row| row.get::<_, u32>(0),
    );
    let mut statement = conn
        .prepare(
            "SELECT pageno FROM dbstat WHERE name = 'notes' AND pagetype = 'leaf' ORDER BY path",
        )
        .expect("dbstat");
    let leaves = statement
        .query_map([], |row| row.get::<_, u32>(0))
        .expect("rows");
    let leaves = leaves
        .map(|page| page.expect("a page") as usize - 1)
        .collect();
    (leaves, root.expect("a page") as usize - 1)
}

/// The pages above those of a table's rows, the first of its tree at the front.
fn inner_pages(path: &Path) -> Vec<usize> {
    let conn = other_program(path);
    let mut statement = conn
        .prepare(
            "SELECT pageno - 1 FROM dbstat \
             WHERE name = 'notes' AND pagetype = 'internal' ORDER BY path",
        )
        .expect("dbstat");
    let pages = statement.query_map([], |row| row.get::<_, u32>(0));
    let pages = pages
        .expect("rows")
        .map(|page| page.expect("a page") as usize);
    pages.collect()
}

/// How many rows each page of a table's rows has, in order, and its number.
fn rows_of_pages(path: &Path) -> Vec<(usize, u64)> {
    let conn = other_program(path);
    let mut statement = conn
        .prepare(
            "SELECT pageno - 1, ncell FROM dbstat \
             WHERE name = 'notes' AND pagetype = 'leaf' ORDER BY path",
        )
        .expect("dbstat");
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, u32>(0)? as usize, row.get::<_, u32>(1)?.into()))
    });
    let rows = rows.expect("rows").collect::<Result<_, _>>();
    rows.expect("pages")
}

/// Versions that lie close together between some that lie far apart: a step that
/// leads out of a damaged page must not lead over sound ones.
#[test]
fn sound_pages_are_found_however_far_apart_versions_are() {
    proptest!(cases(12), |(
        spaces in vec((0u32..40, 1usize..120), 3..8),
        damaged in vec(any::<Index>(), 1..12),
    )| {
        let place = Place::new();
        let clock = TestClock::new(NOON);
        let state = place.open_at(&clock);
        let table = state.define(&notes()).expect("a table");
        let mut total = 0;
        for (power, count) in spaces {
            for _ in 0..count {
                clock.step(1 << power);
                table.append(&note(&format!("id-{total}"), total)).expect("new");
                total += 1;
            }
        }
        drop((table, state));
        let pages = rows_of_pages(&place.db());
        prop_assert_eq!(pages.iter().map(|page| page.1).sum::<u64>(), total as u64);
        let damaged: BTreeSet<usize> = damaged.iter().map(|at| at.index(pages.len())).collect();
        damaged.iter().for_each(|at| spoil(&place.db(), pages[*at].0));
        let sound = pages.iter().enumerate().filter(|(at, _)| !damaged.contains(at));
        let sound: u64 = sound.map(|(_, page)| page.1).sum();
        let to = place.at("rescued.db");
        let salvaged = State::salvage(place.db(), &to, &mut |_| {}).expect("what is sound");
        prop_assert_eq!(salvaged.tables[0].versions, sound, "{:?}", salvaged.tables[0]);
        assert_sound(&State::open(&to).expect("a store"));
    });
}

/// What leads to pages of rows is damaged: the rows are all there.
#[test]
fn rows_are_found_when_the_pages_above_them_are_lost() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let long = "x".repeat(1500);
    let rows: Vec<Row> = (0..3000)
        .map(|n| {
            Row::new(format!("id-{n}"))
                .with("body", long.as_str())
                .with("n", n)
        })
        .collect();
    table.append_all(&rows).expect("new");
    drop((table, state));
    let leaves = rows_of_pages(&place.db());
    let inner = inner_pages(&place.db());
    assert!(inner.len() > 3, "{inner:?}");
    for (what, above, below) in [
        ("the first page", &inner[..1], &[][..]),
        ("all of them", &inner[..], &[]),
        (
            "the first, and the last of rows",
            &inner[..1],
            &[leaves.len() - 1],
        ),
        ("some, and pages of rows", &inner[1..3], &[10, 11, 500, 900]),
        (
            "all, and pages of rows",
            &inner[..],
            &[0, 300, 301, leaves.len() - 1],
        ),
    ] {
        let damaged = place.at("damaged.db");
        copy_outside(&place.db(), &damaged);
        above.iter().for_each(|page| spoil(&damaged, *page));
        below.iter().for_each(|at| spoil(&damaged, leaves[*at].0));
        let lost: u64 = below.iter().map(|at| leaves[*at].1).sum();
        let to = place.at("rescued.db");
        let salvaged = State::salvage(&damaged, &to, &mut |_| {}).expect("most of it");
        let found = &salvaged.tables[0];
        assert_eq!(found.versions, 3000 - lost, "{what}: {found:?}");
        assert_eq!(found.lost.is_empty(), below.is_empty(), "{what}: {found:?}");
        assert_sound(&State::open(&to).expect("a store"));
        fs::remove_file(&to).expect("a file");
        fs::remove_file(&damaged).expect("a file");
    }
}

/// A value that does not fit its page goes on in others: they hold one row only.
#[test]
fn a_long_value_that_is_damaged_costs_its_own_version() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let rows: Vec<Row> = (0..40)
        .map(|n| Row::new(format!("id-{n}")).with("body", "y".repeat(20_000)))
        .collect();
    table.append_all(&rows).expect("new");
    drop((table, state));
    let overflow: Vec<usize> = {
        let conn = other_program(&place.db());
        let mut statement = conn
            .prepare(
                "SELECT pageno - 1 FROM dbstat WHERE name = 'notes' AND pagetype = 'overflow' \
                 ORDER BY path",
            )
            .expect("dbstat");
        let pages = statement
            .query_map([], |row| row.get::<_, u32>(0))
            .expect("rows");
        pages.map(|page| page.expect("a page") as usize).collect()
    };
    assert!(overflow.len() >= 160, "{overflow:?}");
    // A page of the content, and one whose link to the next is lost with it.
    for at in [1, overflow.len() / 2] {
        spoil(&place.db(), overflow[at]);
    }
    let to = place.at("rescued.db");
    let salvaged = State::salvage(place.db(), &to, &mut |_| {}).expect("most of it");
    let found = &salvaged.tables[0];
    assert_eq!((found.versions, found.lost.len()), (38, 2), "{found:?}");
    assert_sound(&State::open(&to).expect("a store"));
}

/// What leads from a hash to its content is derived, as heads and indexes are.
#[test]
fn content_is_found_without_the_index_that_leads_to_it() {
    let place = Place::new();
    let state = place.open();
    let data = ColumnDef::new("data", ColumnType::Blob);
    let table = state.define(&TableDef::new("files").column(data));
    let table = table.expect("a table");
    let mut last = None;
    for n in 0..300 {
        let blob = state.put_blob(format!("content {n}").as_bytes());
        let blob = blob.expect("put");
        let row = Row::new(format!("id-{n}")).with("data", blob);
        table.append(&row).expect("new");
        last = Some(blob);
    }
    drop((table, state));
    let index: Vec<usize> = {
        let conn = other_program(&place.db());
        let mut statement = conn
            .prepare("SELECT pageno - 1 FROM dbstat WHERE name = 'sqlite_autoindex__dkdc_chunks_1'")
            .expect("dbstat");
        let pages = statement
            .query_map([], |row| row.get::<_, u32>(0))
            .expect("rows");
        pages.map(|page| page.expect("a page") as usize).collect()
    };
    assert!(index.len() > 2, "{index:?}");
    index.iter().for_each(|page| spoil(&place.db(), *page));
    let to = place.at("rescued.db");
    let salvaged = State::salvage(place.db(), &to, &mut |_| {}).expect("all of it");
    let found = &salvaged.tables[0];
    assert_eq!((found.versions, found.lost.len()), (300, 0), "{found:?}");
    let rescued = State::open(&to).expect("a store");
    assert_sound(&rescued);
    let mut reader = rescued.open_blob(&last.expect("a blob")).expect("there");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader, &mut text).expect("content");
    assert_eq!(text, "content 299");
}

#[test]
fn every_sound_version_is_got_out_of_a_damaged_file() {
    let place = Place::new();
    let (state, before) = furnished(&place);
    drop(state);
    let (leaves, _) = pages(&place.db());
    assert!(leaves.len() > 20);
    let damaged = place.at("damaged.db");
    copy_outside(&place.db(), &damaged);
    // A page in the middle, two that meet, the last one; and a flipped bit.
    let last = leaves.len() - 1;
    for at in [5, 10, 11, last] {
        spoil(&damaged, leaves[at]);
    }
    let mut bytes = fs::read(&damaged).expect("a file");
    let row = bytes
        .windows(9)
        .position(|w| w == b"body 1000")
        .expect("the row");
    bytes[row] = b'B';
    fs::write(&damaged, &bytes).expect("a file");

    let to = place.at("rescued.db");
    let mut progress = 0;
    let salvaged = State::salvage(&damaged, &to, &mut |now| progress = now.done);
    let salvaged = salvaged.expect("most of it");
    assert_eq!(
        fs::read(&damaged).expect("a file"),
        bytes,
        "it is only read"
    );
    let table = &salvaged.tables[0];
    let per_page = 2001 / leaves.len() as u64;
    assert!(table.versions > 2001 - 6 * per_page, "{table:?}");
    assert!(table.versions < 2000 && table.unproven >= 2, "{table:?}");
    let ranges = table
        .lost
        .iter()
        .filter(|line| line.contains("cannot be read"))
        .count();
    let flipped = table
        .lost
        .iter()
        .filter(|line| line.contains("is not what was written"));
    assert_eq!((ranges, flipped.count()), (3, 1), "{:?}", table.lost);
    let rescued = State::open(&to).expect("a store");
    assert_sound(&rescued);
    // What is there, is as it was.
    let original = place.open();
    let rows = rescued.rows("notes").expect("a table");
    let old = original.rows("notes").expect("a table");
    let mut same = 0;
    for (_, row) in &before {
        for version in rows.history(&row.id).expect("a read") {
            let idx = version.version.idx;
            let was = old.version(&row.id, idx).expect("a read").expect("there");
            assert_eq!(was.record, version.record, "{idx}");
            same += 1;
        }
    }
    assert!(same > 1800, "{same}");
    rows.append(&note("goes on", 1)).expect("new");
    assert_sound(&rescued);
    assert_eq!(
        refusal(State::salvage(&damaged, &to, &mut |_| {})),
        "FileExists"
    );
    let nobody = State::salvage(place.at("nobody.db"), place.at("x.db"), &mut |_| {});
    assert_eq!(refusal(nobody), "NoStore");
    let open = State::salvage(&to, place.at("x.db"), &mut |_| {});
    assert_eq!(refusal(open), "NotAStore");
}

#[test]
fn what_a_newer_format_would_add_is_told_as_lost() {
    let place = Place::new();
    let (state, _) = furnished(&place);
    let before = all(&state);
    drop(state);
    let mut bytes = std::fs::read(place.db()).expect("a file");
    bytes[63] += 1;
    std::fs::write(place.db(), bytes).expect("a file");
    assert_eq!(refusal(State::open(place.db())), "NewerFormat");
    let to = place.at("rescued.db");
    let salvaged = State::salvage(place.db(), &to, &mut |_| {}).expect("what is known");
    assert!(
        matches!(salvaged.lost.as_slice(), [line] if line.contains("if the file is of format")),
        "{:?}",
        salvaged.lost
    );
    assert_eq!(all(&State::open(&to).expect("a store")), before);
}

#[test]
fn a_sound_file_is_salvaged_whole_and_what_was_erased_stays_so() {
    let place = Place::new();
    let (state, _) = furnished(&place);
    state.erase("notes", &["id-100"]).expect("there");
    let keep = dkdc_state::Keep::Versions(3.try_into().expect("three"));
    let floor = state.prune("notes", keep).expect("pruned").floor;
    let before = all(&state);
    drop(state);
    let to = place.at("rescued.db");
    let salvaged = State::salvage(place.db(), &to, &mut |_| {}).expect("all of it");
    let table = &salvaged.tables[0];
    assert_eq!((table.lost.len(), table.unproven), (0, 0), "{table:?}");
    let rescued = State::open(&to).expect("a store");
    assert_sound(&rescued);
    assert_eq!(all(&rescued), before);
    let early = Idx::from_micros(floor.as_micros() - 1);
    let early = rescued
        .at(early.into())
        .and_then(|then| then.rows("notes")?.count());
    assert_eq!(refusal(early), "OutsideHistory");
    let waits = rescued.rows("notes").expect("a table").history("id-100");
    assert!(waits.expect("a read").is_empty());
}
