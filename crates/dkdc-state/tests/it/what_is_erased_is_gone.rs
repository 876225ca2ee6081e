//! Somebody asks for their data to be erased, and it is.
//!
//! The failure to prevent: the record is gone from every answer, a letter says
//! so, and a year later its text is found in a free page of the file, in a Parquet
//! file beside it, or in the answer of a process that has been running since; or
//! it is gone, and the store can no longer be told from one that was tampered with.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dkdc_state::{
    ChangeKind, ColumnDef, ColumnType, EventKind, Idx, IndexDef, ListItem, Nulls, Op, Row, Select,
    State, Table, TableDef, Value,
};
use rusqlite::Connection;

use crate::support::{Place, assert_sound, intruder, note, notes, other_program, quick, refusal};
#[cfg(feature = "query")]
use crate::workers::{Worker, listen, say};

/// What is looked for: in the id and in every column that can hold it.
const SECRET: &str = "Wilhelmina-Q-Featherstonehaugh";
/// The id of the record that is erased.
const ID: &str = "id-of-Wilhelmina-Q-Featherstonehaugh";

/// The content of a file, read by another process: opening a store's file in
/// this one would drop its locks.
fn content(path: &Path) -> Vec<u8> {
    let read = Command::new("cat").arg(path).output().expect("cat runs");
    assert!(read.status.success(), "{}", path.display());
    read.stdout
}

/// The files of a folder, and of those in it, that hold some bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if content(&path).windows(bytes.len()).any(|w| w == bytes) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[track_caller]
fn assert_nowhere(folder: &Path) {
    for bytes in [SECRET.as_bytes(), &[0xfe, b'S', 0xfd, b'S', 0xfc, b'S']] {
        assert_eq!(holding(folder, bytes), [""; 0]);
    }
}

fn people() -> TableDef {
    TableDef::new("people")
        .column(ColumnDef::new("name", ColumnType::Text))
        .column(ColumnDef::new("tags", ColumnType::List(ListItem::Text)))
        .column(ColumnDef::new("raw", ColumnType::Bytes))
        .column(ColumnDef::new("more", ColumnType::Json))
        .column(ColumnDef::new("photo", ColumnType::Blob))
        .index(IndexDef::new(["name", "-idx"]))
        .index(IndexDef::new(["name", "raw"]).unique(Nulls::Distinct))
}

fn secret(state: &State, n: usize) -> Row {
    let photo = state.put_blob(format!("photo {n} of {SECRET}").as_bytes());
    Row::new(ID)
        .with("name", format!("{SECRET} {n}"))
        .with("tags", vec![format!("tag {SECRET}"), "b".to_owned()])
        .with("raw", vec![0xfeu8, b'S', 0xfd, b'S', 0xfc, b'S', 1])
        .with(
            "more",
            Value::Json(dkdc_state::serde_json::json!({ SECRET: n })),
        )
        .with("photo", photo.expect("content"))
}

fn other(n: usize) -> Row {
    // In no order, so that pages of heads and indexes are split.
    Row::new(format!("{:08x}", n.wrapping_mul(2_654_435_761) % (1 << 32)))
        .with("name", format!("name {}", n * 7919 % 5003))
        .with("raw", n.to_le_bytes().to_vec())
}

/// A store in which the secret is in every place it can be in.
fn furnished(state: &State) -> Table<Row> {
    let table = state.define(&people()).expect("a table");
    for part in 0..10 {
        let rows: Vec<Row> = (0..300).map(|n| other(part * 300 + n)).collect();
        table.append_all(&rows).expect("new");
        table.upsert(&secret(state, part)).expect("either");
    }
    for n in 0..100 {
        table.update(&secret(state, 10 + n)).expect("there");
    }
    table.delete(ID).expect("there");
    let large = secret(state, 0).with("name", format!("{SECRET} ").repeat(3000));
    table.append(&large).expect("new");
    table.update(&secret(state, 200)).expect("there");
    table
}

fn all(table: &Table<Row>) -> Vec<(Idx, Row)> {
    let rows = table.list(&Select::new()).expect("a list");
    rows.into_iter()
        .map(|row| (row.idx(), row.record))
        .collect()
}

