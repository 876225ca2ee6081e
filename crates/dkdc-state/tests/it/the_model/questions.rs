//! Questions in SQL against the model: every form, at every version, with files
//! of the mirror made, lost and damaged in between.

use std::fs;
use std::path::PathBuf;

use dkdc_state::arrow_array::cast::AsArray;
use dkdc_state::arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use dkdc_state::arrow_array::{Array, ArrayRef, RecordBatch};
use dkdc_state::arrow_schema::DataType;
use dkdc_state::{BlobRef, Idx, Moment, Op, Result, State, Value};
use proptest::prelude::*;

use super::model::{Entry, Model, TableModel};
use super::{NAMES, World};
use crate::support::quick;
use crate::workers::{Worker, say};

/// What happens between two operations.
#[derive(Clone, Copy, Debug)]
pub(super) enum Between {
    Nothing,
    /// What is due in the mirror is done.
    Keep,
    /// Somebody asks for the current rows, and has them in memory then.
    Ask,
    /// Another process makes the mirror anew, and is killed in the middle of it:
    /// after so many times, and a while.
    Kill(usize, usize),
    /// A file of the mirror is damaged, or gone.
    Damage(usize, usize),
    /// The whole folder is gone.
    Lose,
}

pub(super) fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        4 => Just(Between::Nothing),
        4 => Just(Between::Keep),
        4 => Just(Between::Ask),
        2 => (0..8usize, 0..3usize).prop_map(|(file, how)| Between::Damage(file, how)),
        1 => Just(Between::Lose),
        1 => (0..2usize, 0..400usize).prop_map(|(times, looks)| Between::Kill(times, looks)),
    ]
}

impl Between {
    pub(super) fn run(self, world: &World) {
        let state = &world.handles().state;
        let folder = world.place.db().with_file_name("data.db-mirror");
        match self {
            Between::Nothing => {}
            // Another process may be at it: then it is not done here.
            Between::Keep => drop(state.keep_mirror()),
            Between::Ask => now(state, &world.model),
            Between::Kill(times, looks) => {
                let mut worker = Worker::start("make-the-mirror", &world.place.db(), &[]);
                (0..=times).for_each(|_| drop(worker.answer()));
                (0..looks).for_each(|_| drop(fs::read_dir(&folder)));
                drop(worker);
            }
            Between::Damage(file, how) => {
                let files = fs::read_dir(&folder).into_iter().flatten();
                let mut files: Vec<PathBuf> =
                    files.map(|entry| entry.expect("an entry").path()).collect();
                files.sort();
                if let Some(path) = files.get(file) {
                    damage(path, how);
                }
            }
            // A file may come while the others go.
            Between::Lose => drop(fs::remove_dir_all(&folder)),
        }
    }
}

/// A worker that makes the mirror anew until it is killed.
pub(crate) fn make_the_mirror(args: &[String]) {
    let state = quick().seal_rows(3).open(&args[0]).expect("a store");
    loop {
        say("it begins");
        // The files are the other process's too.
        drop(state.rebuild_mirror());
    }
}

/// The mirror's own thread may be faster: then there is nothing to damage.
fn damage(path: &PathBuf, how: usize) {
    let Ok(mut bytes) = fs::read(path) else {
        return;
    };
    let _ = fs::remove_file(path);
    match how {
        0 => return,
        1 => bytes.truncate(bytes.len() / 2),
        _ => {
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 16;
            }
        }
    }
    let _ = fs::write(path, bytes);
}

/// A row of an answer: its version, its id, what was done and to what, values.
type Answered = (i64, String, Option<(String, Option<i64>)>, Vec<Value>);

fn now(state: &State, model: &Model) {
    for (name, table) in NAMES.iter().zip(&model.tables) {
        let found = rows(state.sql(&format!("from {name} order by idx")), false);
        assert_eq!(found, current(table, i64::MAX), "{name} now");
    }
}

