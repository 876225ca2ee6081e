//! One process reads a file of the mirror while another replaces it.
//!
//! The failure to prevent: a long report stops with "no such file" because
//! somebody merged its history meanwhile; or nobody dares to remove anything,
//! and the folder fills the disk.

use std::fs;
use std::path::{Path, PathBuf};

use dkdc_state::{ColumnDef, ColumnType, Result, Row, State, Table, TableDef};

use crate::support::{Place, quick};

const ROWS: i64 = 20_000;

/// Where a thousand versions make a file, and nothing stays in memory.
fn open(place: &Place) -> (State, Table<Row>) {
    let options = quick().seal_rows(1000).hot_rows_bytes(0);
    let state = options.open(place.db()).expect("a store");
    let table = TableDef::new("t").column(ColumnDef::new("n", ColumnType::Int));
    let table = state.define(&table).expect("a table");
    (state, table)
}

fn rows(n: i64) -> Vec<Row> {
    (0..ROWS)
        .map(|id| Row::new(format!("r{id}")).with("n", n))
        .collect()
}

fn folder(place: &Place) -> PathBuf {
    place.db().with_file_name("data.db-mirror")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "parquet"));
    files.sort();
    files
}

#[test]
fn a_file_that_is_read_stays_until_it_is_not() {
    let place = Place::new();
    let (state, table) = open(&place);
    table.append_all(&rows(1)).expect("appended");
    state.keep_mirror().expect("kept");
    let before = files(&folder(&place));
    let mut answer = state.sql("select n from t").expect("an answer");
    let first = answer.next().expect("rows").expect("rows").num_rows();

    table.update_all(&rows(2)).expect("updated");
    state.keep_mirror().expect("kept");
    for path in &before {
        assert!(path.exists(), "{} is being read", path.display());
    }
    let rest: Result<Vec<_>> = answer.collect();
    let rest: usize = rest.expect("rows").iter().map(|b| b.num_rows()).sum();
    assert_eq!(first + rest, usize::try_from(ROWS).expect("few"));

    table.update_all(&rows(3)).expect("updated");
    state.keep_mirror().expect("kept");
    let current = |path: &&PathBuf| path.to_string_lossy().contains("-current-");
    let replaced = before.iter().find(current).expect("current rows");
    assert!(!replaced.exists(), "nobody reads it any more");
    let now = files(&folder(&place));
    assert_eq!(now.iter().filter(current).count(), 1, "{now:?}");
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let place = Place::new();
    let (state, table) = open(&place);
    table.append_all(&rows(1)).expect("appended");
    state.keep_mirror().expect("kept");
    let leftovers = [
        "draft-0123456789abcdef",
        "1-1795341600000000-0123456789abcdef.parquet",
        "1-current-1795341600000000-0123456789abcdef.parquet",
    ];
    for name in leftovers.iter().chain(&["my own.parquet", "notes.txt"]) {
        fs::write(folder(&place).join(name), "half a fi").expect("written");
    }
    table.update_all(&rows(2)).expect("updated");
    state.keep_mirror().expect("kept");
    for name in leftovers {
        assert!(!folder(&place).join(name).exists(), "{name}");
    }
    for name in ["my own.parquet", "notes.txt"] {
        assert!(folder(&place).join(name).exists(), "{name} is not ours");
    }
}

#[test]
fn what_was_verified_is_recorded_and_a_torn_record_is_no_harm() {
    let place = Place::new();
    let (state, table) = open(&place);
    table.append_all(&rows(1)).expect("appended");
    state.keep_mirror().expect("kept");
    drop((state, table));
    let record = folder(&place).join("verified");
    let whole = fs::read_to_string(&record).expect("a record");
    for path in files(&folder(&place)) {
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(whole.contains(&*name), "{name} in {whole}");
    }
    for torn in [
        "",
        "\u{0}",
        &whole[..whole.len() / 2],
        &whole.replace(' ', ""),
    ] {
        fs::write(&record, torn).expect("written");
        let (state, _) = open(&place);
        let answer: Result<Vec<_>> = state.sql("from t").and_then(Iterator::collect);
        let found: usize = answer.expect("rows").iter().map(|b| b.num_rows()).sum();
        assert_eq!(found, usize::try_from(ROWS).expect("few"));
        drop(state);
        let again = fs::read_to_string(&record).expect("a record");
        assert_eq!(again.lines().count(), whole.lines().count(), "{again}");
    }
}