#[test]
fn no_file_of_the_store_holds_it_and_the_chain_is_whole() {
    let place = Place::new();
    let state = quick().open(place.db()).expect("a store");
    let table = furnished(&state);
    state.seal_mirror().expect("files");
    table.update(&secret(&state, 201)).expect("there");
    assert!(!holding(place.folder(), SECRET.as_bytes()).is_empty());
    let mut before = all(&table);
    before.retain(|(_, row)| row.id != ID);
    let then = state.last().expect("a read");

    let erased = state.erase("people", &[ID]).expect("it is there");
    assert_eq!(erased.left, [""; 0]);
    assert_eq!((erased.records, erased.versions), (1, 114));
    assert_eq!(erased.blobs, 112, "photos");
    assert_nowhere(place.folder());
    assert_sound(&state);
    assert_eq!(all(&table), before, "nobody else's");
    assert!(!table.contains(ID).expect("a read"));
    assert!(table.get(ID).expect("a read").is_none());
    assert!(table.history(ID).expect("a read").is_empty());
    assert!(table.ids("id-of", 1).expect("a read").is_empty());
    assert_eq!(table.count().expect("a read"), 3000);
    let past = state.at(then.into()).expect("in history").rows("people");
    let past = past.expect("a table");
    assert!(past.get(ID).expect("a read").is_none());
    assert_eq!(past.count().expect("a read"), 3000);

    let event = state.events().expect("events").pop().expect("an event");
    assert_eq!(event.kind, EventKind::Erase);
    assert_eq!(event.detail["versions"], 114);
    let changes = state.changes(Idx::ZERO).expect("changes");
    let stubs = changes.filter(|change| match &change.as_ref().expect("a change").kind {
        ChangeKind::Version {
            id, version, row, ..
        } if version.op == Op::Erased => {
            assert!(id.is_empty() && row.is_none() && version.prev.is_none());
            true
        }
        _ => false,
    });
    assert_eq!(stubs.count(), 114);

    // What is made from the log again has nothing of it, and the id is free.
    state.seal_mirror().expect("files");
    table.append(&other(9999)).expect("new");
    assert_nowhere(place.folder());
    table
        .append(&Row::new(ID).with("name", "again"))
        .expect("free");
    assert_eq!(table.history(ID).expect("a read").len(), 1);
    assert_sound(&state);
    drop((table, state));
    let state = place.open();
    assert_sound(&state);
    assert_eq!(
        state
            .rows("people")
            .and_then(|t| t.count())
            .expect("a count"),
        3002
    );
}

#[test]
fn several_go_together_or_none_does() {
    let place = Place::new();
    let state = place.open();
    let table = furnished(&state);
    let (a, b) = (other(1).id, other(2).id);
    assert_eq!(refusal(state.erase("people", &[&a, "nobody"])), "NotFound");
    assert_eq!(refusal(state.erase("nothing", &[&a])), "UnknownTable");
    assert!(table.contains(&a).expect("a read"));
    let erased = state.erase("people", &[&a, &b, &a]).expect("both");
    assert_eq!((erased.records, erased.versions), (2, 2));
    assert_eq!(refusal(state.erase("people", &[&a])), "NotFound");
    assert_eq!(table.count().expect("a count"), 2999);
    assert_sound(&state);
    let reader = State::options().read_only(true);
    drop((table, state));
    let reader = reader.open(place.db()).expect("a store");
    assert_eq!(refusal(reader.erase("people", &[ID])), "ReadOnly");
}

/// Stubs have no id, and no record's is empty: nothing has that.
#[test]
fn a_stub_is_nobodys_record() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let idx = table.append(&note("a", 1)).expect("new").idx;
    state.erase("notes", &["a"]).expect("there");
    assert_eq!(refusal(state.erase("notes", &[""])), "NotFound");
    for id in ["", "a"] {
        assert_eq!(table.version(id, idx).expect("a read"), None, "{id:?}");
        assert!(table.history(id).expect("a read").is_empty(), "{id:?}");
        assert!(table.restore(id, idx).is_err(), "{id:?}");
    }
    assert_sound(&state);
}

#[test]
fn content_that_another_record_names_stays() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&people()).expect("a table");
    let shared = state.put_blob(&b"shared"[..]).expect("content");
    let own = state.put_blob(&b"own"[..]).expect("content");
    for (id, photo) in [("a", shared), ("b", shared), ("a", own)] {
        table
            .upsert(&Row::new(id).with("photo", photo))
            .expect("either");
    }
    assert_eq!(state.erase("people", &["a"]).expect("there").blobs, 1);
    assert!(state.open_blob(&shared).is_ok());
    assert_eq!(refusal(state.open_blob(&own)), "NoSuchBlob");
    assert_sound(&state);
}

/// A reader of another program's, in another thread's connection.
fn reading(path: &Path) -> Connection {
    let conn = other_program(path);
    conn.execute_batch("BEGIN").expect("a transaction");
    let count = conn.query_row("SELECT count(*) FROM people", [], |row| {
        row.get::<_, i64>(0)
    });
    assert!(count.expect("a count") > 0);
    conn
}

#[test]
fn who_prevents_it_is_said_and_a_vacuum_ends_it() {
    let place = Place::new();
    let options = quick().busy_timeout(Duration::from_millis(300));
    let state = options.open(place.db()).expect("a store");
    furnished(&state);
    // Not by a second SQLite, but by the same one, as a process beside would.
    let reader = reading(&place.db());
    let erased = state.erase("people", &[ID]).expect("there");
    assert_eq!(erased.left.len(), 1, "{:?}", erased.left);
    assert!(erased.left[0].contains("data.db-wal"), "{:?}", erased.left);
    drop(reader);
    let vacuumed = state.vacuum().expect("room");
    assert_eq!(vacuumed.left, [""; 0]);
    assert_nowhere(place.folder());
    assert_sound(&state);
}

