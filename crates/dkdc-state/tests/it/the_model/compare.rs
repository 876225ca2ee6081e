//! The store against the model: everything that can be asked.

use std::cmp::Ordering;

use dkdc_state::{
    ChangeKind, Error, Idx, Listed, ListedValue, Moment, Result, Row, Select, State, Table, Value,
    Version, Versioned,
};

use super::model::{Entry, Model, Refused, TableModel};
use super::ops::{IDS, Question};
use super::{NAMES, Thing, keeping};
use crate::support::assert_sound;

/// Now, at every moment, and from every cursor.
pub(super) fn everything(
    state: &State,
    things: &Table<Thing>,
    model: &Model,
    questions: &[Question],
) {
    now(state, model, questions);
    for id in IDS {
        let found = things.get(id).expect("a read");
        let head = model.tables[0].head(id, i64::MAX);
        let live = head.filter(|head| head.version.op.is_live());
        assert_eq!(
            found.map(|thing| (thing.version, thing.record)),
            live.map(|e| (e.version, thing(e))),
            "the typed {id:?}"
        );
    }
    let points = model.points();
    for (nth, point) in points.iter().enumerate() {
        for idx in point - 1..=point + 1 {
            let question = &questions[nth % questions.len()];
            as_of(
                state,
                Moment::Idx(Idx::from_micros(idx)),
                model.resolve_idx(idx),
                model,
                question,
            );
        }
    }
    for commit in &model.commits {
        for time in [commit.time - 1, commit.time, commit.time + 1, model.now] {
            let moment = Moment::Time(Idx::from_micros(time).timestamp());
            as_of(
                state,
                moment,
                model.resolve_time(time),
                model,
                &questions[0],
            );
        }
    }
    for cursor in points
        .iter()
        .flat_map(|point| [point - 1, *point])
        .chain([0])
    {
        changes(state, model, cursor);
    }
    let beyond = state.changes(Idx::from_micros(i64::MAX));
    assert!(matches!(beyond, Err(Error::OutsideHistory { .. })));
}

fn thing(entry: &Entry) -> Thing {
    let text = |at: usize| entry.values[at].as_str().map(str::to_owned);
    Thing {
        id: entry.id.clone(),
        title: text(0),
        n: entry.values[1].as_int().expect("a required number"),
        code: text(2),
    }
}

/// Everything that concerns current records.
pub(super) fn now(state: &State, model: &Model, questions: &[Question]) {
    assert_sound(state);
    keeping::contents(state, model);
    assert_eq!(
        state.last().expect("a read").as_micros(),
        model.last,
        "last"
    );
    let events = state.events().expect("events").into_iter().map(|event| {
        let table = event
            .table
            .and_then(|t| NAMES.iter().position(|name| *name == t));
        (event.idx.as_micros(), event.kind, table)
    });
    assert_eq!(events.collect::<Vec<_>>(), model.events, "events");
    let status = state.status().expect("a status");
    for (at, table) in model.tables.iter().enumerate() {
        let rows = state.rows(NAMES[at]).expect("a table");
        let current = table.current(i64::MAX);
        assert_eq!(status.tables[at].versions, table.log.len() as u64);
        assert_eq!(status.tables[at].records, current.len() as u64);
        assert_eq!(rows.count().expect("a count"), current.len() as u64);
        assert_eq!(some(rows.list(&Select::new())), expected(table, &current));
        for prefix in ["", "a", "e"] {
            let with = current
                .iter()
                .map(|e| e.id.as_str())
                .filter(|id| id.starts_with(prefix));
            let with: Vec<&str> = with.take(3).collect();
            assert_eq!(rows.ids(prefix, 3).expect("ids"), with, "ids {prefix:?}");
        }
        for id in IDS {
            record(&rows, table, id);
        }
        deleted(&rows, table);
        for question in questions.iter().filter(|question| question.table == at) {
            let expected = answer(table, question, i64::MAX);
            let found = some(rows.list(&question.select()));
            assert_eq!(found, expected, "{question:?}");
            let found = in_parts(|take| rows.list_parts(&question.select(), take));
            assert_eq!(found, expected, "{question:?}, in parts");
        }
    }
}

