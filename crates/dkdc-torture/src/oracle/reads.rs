//! Every way of reading against the log.

use std::collections::BTreeMap;

use dkdc_state::arrow_array::cast::AsArray;
use dkdc_state::arrow_array::types::{Int64Type, TimestampMicrosecondType};
use dkdc_state::{Idx, Row, Select, State, Table, Value, Versioned};

use super::{Found, Log};
use crate::{Failure, Result, work};

pub(super) const TABLES: [&str; 4] = ["notes", "pairs", "sums", "files"];

/// Current records by `get`, `list`, `count` and SQL, histories, content, and
/// `check`.
pub(super) fn all(state: &State, log: &Log) -> Result<()> {
    // Before `check`, which reads the mirror: what is asked for makes it.
    for table in TABLES {
        one_table(state, log, table)?;
    }
    let report = state.check()?;
    if !report.is_sound() {
        return Err(format!("check: {}", report.damage.join("\n  ")).into());
    }
    Ok(())
}

/// The versions of each record of one table.
type Histories<'l> = BTreeMap<&'l str, Vec<&'l Found>>;

fn one_table(state: &State, log: &Log, name: &str) -> Result<()> {
    let found = log.values().filter(|found| found.table == name);
    let mut histories = Histories::new();
    for found in found {
        histories.entry(&found.id).or_default().push(found);
    }
    if !state.tables()?.iter().any(|table| table.name == name) {
        return match histories.is_empty() {
            true => Ok(()),
            false => Err(format!("there is no table {name}").into()),
        };
    }
    let table = state.rows(name)?;
    for (at, history) in histories.values().enumerate() {
        one_record(state, &table, history)?;
        // All histories of a large store would take longer than the work.
        if history.len() > 1 || at % 16 == 0 {
            one_history(&table, history)?;
        }
    }
    let newest = histories.values().filter_map(|history| history.last());
    let live = newest.filter(|found| found.version.op.is_live());
    let mut current: Vec<Idx> = live.map(|found| found.version.idx).collect();
    current.sort();
    let listed = table.list(&Select::new().order("idx"))?;
    if !listed
        .iter()
        .map(Versioned::idx)
        .eq(current.iter().copied())
    {
        return Err(format!(
            "list {name}: {} records, not {}",
            listed.len(),
            current.len()
        )
        .into());
    }
    let count = table.count()?;
    if count != current.len() as u64 {
        return Err(format!("count {name} is {count}, not {}", current.len()).into());
    }
    in_sql(state, name, &current, &histories)
}

/// `get`, and the content that a record names.
fn one_record(state: &State, table: &Table<Row>, history: &[&Found]) -> Result<()> {
    let newest = history.last().ok_or("BUG: an empty history")?;
    let expected = newest.version.op.is_live().then_some(newest.row.as_ref());
    let expected = expected.flatten();
    let got = table.get(&newest.id)?;
    let same = got.as_ref().map(|got| (got.version, &got.record))
        == expected.map(|row| (newest.version, row));
    if !same {
        return Err(format!("get is {got:?}, not {newest:?}").into());
    }
    if let Some(Value::Blob(blob)) = expected.and_then(|row| row.get("content")) {
        let mut content = Vec::new();
        state.open_blob(blob)?.each(|bytes| {
            content.extend_from_slice(bytes);
            Ok::<(), Failure>(())
        })?;
        let written = work::content(newest.token(), content.len() / 8);
        let whole = !content.is_empty() && content.len() as u64 == blob.size;
        if !whole || content != written {
            return Err(format!("the content of {} is not what was written", newest.id).into());
        }
    }
    Ok(())
}

fn one_history(table: &Table<Row>, history: &[&Found]) -> Result<()> {
    let id = &history[0].id;
    let walked = table.history(id)?;
    let walked = walked.iter().map(|found| (found.version, &found.record));
    let expected = history.iter().map(|found| (found.version, &found.row));
    if walked.eq(expected) {
        Ok(())
    } else {
        Err(format!("the history of {id} is not the log's").into())
    }
}

/// What SQL reads: the mirror's files and the tail.
fn in_sql(state: &State, name: &str, current: &[Idx], histories: &Histories<'_>) -> Result<()> {
    let mut asked = Vec::new();
    for batch in state.sql(&format!("select idx from {name} order by idx"))? {
        let batch = batch?;
        let column = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        asked.extend(column.values().iter().map(|idx| Idx::from_micros(*idx)));
    }
    if asked != current {
        return Err(format!("SQL finds {} {name}, not {}", asked.len(), current.len()).into());
    }
    let query = format!(
        "select count(*), sum(coalesce(token, 0))::varchar from history.{name} having count(*) > 0"
    );
    let mut sums = Vec::new();
    for batch in state.sql(&query)? {
        let batch = batch?;
        let counts = batch.column(0).as_primitive::<Int64Type>();
        let totals = batch.column(1).as_string::<i32>();
        sums.extend(
            (0..batch.num_rows()).map(|at| (counts.value(at), totals.value(at).to_owned())),
        );
    }
    let tokens = histories
        .values()
        .flatten()
        .map(|found| i128::from(found.token()));
    let sum: i128 = tokens.clone().sum();
    let expected = (i64::try_from(tokens.count())?, sum.to_string());
    let expected: Vec<_> = (expected.0 > 0).then_some(expected).into_iter().collect();
    if sums != expected {
        return Err(
            format!("SQL finds in the history of {name} {sums:?}, not {expected:?}").into(),
        );
    }
    Ok(())
}