#[cfg(feature = "query")]
#[test]
fn a_question_under_way_is_said_to_hold_its_files() {
    let place = Place::new();
    let options = quick().busy_timeout(Duration::from_millis(300));
    let state = options.hot_rows_bytes(0).open(place.db()).expect("a store");
    furnished(&state);
    state.seal_mirror().expect("files");
    let mut answer = state
        .sql("select a.name from history.people a, history.people b")
        .expect("an answer");
    assert!(answer.next().expect("rows").is_ok());
    let erased = state.erase("people", &[ID]).expect("there");
    assert!(!erased.left.is_empty());
    let named = erased.left.iter().all(|line| line.contains(".parquet"));
    assert!(named, "{:?}", erased.left);
    drop(answer);
    assert_eq!(state.vacuum().expect("room").left, [""; 0]);
    assert_nowhere(place.folder());
}

/// Worker: answers by every way of reading, each time it is told to.
#[cfg(feature = "query")]
pub(crate) fn serve(args: &[String]) {
    let state = quick().open(&args[0]).expect("a store");
    let table = state.rows("people").expect("a table");
    // A writer has recent heads of its own.
    table.append(&Row::new("w").with("name", "w")).expect("new");
    loop {
        let sql = |query: &str| {
            let batches: Result<Vec<_>, _> = state.sql(query).expect("an answer").collect();
            batches
                .expect("rows")
                .iter()
                .map(|b| b.num_rows())
                .sum::<usize>()
        };
        let like = format!("where name like '%{SECRET}%' or id = '{ID}'");
        let mut hits = 0;
        // More than once, so that rows are kept in memory.
        for _ in 0..3 {
            hits += sql(&format!("from people {like}"));
            hits += sql(&format!("from history.people {like}"));
        }
        hits += usize::from(table.contains(ID).expect("a read"));
        hits += usize::from(table.get(ID).expect("a read").is_some());
        hits += table.ids("id-of", 1).expect("a read").len();
        hits += table.history(ID).expect("a read").len();
        hits += all(&table).iter().filter(|(_, row)| row.id == ID).count();
        let write = table.update(&Row::new(ID).with("raw", vec![1u8]));
        hits += usize::from(write.is_ok());
        say(format!("{hits} {}", table.count().expect("a read")));
        if listen() != "again" {
            return;
        }
    }
}

#[cfg(feature = "query")]
#[test]
fn no_living_process_goes_on_serving_it() {
    let place = Place::new();
    let state = place.open();
    let table = furnished(&state);
    state.seal_mirror().expect("files");
    let mut worker = Worker::start("serve-people", &place.db(), &[]);
    let first = worker.answer();
    assert!(
        !first.starts_with("0 ") && first.ends_with(" 3002"),
        "{first}"
    );
    // This process as well has it in memory.
    let count = || {
        let like = format!("from people where id = '{ID}'");
        let rows: Vec<_> = state.sql(&like).expect("an answer").collect();
        rows.into_iter()
            .map(|b| b.expect("rows").num_rows())
            .sum::<usize>()
    };
    assert_eq!([count(), count(), count()], [1, 1, 1]);
    state.erase("people", &[ID]).expect("there");
    worker.tell("again");
    assert_eq!(worker.answer(), "0 3001");
    worker.tell("end");
    worker.finish();
    assert_eq!([count(), count()], [0, 0]);
    assert!(!table.contains(ID).expect("a read"));
    assert_eq!(state.vacuum().expect("room").left, [""; 0]);
    assert_nowhere(place.folder());
    assert_sound(&state);
}

#[cfg(feature = "query")]
#[test]
fn rows_in_memory_go_with_the_next_question_whatever_it_asks() {
    let place = Place::new();
    let state = place.open();
    furnished(&state);
    let rows = |query: &str| -> usize {
        let batches = state.sql(query).expect("an answer");
        batches.map(|b| b.expect("rows").num_rows()).sum()
    };
    let tables = "from duckdb_tables() where database_name = 'dkdc_hot'";
    for _ in 0..2 {
        rows("from people");
    }
    assert_eq!(rows(tables), 1, "rows are kept from the second question on");
    state.erase("people", &[ID]).expect("there");
    assert_eq!(rows(tables), 0);
    let used = "from duckdb_memory() where tag = 'IN_MEMORY_TABLE' and memory_usage_bytes > 0";
    assert_eq!(rows(used), 0);
}

#[test]
fn a_stub_that_was_made_by_hand_or_holds_something_is_damage() {
    for change in [
        "UPDATE people SET name = 'x' WHERE _op = 5 AND idx = (SELECT min(idx) FROM people WHERE _op = 5)",
        "UPDATE people SET id = 'x' WHERE _op = 5 AND idx = (SELECT max(idx) FROM people WHERE _op = 5)",
        "UPDATE people SET _seal = zeroblob(32) WHERE _op = 5",
        "UPDATE people SET _seal = zeroblob(8) WHERE _op = 5",
    ] {
        let place = Place::new();
        let state = place.open();
        furnished(&state);
        state.erase("people", &[ID]).expect("there");
        assert_sound(&state);
        intruder(&place.db()).execute_batch(change).expect(change);
        let damage = state.check().expect("a check").damage;
        let named = damage
            .iter()
            .any(|line| line.starts_with("people: version "));
        assert!(named, "{change}: {damage:?}");
    }
}