/// Every form at every version, the newest first and again at last.
pub(super) fn every_moment(state: &State, model: &Model) {
    now(state, model);
    now(state, model);
    let mut points = model.points();
    points.reverse();
    for point in points {
        let Ok(idx) = model.resolve_idx(point) else {
            continue;
        };
        let moment = Moment::Idx(Idx::from_micros(point));
        let then = state.at(moment).expect("a snapshot");
        for (name, table) in NAMES.iter().zip(&model.tables) {
            if idx < table.floor {
                continue;
            }
            let expected = current(table, idx);
            let found = rows(then.sql(&format!("from {name} order by idx")), false);
            assert_eq!(found, expected, "{name}, snapshot {idx}");
            let found = rows(
                state.sql(&format!("from {name}_at({point}) order by idx")),
                false,
            );
            assert_eq!(found, expected, "{name}_at({point})");
            let of_times = model.resolve_time(point);
            if of_times.as_ref().is_ok_and(|idx| *idx >= table.floor) {
                let idx = of_times.expect("a version");
                let time = format!("{name}_at(make_timestamp({point}))");
                let found = rows(state.sql(&format!("from {time} order by idx")), false);
                assert_eq!(found, current(table, idx), "{time}");
            }
            let history = then.sql(&format!("from history.{name} order by idx"));
            assert_eq!(rows(history, true), versions(table, idx), "history {idx}");
        }
    }
    now(state, model);
}

fn current(table: &TableModel, idx: i64) -> Vec<Answered> {
    let mut entries = table.current(idx);
    entries.sort_by_key(|entry| entry.version.idx);
    let row = |entry: &&Entry| {
        let values = values(table, entry);
        (
            entry.version.idx.as_micros(),
            entry.id.clone(),
            None,
            values,
        )
    };
    entries.iter().map(row).collect()
}

fn versions(table: &TableModel, idx: i64) -> Vec<Answered> {
    let upto = table.log.iter();
    let upto = upto.filter(|entry| entry.version.idx.as_micros() <= idx);
    let row = |entry: &Entry| {
        let version = entry.version;
        let op = match version.op {
            Op::Append => "append",
            Op::Update => "update",
            Op::Delete => "delete",
            Op::Restore => "restore",
            _ => "erased",
        };
        let done = (op.to_owned(), version.prev.map(Idx::as_micros));
        let values = values(table, entry);
        (
            version.idx.as_micros(),
            entry.id.clone(),
            Some(done),
            values,
        )
    };
    upto.map(row).collect()
}

fn values(table: &TableModel, entry: &Entry) -> Vec<Value> {
    match table.row(entry) {
        Some(row) => row.fields.into_iter().map(|(_, value)| value).collect(),
        None => vec![Value::Null; table.columns.len()],
    }
}

fn rows(answer: Result<dkdc_state::Batches>, history: bool) -> Vec<Answered> {
    let batches: Result<Vec<RecordBatch>> = answer.and_then(Iterator::collect);
    let batches = batches.expect("an answer");
    let rows = batches.iter().flat_map(|batch| {
        let columns = batch.num_columns() - if history { 2 } else { 0 };
        (0..batch.num_rows()).map(move |row| {
            let micros = |column: usize| {
                let array = batch.column(column);
                let times = array.as_primitive::<TimestampMicrosecondType>();
                times.is_valid(row).then(|| times.value(row))
            };
            let text = |column: usize| batch.column(column).as_string::<i32>().value(row);
            let done = history.then(|| (text(columns).to_owned(), micros(columns + 1)));
            let values = (2..columns)
                .map(|at| value(batch.column(at), row))
                .collect();
            let idx = micros(0).expect("a version");
            (idx, text(1).to_owned(), done, values)
        })
    });
    rows.collect()
}

fn value(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Utf8 => Value::from(array.as_string::<i32>().value(row)),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Value::List((0..items.len()).map(|at| value(&items, at)).collect())
        }
        DataType::Struct(_) => {
            let fields = array.as_struct();
            let hash = fields.column(0).as_string::<i32>().value(row);
            let size = fields.column(1).as_primitive::<Int64Type>().value(row);
            Value::Blob(BlobRef {
                hash: *blake3::Hash::from_hex(hash).expect("a hash").as_bytes(),
                size: u64::try_from(size).expect("a size"),
            })
        }
        other => panic!("a column of {other}"),
    }
}
