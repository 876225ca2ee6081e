//! An engine that is not ours (Python's, say) takes rows as Arrow: from files
//! where the mirror has some, from the log for the rest.
//!
//! The failure to prevent: it is given a row that was replaced, one too few, or
//! one of a moment that was not asked for; or the default of a column that came
//! later is lost on the way.

use arrow_select::concat::concat_batches;
use dkdc_state::arrow_array::{ArrayRef, RecordBatch};
use dkdc_state::{ColumnDef, ColumnType, Idx, Result, Row, Snapshot, State, Table, TableDef};

use crate::support::{Place, note, notes};

fn columns(batches: impl Iterator<Item = Result<RecordBatch>>) -> Vec<ArrayRef> {
    let batches: Vec<RecordBatch> = batches.map(|batch| batch.expect("a batch")).collect();
    let Some(first) = batches.first() else {
        return Vec::new();
    };
    let all = concat_batches(&first.schema(), &batches).expect("one schema");
    all.columns().to_vec()
}

/// Both kinds of scan give what SQL does.
fn assert_same(snapshot: &Snapshot, after: Idx) {
    let current = snapshot.current("notes").expect("a scan");
    let asked = snapshot
        .sql("SELECT * FROM notes ORDER BY idx")
        .expect("rows");
    assert_eq!(columns(current), columns(asked), "current at {snapshot:?}");
    let scan = snapshot.scan("notes", after).expect("a scan");
    let names: Vec<String> = scan
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    let own = names[..names.len() - 2].join(", ");
    let asked = format!(
        "SELECT {own}, prev AS _prev, CASE op WHEN 'append' THEN 1 WHEN 'update' THEN 2 \
         WHEN 'delete' THEN 3 WHEN 'restore' THEN 4 ELSE 5 END::BIGINT AS _op \
         FROM history.notes WHERE idx > make_timestamp({after}) ORDER BY idx"
    );
    let asked = snapshot.sql(&asked).expect("rows");
    assert_eq!(
        columns(scan),
        columns(asked),
        "history at {snapshot:?} after {after}"
    );
}

/// New records, changes of old ones, deletes, and one restored.
fn write(table: &Table<Row>, round: i64) {
    let new: Vec<Row> = (0..300)
        .map(|n| note(&format!("r{round}-{n}"), n))
        .collect();
    table.append_all(&new).expect("new");
    for n in 0..40 {
        let id = format!("r{}-{}", (round - n % 3).max(0), n * 7);
        if table.contains(&id).expect("known") {
            table.update(&note(&id, -n)).expect("there");
        }
    }
    let gone = format!("r{round}-1");
    let before = table.get(&gone).expect("read").expect("there").version.idx;
    table.delete(&gone).expect("there");
    table.delete(&format!("r{round}-2")).expect("there");
    table.restore(&gone, before).expect("there was one");
}

fn check_all(state: &State, taken: &[Snapshot]) {
    for (at, snapshot) in taken.iter().enumerate() {
        assert_same(snapshot, Idx::ZERO);
        assert_same(snapshot, taken[at / 2].idx());
    }
    let report = state.check().expect("a check");
    assert!(report.is_sound() && report.mirror.is_empty(), "{report:?}");
}

#[test]
fn at_every_snapshot_whatever_was_sealed_since() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let mut taken = Vec::new();
    for round in 0..6 {
        write(&table, round);
        taken.push(state.snapshot().expect("a snapshot"));
        if round % 2 == 1 {
            state.seal_mirror().expect("a mirror");
            write(&table, round + 100);
            taken.push(state.snapshot().expect("a snapshot"));
        }
    }
    check_all(&state, &taken);
    state.rebuild_mirror().expect("one file");
    check_all(&state, &taken);
    state.drop_mirror().expect("no file");
    check_all(&state, &taken);
}

#[test]
fn columns_that_came_later_have_their_defaults() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    write(&table, 0);
    state.seal_mirror().expect("a mirror");
    let late = ColumnDef::new("unit", ColumnType::Text).default("it's");
    state
        .define(&TableDef::new("notes").column(late))
        .expect("a column");
    write(&table, 1);
    let newest = [state.snapshot().expect("a snapshot")];
    check_all(&state, &newest);
    state.seal_mirror().expect("a mirror");
    check_all(&state, &newest);
    state
        .rename_column("notes", "unit", "measure")
        .expect("renamed");
    assert_same(&state.snapshot().expect("a snapshot"), Idx::ZERO);
}

#[test]
fn damaged_files_are_not_read() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    write(&table, 0);
    state.seal_mirror().expect("a mirror");
    write(&table, 1);
    for entry in std::fs::read_dir(place.at("data.db-mirror")).expect("a folder") {
        std::fs::remove_file(entry.expect("an entry").path()).expect("removed");
    }
    assert_same(&state.snapshot().expect("a snapshot"), Idx::ZERO);
}

#[test]
fn an_event_tells_that_rows_must_be_read_again() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    write(&table, 0);
    let scan = |state: &State| {
        state
            .snapshot()
            .and_then(|now| now.scan("notes", Idx::ZERO))
    };
    let before = scan(&state).expect("a scan").event();
    write(&table, 1);
    assert_eq!(scan(&state).expect("a scan").event(), before);
    state.clear(&["notes"]).expect("cleared");
    let cleared = scan(&state).expect("a scan");
    assert!(cleared.event() > before);
    assert_eq!(columns(cleared), Vec::<ArrayRef>::new());
}
