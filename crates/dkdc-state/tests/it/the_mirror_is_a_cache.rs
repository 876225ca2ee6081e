//! A file of the mirror went bad, and nobody noticed for a month.
//!
//! It was truncated by a full disk, flipped by a failing one, swapped with one
//! of another store, deleted by a tidy colleague. Each time the answer must be
//! the log's, and the file written again when it is due.

use std::fs;
use std::path::PathBuf;

use dkdc_state::arrow_array::cast::AsArray;
use dkdc_state::arrow_array::types::Int64Type;
use dkdc_state::{ColumnDef, ColumnType, ListItem, Result, Row, State, Table, TableDef, Value};

use crate::support::until;

const ROWS: i64 = 20_000;

type Damage = fn(&mut Vec<u8>);

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.db");
        Place {
            _folder: folder,
            path,
        }
    }

    fn open(&self) -> State {
        State::open(&self.path).expect("a store")
    }

    fn folder(&self) -> PathBuf {
        self.path.with_file_name("data.db-mirror")
    }

    /// What is in the folder, by name; what was verified is no file of rows.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.folder()) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut files: Vec<PathBuf> = paths.filter(|path| !path.ends_with("verified")).collect();
        files.sort();
        files
    }

    /// Waits until the mirror has what [`fill`] wrote: history, current rows.
    #[track_caller]
    fn sealed(&self) -> Vec<PathBuf> {
        let is = |path: &PathBuf, what: &str| path.to_string_lossy().contains(what);
        until("history and current rows are files", || {
            let files = self.files();
            files.len() == 2
                && files.iter().all(|path| is(path, ".parquet"))
                && files.iter().filter(|path| is(path, "-current-")).count() == 1
        });
        self.files()
    }
}

fn fill(state: &State) -> Table<Row> {
    let table = TableDef::new("t")
        .column(ColumnDef::new("n", ColumnType::Int))
        .column(ColumnDef::new("tags", ColumnType::List(ListItem::Text)))
        .column(ColumnDef::new("content", ColumnType::Blob))
        .column(ColumnDef::new("raw", ColumnType::Bytes));
    let table = state.define(&table).expect("a table");
    let blob = state.put_blob(&b"hello"[..]).expect("content");
    let rows: Vec<Row> = (0..ROWS)
        .map(|n| {
            Row::new(format!("{n:05}"))
                .with("n", n)
                .with("tags", vec!["a,b", "c"])
                .with("content", blob)
                .with("raw", vec![0u8, 255])
        })
        .collect();
    table.append_all(&rows).expect("appended");
    table
        .update(&Row::new("00001").with("n", 0))
        .expect("updated");
    table.delete("00002").expect("deleted");
    table
}

fn int(state: &State, query: &str) -> i64 {
    let batches: Result<Vec<_>> = state.sql(query).and_then(Iterator::collect);
    let batches = batches.unwrap_or_else(|error| panic!("{query}: {error}"));
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

/// What the rows of [`fill`] answer.
fn assert_whole(state: &State) {
    let sum = ROWS * (ROWS - 1) / 2;
    assert_eq!(int(state, "select count(*) from t"), ROWS - 1);
    assert_eq!(int(state, "select sum(n)::bigint from t"), sum - 1 - 2);
    assert_eq!(int(state, "select count(*) from history.t"), ROWS + 2);
    assert_eq!(int(state, "select count(*) from t_at('now')"), ROWS - 1);
    let whole = "select count(*) from t where tags[1] = 'a,b' and len(tags) = 2 \
                 and content.size = 5 and len(content.hash) = 64 and raw = '\\x00\\xFF'::blob";
    assert_eq!(int(state, whole), ROWS - 1);
}

#[test]
fn a_large_tail_is_sealed_and_answers_stay_the_same() {
    let place = Place::new();
    let state = place.open();
    let table = fill(&state);
    let before = state.snapshot().expect("a snapshot");
    assert_whole(&state);
    place.sealed();
    assert_whole(&state);
    // A tail on top of the files, and a snapshot from before the tail.
    table
        .update(&Row::new("00003").with("n", 1_000_000))
        .expect("updated");
    assert_eq!(int(&state, "select max(n) from t"), 1_000_000);
    let old: Vec<_> = before
        .sql("select max(n) from t")
        .and_then(Iterator::collect::<Result<_>>)
        .expect("an answer");
    assert_eq!(
        old[0].column(0).as_primitive::<Int64Type>().value(0),
        ROWS - 1
    );
    drop(state);
    assert_eq!(place.files().len(), 2, "a small tail is not sealed");
    let state = place.open();
    assert_eq!(int(&state, "select max(n) from t"), 1_000_000);
}

#[test]
fn a_damaged_file_is_never_read() {
    let damages: [(&str, Damage); 6] = [
        ("empty", Vec::clear),
        ("one byte", |bytes| bytes.truncate(1)),
        ("half", |bytes| bytes.truncate(bytes.len() / 2)),
        ("a byte short", |bytes| bytes.truncate(bytes.len() - 1)),
        ("a bit flipped", |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
        }),
        ("longer", |bytes| bytes.push(0)),
    ];
    for (what, damage) in damages {
        for which in [0, 1] {
            let place = Place::new();
            let state = place.open();
            fill(&state);
            let files = place.sealed();
            assert_whole(&state);
            let mut bytes = fs::read(&files[which]).expect("a file");
            damage(&mut bytes);
            // As a new file, and while the store stays open.
            fs::remove_file(&files[which]).expect("removed");
            fs::write(&files[which], &bytes).expect("written");
            assert_whole(&state);
            // The file was written again, under another name.
            until("the file is written again", || {
                let now = place.files();
                now.len() == 2 && !now.contains(&files[which])
            });
            assert_whole(&state);
            drop(state);
            assert_whole(&place.open());
            assert!(place.open().check().expect("checked").is_sound(), "{what}");
        }
    }
}

