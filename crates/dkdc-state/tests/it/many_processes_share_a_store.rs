//! Any number of processes write and read one store at the same time.
//!
//! The failure to prevent: two processes draw the same number, one overwrites
//! what the other acknowledged, or one goes on with a table as it was before
//! the other changed it.

use std::collections::BTreeSet;

use dkdc_state::{
    ColumnDef, ColumnType, Error, Idx, IndexDef, Nulls, Row, Select, State, Table, TableDef, Value,
};

use crate::support::{Place, assert_sound, note, notes, quick, refusal};
use crate::workers::{Worker, listen, say};

fn open(path: &str) -> State {
    quick().open(path).expect("the store")
}

/// Worker: `threads` threads append `count` records each and add to one sum.
pub(crate) fn increment(args: &[String]) {
    let (name, threads, count) = (&args[1], &args[2], &args[3]);
    let state = open(&args[0]);
    let table = state.define(&notes()).expect("a table");
    say("ready");
    listen();
    std::thread::scope(|scope| {
        for thread in 0..threads.parse::<usize>().expect("a number") {
            let table = &table;
            scope.spawn(move || {
                for n in 0..count.parse::<i64>().expect("a number") {
                    let id = format!("{name}/{thread}/{n}");
                    let version = table.append(&note(&id, n)).expect("new");
                    say(format!("{} {id}", version.idx));
                    if n % 5 == 0 {
                        add_one(table);
                    }
                }
            });
        }
    });
}