fn record(rows: &Table<Row>, table: &TableModel, id: &str) {
    let head = table.head(id, i64::MAX);
    let live = head.filter(|head| head.version.op.is_live());
    let found = rows
        .get(id)
        .expect("a read")
        .map(|row| (row.version, row.record));
    assert_eq!(found, live.map(|e| full(table, e)), "get {id:?}");
    assert_eq!(
        rows.contains(id).expect("a read"),
        live.is_some(),
        "contains {id:?}"
    );
    let history = rows.history(id).expect("a history");
    assert_eq!(
        versions(history),
        of_record(table, id, i64::MAX),
        "history {id:?}"
    );
    for entry in table.log.iter().filter(|e| e.id == id) {
        let version = rows
            .version(id, entry.version.idx)
            .expect("a read")
            .expect("a version");
        assert_eq!(
            (version.version, version.record),
            (entry.version, table.row(entry))
        );
        if let Some(head) = head {
            let found = rows
                .diff(id, entry.version.idx, head.version.idx)
                .expect("a diff");
            let value = |e: &Entry, at: usize| e.values.get(at).cloned().unwrap_or_default();
            let differ = |at: &usize| value(entry, *at) != value(head, *at);
            let columns: Vec<&String> = (0..table.columns.len())
                .filter(differ)
                .map(|at| &table.columns[at].0)
                .collect();
            assert_eq!(
                found.iter().map(|d| &d.column).collect::<Vec<_>>(),
                columns,
                "diff"
            );
        }
    }
}