#[test]
fn a_missing_folder_is_no_loss() {
    let place = Place::new();
    let state = place.open();
    fill(&state);
    place.sealed();
    assert_whole(&state);
    fs::remove_dir_all(place.folder()).expect("removed");
    assert_whole(&state);
    place.sealed();
    assert_whole(&state);
    drop(state);
    assert_whole(&place.open());
}

#[test]
fn a_folder_that_cannot_be_made_is_done_without() {
    let place = Place::new();
    fs::write(place.folder(), "no folder").expect("a file");
    let state = place.open();
    fill(&state);
    for _ in 0..2 {
        assert_whole(&state);
    }
    drop(state);
    assert_whole(&place.open());
    assert_eq!(
        fs::read_to_string(place.folder()).expect("the file"),
        "no folder"
    );
}

#[test]
fn a_file_of_another_store_is_never_read() {
    let (place, other) = (Place::new(), Place::new());
    let (state, stranger) = (place.open(), other.open());
    fill(&state);
    assert_whole(&state);
    let rows = fill(&stranger);
    rows.update(&Row::new("00000").with("n", 77))
        .expect("updated");
    assert_eq!(
        int(&stranger, "select max(n) from t where id = '00000'"),
        77
    );
    let (ours, theirs) = (place.sealed(), other.sealed());
    for (ours, theirs) in ours.iter().zip(theirs) {
        fs::remove_file(ours).expect("removed");
        fs::copy(theirs, ours).expect("copied");
    }
    assert_whole(&state);
}

#[test]
fn files_outlive_changes_of_the_schema() {
    let place = Place::new();
    let state = place.open();
    let table = fill(&state);
    place.sealed();
    assert_whole(&state);
    state.rename_column("t", "n", "amount").expect("renamed");
    let wider = TableDef::new("t")
        .column(ColumnDef::new("unit", ColumnType::Text).default("it's"))
        .column(
            ColumnDef::new("seen", ColumnType::List(ListItem::Int))
                .default(Value::List(vec![Value::Int(1), Value::Int(2)])),
        );
    state.define(&wider).expect("columns");
    table
        .append(&Row::new("new").with("amount", 5).with("unit", Value::Null))
        .expect("appended");
    assert_eq!(
        int(&state, "select count(*) from t where unit = 'it''s'"),
        ROWS - 1
    );
    assert_eq!(
        int(&state, "select count(*) from t where seen = [1, 2]"),
        ROWS
    );
    assert_eq!(int(&state, "select count(*) from t where unit is null"), 1);
    let deleted = "select count(*) from history.t where op = 'delete' and unit is null";
    assert_eq!(int(&state, deleted), 1);
    assert_eq!(int(&state, "select max(amount) from t"), ROWS - 1);
}

#[test]
fn a_clear_takes_the_files_with_it() {
    let place = Place::new();
    let state = place.open();
    let table = fill(&state);
    place.sealed();
    assert_whole(&state);
    state.clear(&["t"]).expect("cleared");
    assert_eq!(int(&state, "select count(*) from history.t"), 0);
    assert_eq!(place.files().len(), 0);
    table.append(&Row::new("a").with("n", 1)).expect("appended");
    assert_eq!(int(&state, "select count(*) from t"), 1);
}

#[test]
fn threads_that_meet_a_large_tail_leave_one_file_of_each_kind() {
    let place = Place::new();
    fill(&place.open());
    let state = place.open();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_whole(&state));
        }
    });
    place.sealed();
}

#[test]
fn a_process_that_only_reads_seals_what_it_meets() {
    let place = Place::new();
    fill(&place.open());
    let state = place.open();
    assert_whole(&state);
    place.sealed();
}

#[test]
fn a_snapshot_older_than_the_current_rows_is_answered_from_history() {
    let place = Place::new();
    let state = place.open();
    let table = fill(&state);
    let before = state.snapshot().expect("a snapshot");
    let more: Vec<Row> = (0..ROWS)
        .map(|n| Row::new(format!("{n:05}")).with("n", n + 1))
        .collect();
    table.upsert_all(&more).expect("written");
    until("current rows are those of a newer version", || {
        let files = place.files();
        let names = files.iter().filter_map(|path| path.file_name()?.to_str());
        let mut upto = names.filter_map(|name| name.split("-current-").nth(1)?.split('-').next());
        upto.any(|upto| {
            upto.parse()
                .is_ok_and(|upto: i64| upto > before.idx().as_micros())
        })
    });
    let sum = ROWS * (ROWS + 1) / 2;
    let then = || {
        let batches = before
            .sql("select sum(n)::bigint from t")
            .and_then(Iterator::collect::<Result<Vec<_>>>);
        let batches = batches.expect("an answer");
        batches[0].column(0).as_primitive::<Int64Type>().value(0)
    };
    for _ in 0..3 {
        assert_eq!(then(), ROWS * (ROWS - 1) / 2 - 1 - 2);
        assert_eq!(int(&state, "select sum(n)::bigint from t"), sum);
    }
}