fn add_one(table: &Table<Row>) {
    loop {
        let sum = table.get("sum").expect("a read").expect("a sum");
        let n = sum.get("n").and_then(Value::as_int).expect("a number");
        match table.update_if(&Row::new("sum").with("n", n + 1), sum.idx()) {
            Ok(_) => return,
            Err(Error::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn four_processes_of_four_threads_lose_nothing() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("sum", 0)).expect("new");
    let start = |name: &str| Worker::start("increment", &place.db(), &[name, "4", "25"]);
    let mut workers = ["p", "q", "r", "s"].map(start);
    for worker in &mut workers {
        assert_eq!(worker.answer(), "ready");
    }
    for worker in &mut workers {
        worker.tell("go");
    }
    // This process reads and writes meanwhile.
    let mut own = Vec::new();
    for n in 0..25 {
        own.push((
            table
                .append(&note(&format!("own/{n}"), n))
                .expect("new")
                .idx,
            format!("own/{n}"),
        ));
        add_one(&table);
        state.at(own[0].0.into()).expect("history");
    }
    let mut acknowledged = own;
    for worker in workers {
        let answers = worker.finish();
        // One thread's are in order; each is unlike any other.
        for thread in 0..4 {
            let part = format!("/{thread}/");
            let idxs: Vec<Idx> = answers
                .iter()
                .filter(|answer| answer.contains(&part))
                .map(|answer| {
                    answer
                        .split(' ')
                        .next()
                        .expect("an idx")
                        .parse()
                        .expect("an idx")
                })
                .collect();
            assert_eq!(idxs.len(), 25);
            assert!(idxs.is_sorted_by(|a, b| a < b));
        }
        acknowledged.extend(answers.iter().map(|answer| {
            let (idx, id) = answer.split_once(' ').expect("an idx and an id");
            (idx.parse().expect("an idx"), id.to_owned())
        }));
    }
    assert_eq!(acknowledged.len(), 425);
    let unique: BTreeSet<Idx> = acknowledged.iter().map(|(idx, _)| *idx).collect();
    assert_eq!(unique.len(), 425, "two versions have one number");
    for (idx, id) in &acknowledged {
        assert_eq!(
            table.get(id).expect("a read").expect("acknowledged").idx(),
            *idx,
            "{id}"
        );
    }
    let sum = table.get("sum").expect("a read").expect("a sum");
    assert_eq!(
        sum.get("n"),
        Some(&Value::Int(4 * 4 * 5 + 25)),
        "an increment is lost"
    );
    assert_eq!(table.count().expect("a count"), 426);
    assert_sound(&state);
}

/// Worker: opens, says so, writes one record when told, and says its number.
pub(crate) fn write_one(args: &[String]) {
    listen();
    let state = open(&args[0]);
    let table = state.define(&notes()).expect("a table");
    say(table.append(&note(&args[1], 1)).expect("new").idx);
}

#[test]
fn twenty_processes_open_a_new_store_at_once() {
    let place = Place::new();
    let ids: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let start = |id: &String| Worker::start("write-one", &place.db(), &[id]);
    let mut workers: Vec<Worker> = ids.iter().map(start).collect();
    for worker in &mut workers {
        worker.tell("go");
    }
    let idxs: BTreeSet<String> = workers.into_iter().flat_map(Worker::finish).collect();
    assert_eq!(idxs.len(), 20, "{idxs:?}");
    let state = place.open();
    assert_eq!(
        state
            .rows("notes")
            .expect("a table")
            .count()
            .expect("a count"),
        20
    );
    let events = state.events().expect("events");
    assert_eq!(
        events.len(),
        2,
        "one store and one table were created: {events:?}"
    );
    assert_sound(&state);
}

/// Worker: updates one record if it is at a version; says whether it won.
pub(crate) fn claim(args: &[String]) {
    let state = open(&args[0]);
    let table = state.rows("notes").expect("a table");
    let expected: Idx = args[1].parse().expect("an idx");
    say("ready");
    listen();
    std::thread::scope(|scope| {
        for thread in 0..25 {
            let table = &table;
            scope.spawn(
                move || match table.update_if(&note("a", thread), expected) {
                    Ok(version) => say(format!("won {}", version.idx)),
                    Err(Error::Conflict { .. }) => say("lost"),
                    Err(error) => panic!("{error}"),
                },
            );
        }
    });
}

#[test]
fn of_a_hundred_writers_in_four_processes_one_wins() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let expected = table.append(&note("a", -1)).expect("new").idx.to_string();
    let start = |_| Worker::start("claim", &place.db(), &[&expected]);
    let mut workers: Vec<Worker> = (0..4).map(start).collect();
    for worker in &mut workers {
        assert_eq!(worker.answer(), "ready");
    }
    for worker in &mut workers {
        worker.tell("go");
    }
    let answers: Vec<String> = workers.into_iter().flat_map(Worker::finish).collect();
    let won: Vec<&String> = answers.iter().filter(|answer| *answer != "lost").collect();
    assert_eq!((answers.len(), won.len()), (100, 1), "{won:?}");
    let winner = table.get("a").expect("a read").expect("there").idx();
    assert_eq!(won[0], &format!("won {winner}"));
}

/// Worker: changes the table as told, line by line.
pub(crate) fn evolve(args: &[String]) {
    let state = open(&args[0]);
    let table = state.rows("notes").expect("a table");
    say("ready");
    loop {
        match listen().as_str() {
            "add" => {
                let x = ColumnDef::new("x", ColumnType::Int).default(5);
                state.define(&notes().column(x)).expect("a column");
                table.append(&note("theirs", 1).with("x", 7)).expect("new");
            }
            "rename" => {
                state
                    .rename_column("notes", "body", "text")
                    .expect("a name");
                table
                    .update(&Row::new("theirs").with("text", "renamed"))
                    .expect("there");
            }
            "unique" => {
                let unique = IndexDef::new(["text"]).unique(Nulls::Distinct);
                let def = TableDef::new("notes")
                    .column(ColumnDef::new("text", ColumnType::Text))
                    .index(unique);
                state.define(&def).expect("a constraint");
            }
            "new table" => {
                let other = state.define(&TableDef::new("other")).expect("a table");
                other.append(&Row::new("a")).expect("new");
            }
            "clear" => {
                state.clear(&["notes"]).expect("a clear");
            }
            _ => return,
        }
        say("done");
    }
}

#[test]
fn what_another_process_does_to_a_table_is_seen_at_once() {
    #[derive(dkdc_state::Record, Clone, Debug, PartialEq)]
    #[record(table = "notes")]
    struct Old {
        #[record(id)]
        id: String,
        body: Option<String>,
    }
    let old = |id: &str, body: &str| Old {
        id: id.into(),
        body: Some(body.into()),
    };

    let place = Place::new();
    let state = place.open();
    let rows = state.define(&notes()).expect("a table");
    let typed = state.table::<Old>().expect("a typed handle");
    typed.append(&old("a", "one")).expect("new");
    let mut other = Worker::start("evolve", &place.db(), &[]);
    assert_eq!(other.answer(), "ready");
    let mut ask = |what: &str| {
        other.tell(what);
        assert_eq!(other.answer(), "done");
    };

    // Each is the first thing that this process does afterwards.
    ask("add");
    let theirs = rows.get("theirs").expect("a read").expect("there").record;
    assert_eq!(
        theirs,
        note("theirs", 1).with("x", 7),
        "its new column is read"
    );
    assert_eq!(
        rows.get("a").expect("a read").expect("there").get("x"),
        Some(&5.into())
    );
    typed
        .update(&old("theirs", "mine"))
        .expect("an old program writes");
    assert_eq!(
        rows.get("theirs").expect("a read").expect("there").get("x"),
        Some(&7.into())
    );
    typed
        .append(&old("b", "two"))
        .expect("an old program writes");
    assert_eq!(
        rows.get("b").expect("a read").expect("there").get("x"),
        Some(&5.into())
    );

    ask("rename");
    assert_eq!(
        typed
            .get("theirs")
            .expect("a read")
            .expect("there")
            .body
            .as_deref(),
        Some("renamed")
    );
    typed
        .update(&old("a", "three"))
        .expect("an old program writes");
    assert_eq!(
        rows.get("a").expect("a read").expect("there").get("text"),
        Some(&"three".into())
    );
    rows.update(&Row::new("a").with("body", "four"))
        .expect("by its old name");
    assert_eq!(
        typed
            .list(&Select::new().eq("body", "four"))
            .expect("a list")
            .len(),
        1
    );

    ask("unique");
    assert_eq!(refusal(typed.append(&old("c", "four"))), "NotUnique");
    assert_eq!(
        refusal(rows.append(&Row::new("c").with("text", "four"))),
        "NotUnique"
    );
    ask("new table");
    assert!(
        state
            .rows("other")
            .expect("a table")
            .contains("a")
            .expect("a read")
    );
    let version = rows.history("a").expect("a history")[0].version.idx;
    ask("clear");
    assert!(rows.get("a").expect("a read").is_none());
    assert!(!typed.contains("a").expect("a read"));
    assert_eq!(refusal(rows.restore("a", version)), "NoSuchVersion");
    typed.append(&old("a", "again")).expect("the id is free");
    let then = state
        .at(version.into())
        .expect("the store has history there");
    assert_eq!(
        refusal(then.table::<Old>().expect("a table").get("a")),
        "OutsideHistory"
    );
    assert_sound(&state);
}

#[test]
fn a_column_that_another_process_added_can_be_written_at_once() {
    let place = Place::new();
    let state = place.open();
    let rows = state.define(&notes()).expect("a table");
    let mut other = Worker::start("evolve", &place.db(), &[]);
    assert_eq!(other.answer(), "ready");
    other.tell("add");
    assert_eq!(other.answer(), "done");
    // No read came between, from which this process could have learned of it.
    rows.append(&note("mine", 1).with("x", 9))
        .expect("the column is there");
    other.tell("rename");
    assert_eq!(other.answer(), "done");
    let row = rows
        .row_from_json("{\"id\": \"json\", \"text\": \"t\"}")
        .expect("by its new name");
    rows.append(&row).expect("new");
    assert_eq!(
        rows.get("json")
            .expect("a read")
            .expect("there")
            .get("text"),
        Some(&"t".into())
    );
    assert_sound(&state);
}
