//! Somebody brings the mirror up to date before a backup, takes it away to save
//! space, or wants proof that it says what the store says.
//!
//! The failure to prevent: a check that is content with files that lie, or that
//! calls a store damaged because a cache is gone; an order that loses rows.

use std::sync::atomic::{AtomicBool, Ordering};

use dkdc_state::{ColumnDef, ColumnType, Error, Row, State, TableDef};

use crate::support::{Place, intruder, note, notes};

/// Two files: history and current rows.
fn sealed(place: &Place) -> State {
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let rows: Vec<Row> = (0..1000).map(|n| note(&format!("k{n}"), n)).collect();
    table.append_all(&rows).expect("new");
    for n in 0..100 {
        table.update(&note(&format!("k{n}"), -n)).expect("there");
    }
    table.delete("k5").expect("there");
    state.seal_mirror().expect("a mirror");
    state
}

fn files(place: &Place) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(place.at("data.db-mirror")).expect("a folder");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    paths.sort();
    paths
}

#[test]
fn sealing_leaves_no_tail() {
    let place = Place::new();
    let state = sealed(&place);
    let status = &state.mirror_status().expect("a status")[0];
    assert_eq!((status.versions, status.tail), (1101, 0));
    assert_eq!((status.current, status.files), (Some(999), 2));
    assert_eq!(status.upto, Some(state.last().expect("a version")));
    let bytes: u64 = files(&place)
        .iter()
        .map(|path| path.metadata().expect("a file").len())
        .sum();
    assert_eq!(status.bytes, bytes);
    // And again: nothing is to be done.
    let before = files(&place);
    state.seal_mirror().expect("a mirror");
    assert_eq!(files(&place), before);
    // One more row, one more file of history; the current rows are of then.
    state
        .rows("notes")
        .and_then(|table| table.append(&note("new", 1)))
        .expect("new");
    assert_eq!(state.mirror_status().expect("a status")[0].tail, 1);
    state.seal_mirror().expect("a mirror");
    let status = &state.mirror_status().expect("a status")[0];
    assert_eq!((status.tail, status.current), (0, Some(1000)));
    assert!(state.check().expect("a check").is_sound());
}

#[test]
fn what_is_taken_away_comes_back_as_it_was() {
    let place = Place::new();
    let state = sealed(&place);
    state.drop_mirror().expect("dropped");
    assert_eq!(files(&place), Vec::<std::path::PathBuf>::new());
    let status = &state.mirror_status().expect("a status")[0];
    assert_eq!((status.versions, status.tail, status.files), (0, 1101, 0));
    assert_eq!(status.current, None);
    let report = state.check().expect("a check");
    assert!(report.is_sound() && report.mirror.is_empty(), "{report:?}");
    state.rebuild_mirror().expect("a mirror");
    let status = &state.mirror_status().expect("a status")[0];
    assert_eq!((status.versions, status.tail, status.files), (1101, 0, 2));
    assert!(state.check().expect("a check").is_sound());
}

#[test]
fn a_file_that_is_gone_or_altered_is_named_and_is_no_damage() {
    let place = Place::new();
    let state = sealed(&place);
    for (at, path) in files(&place).into_iter().enumerate() {
        let mut bytes = std::fs::read(&path).expect("a file");
        std::fs::remove_file(&path).expect("removed");
        if at == 0 {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, &bytes).expect("a file");
        }
    }
    let report = state.check().expect("a check");
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.mirror.len(), 2, "{report:?}");
    assert!(report.mirror[0].contains("(notes) is not what was written"));
    state.rebuild_mirror().expect("a mirror");
    assert!(state.check().expect("a check").mirror.is_empty());
}

#[test]
fn a_file_that_says_something_else_than_the_log_is_damage() {
    for (change, files) in [
        (
            "UPDATE notes SET body = 'other' WHERE id = 'k7' AND _op = 1",
            1,
        ),
        ("UPDATE notes SET n = 4 WHERE id = 'k900'", 2),
        ("UPDATE notes SET _op = 2 WHERE id = 'k5' AND _op = 3", 2),
        ("DELETE FROM notes WHERE id = 'k900'", 2),
        ("DELETE FROM notes WHERE id = 'k7' AND _op = 2", 2),
        (
            "INSERT INTO notes(idx, id, _op, _seal, _hash) \
             SELECT min(idx) - 1, 'x', 1, _seal, _hash FROM notes",
            2,
        ),
    ] {
        let place = Place::new();
        let state = sealed(&place);
        intruder(&place.db()).execute_batch(change).expect(change);
        let report = state.check().expect("a check");
        let named = report
            .damage
            .iter()
            .filter(|line| line.starts_with("mirror: "));
        assert_eq!(named.count(), files, "{change}: {report:?}");
        assert!(report.mirror.is_empty(), "{change}: {report:?}");
    }
}

#[test]
fn a_read_only_store_takes_no_orders() {
    let place = Place::new();
    drop(sealed(&place));
    let state = State::options()
        .read_only(true)
        .open(place.db())
        .expect("a store");
    for refused in [
        state.seal_mirror(),
        state.drop_mirror(),
        state.rebuild_mirror(),
    ] {
        assert!(
            matches!(refused, Err(Error::ReadOnly { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(files(&place).len(), 2);
    assert!(state.check().expect("a check").is_sound());
}

#[test]
fn what_is_in_the_way_of_the_folder_is_named() {
    let place = Place::new();
    let state = sealed(&place);
    let folder = place.at("data.db-mirror");
    std::fs::remove_dir_all(&folder).expect("removed");
    std::fs::write(&folder, "mine").expect("a file");
    for refused in [
        state.seal_mirror(),
        state.drop_mirror(),
        state.rebuild_mirror(),
    ] {
        let error = refused.expect_err("there is no folder").to_string();
        assert!(error.contains("data.db-mirror"), "{error}");
        assert!(error.contains("it is no folder"), "{error}");
    }
    assert_eq!(std::fs::read(&folder).expect("a file"), b"mine");
    // Questions need no mirror.
    let batches = state.sql("from notes").expect("an answer");
    let rows: usize = batches.map(|b| b.expect("rows").num_rows()).sum();
    assert_eq!(rows, 999);
}

#[test]
fn files_that_are_older_than_a_column_are_sound() {
    let place = Place::new();
    let state = sealed(&place);
    let late = ColumnDef::new("unit", ColumnType::Text).default("it's");
    let wider = TableDef::new("notes").column(late);
    state.define(&wider).expect("a column");
    let report = state.check().expect("a check");
    assert!(report.is_sound() && report.mirror.is_empty(), "{report:?}");
}

#[test]
fn sealing_gets_its_turn_beside_writers_without_pause() {
    let place = Place::new();
    let state = State::open(place.db()).expect("a store");
    let table = state.define(&notes()).expect("a table");
    let done = AtomicBool::new(false);
    let versions = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                table.append(&note(&format!("k{n}"), n)).expect("new");
                n += 1;
            }
            n
        });
        let rebuilt = (0..20).try_for_each(|_| state.rebuild_mirror());
        done.store(true, Ordering::Relaxed);
        rebuilt.expect("a mirror");
        writer.join().expect("a writer")
    });
    state.seal_mirror().expect("a mirror");
    let status = &state.mirror_status().expect("a status")[0];
    assert_eq!(status.current, u64::try_from(versions).ok());
}