fn deleted(rows: &Table<Row>, table: &TableModel) {
    let mut ids: Vec<&str> = table.log.iter().map(|e| e.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let gone = ids.into_iter().filter(|id| {
        table
            .head(id, i64::MAX)
            .is_some_and(|head| !head.version.op.is_live())
    });
    let last = |id: &str| {
        let live = |e: &&Entry| e.id == id && e.version.op.is_live();
        table.log.iter().rev().find(live)
    };
    let expected: Vec<(Version, Row)> = gone.filter_map(last).map(|e| full(table, e)).collect();
    assert_eq!(some(rows.list_deleted(&Select::new())), expected, "deleted");
}

fn as_of(
    state: &State,
    moment: Moment,
    resolved: std::result::Result<i64, Refused>,
    model: &Model,
    question: &Question,
) {
    let snapshot = match (state.at(moment), resolved) {
        (Ok(snapshot), Ok(idx)) => {
            assert_eq!(
                snapshot.idx().as_micros(),
                idx,
                "the version that {moment} means"
            );
            snapshot
        }
        (Err(error), Err(refused)) => return assert_eq!(Refused::of(&error), refused),
        (found, expected) => panic!("{moment}: {found:?}, expected {expected:?}"),
    };
    let idx = snapshot.idx().as_micros();
    for (at, table) in model.tables.iter().enumerate() {
        let rows = snapshot.rows(NAMES[at]).expect("a table");
        if idx < table.floor {
            let refused = [
                rows.get("a").err(),
                rows.list(&Select::new()).err(),
                rows.count().err(),
            ];
            for error in refused.map(|error| error.expect("history begins later")) {
                assert_eq!(Refused::of(&error), Refused::OutsideHistory);
            }
            continue;
        }
        let current = table.current(idx);
        assert_eq!(
            some(rows.list(&Select::new())),
            expected(table, &current),
            "at {moment}"
        );
        assert_eq!(
            rows.count().expect("a count"),
            current.len() as u64,
            "count at {moment}"
        );
        let ids: Vec<&str> = current.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(rows.ids("", 99).expect("ids"), ids, "ids at {moment}");
        for id in IDS {
            let live = current.iter().find(|e| e.id == id);
            let found = rows
                .get(id)
                .expect("a read")
                .map(|row| (row.version, row.record));
            assert_eq!(found, live.map(|e| full(table, e)), "{id:?} at {moment}");
            assert_eq!(rows.contains(id).expect("a read"), live.is_some());
            let history = rows.history(id).expect("a history");
            assert_eq!(
                versions(history),
                of_record(table, id, idx),
                "history at {moment}"
            );
        }
        if question.table == at {
            let expected = answer(table, question, idx);
            let found = some(rows.list(&question.select()));
            assert_eq!(found, expected, "{question:?} at {moment}");
            let found = in_parts(|take| rows.list_parts(&question.select(), take));
            assert_eq!(found, expected, "{question:?} at {moment}, in parts");
        }
    }
}

fn changes(state: &State, model: &Model, cursor: i64) {
    let around = |idx: i64| {
        model
            .commits
            .iter()
            .find(|c| c.first <= idx && idx < c.last)
    };
    let after = around(cursor).map_or(cursor, |commit| commit.first - 1);
    let mut resume = after;
    let mut expected = Vec::new();
    for point in model.points().into_iter().filter(|point| *point > after) {
        if around(point).is_none() {
            resume = point;
        }
        expected.push((point, resume));
    }
    let mut found = Vec::new();
    for change in state.changes(Idx::from_micros(cursor)).expect("changes") {
        let change = change.expect("a change");
        found.push((change.idx.as_micros(), change.resume.as_micros()));
        if let ChangeKind::Version {
            table,
            id,
            version,
            row,
        } = change.kind
        {
            let at = NAMES
                .iter()
                .position(|name| *name == table)
                .expect("a table");
            let table = &model.tables[at];
            let entry = table
                .log
                .iter()
                .find(|e| e.version == version)
                .expect("a version");
            assert_eq!(
                (id, row),
                (entry.id.clone(), table.row(entry)),
                "change {version:?}"
            );
        }
    }
    assert_eq!(found, expected, "changes after {cursor}");
}

fn some(found: Result<Vec<Versioned<Row>>>) -> Vec<(Version, Row)> {
    let rows = found.expect("a list").into_iter();
    rows.map(|row| (row.version, row.record)).collect()
}

/// The same list from its parts.
fn in_parts(
    list: impl FnOnce(&mut dyn FnMut(Listed)) -> Result<Vec<usize>>,
) -> Vec<(Version, Row)> {
    let mut found = Vec::new();
    let mut take = |part: Listed| {
        for (version, id, values) in part.records() {
            let names = part.schema().columns.iter().map(|c| c.name.clone());
            let fields = names.zip(values.map(listed)).collect();
            let id = id.to_owned();
            found.push((version, Row { id, fields }));
        }
    };
    let order = list(&mut take).expect("a list");
    order.into_iter().map(|at| found[at].clone()).collect()
}

fn listed(value: ListedValue<'_>) -> Value {
    match value {
        ListedValue::Null => Value::Null,
        ListedValue::Bool(b) => Value::Bool(b),
        ListedValue::Int(i) => Value::Int(i),
        ListedValue::Float(f) => Value::Float(f),
        ListedValue::Text(text) => Value::from(text),
        ListedValue::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        ListedValue::Other(value) => value.clone(),
    }
}

fn versions(found: Vec<Versioned<Option<Row>>>) -> Vec<(Version, Option<Row>)> {
    found
        .into_iter()
        .map(|row| (row.version, row.record))
        .collect()
}

fn full(table: &TableModel, entry: &Entry) -> (Version, Row) {
    (entry.version, table.row(entry).expect("a live entry"))
}

fn expected(table: &TableModel, entries: &[&Entry]) -> Vec<(Version, Row)> {
    entries.iter().map(|e| full(table, e)).collect()
}

fn of_record(table: &TableModel, id: &str, asof: i64) -> Vec<(Version, Option<Row>)> {
    let upto = |e: &&Entry| e.id == id && e.version.idx.as_micros() <= asof;
    let entries = table.log.iter().filter(upto);
    entries.map(|e| (e.version, table.row(e))).collect()
}

/// The answer by looking at every record.
fn answer(table: &TableModel, question: &Question, asof: i64) -> Vec<(Version, Row)> {
    let mut found = table.current(asof);
    found.retain(|entry| {
        question.tests.iter().all(|(column, test, value)| {
            let had = value_of(table, entry, column);
            let both = !had.is_null() && !value.is_null();
            match *test {
                "eq" => compare(&had, value) == Ordering::Equal,
                "ne" => compare(&had, value) != Ordering::Equal,
                "lt" => both && compare(&had, value) == Ordering::Less,
                "le" => both && compare(&had, value) != Ordering::Greater,
                "gt" => both && compare(&had, value) == Ordering::Greater,
                "ge" => both && compare(&had, value) != Ordering::Less,
                _ => matches!(&had, Value::List(items) if items.contains(value)),
            }
        })
    });
    // They are in order of id, and the sort is stable.
    found.sort_by(|a, b| {
        let by = |(column, descending): &(String, bool)| {
            let order = compare(&value_of(table, a, column), &value_of(table, b, column));
            if *descending { order.reverse() } else { order }
        };
        question
            .order
            .iter()
            .map(by)
            .fold(Ordering::Equal, Ordering::then)
    });
    found.truncate(question.limit.unwrap_or(usize::MAX));
    expected(table, &found)
}

fn value_of(table: &TableModel, entry: &Entry, column: &str) -> Value {
    match column {
        "id" => Value::from(entry.id.as_str()),
        "idx" => Value::Int(entry.version.idx.as_micros()),
        column => entry.values[table.place(column).expect("a column")].clone(),
    }
}

/// NULL is the least.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).expect("no NaN"),
        (a, b) => panic!("{a:?} and {b:?} are of two types"),
    }
}
