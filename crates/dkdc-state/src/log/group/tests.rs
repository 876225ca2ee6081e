//! Who waits for a leader that panics is answered, and the next one leads.
//!
//! The failure to prevent: a thread panics while it writes for others as well,
//! and they wait for ever, or believe that they wrote.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::super::append::{Action, Batch, Existing, Write, Writes};
use super::super::recent::MANY;
use super::lock;
use crate::clock::Clock;
use crate::error::Error;
use crate::record::{Given, Value};
use crate::schema::{ColumnDef, ColumnType, IndexDef, Nulls, TableDef};
use crate::state::State;

fn put(id: &str, body: Value) -> Batch {
    Batch {
        table: 1,
        writes: vec![Write {
            id: id.to_owned().into(),
            action: Action::Put(Existing::Either, vec![Some(Given::Value(body))]),
            expected: None,
        }],
        request: None,
    }
}

/// A clock that stops whoever reads it, once, where it is set to.
#[derive(Default)]
struct Gate(Mutex<Option<(Sender<()>, Receiver<()>)>>);

impl Gate {
    /// Stops the next one who comes: told when that is, and how to let it go.
    fn close(&self) -> (Receiver<()>, Sender<()>) {
        let (arrived, has_arrived) = channel();
        let (let_go, go) = channel();
        *lock(&self.0) = Some((arrived, go));
        (has_arrived, let_go)
    }
}

/// A store with a gate for a clock.
fn gated() -> (tempfile::TempDir, Arc<Gate>, State) {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Arc::new(Gate::default());
    let clock = Arc::clone(&gate) as Arc<dyn Clock>;
    let options = State::options().clock(clock);
    let state = options.open(folder.path().join("data.db"));
    (folder, gate, state.expect("a store"))
}

impl Clock for Gate {
    fn now(&self) -> i64 {
        if let Some((arrived, go)) = lock(&self.0).take() {
            arrived.send(()).expect("the test listens");
            go.recv().expect("the test lets it go");
        }
        1
    }
}

#[test]
fn followers_of_a_leader_that_panics_are_told_and_wrote_nothing() {
    let (_folder, gate, state) = gated();
    let def = TableDef::new("t")
        .column(ColumnDef::new("body", ColumnType::Text))
        .index(IndexDef::new(["body"]));
    let table = state.define(&def).expect("a table");
    let store = state.store();
    let (has_arrived, let_go) = gate.close();
    // No declaration lets such a value into an index: its key is a bug.
    let wrong = || put("wrong", Value::Json(serde_json::Value::Null));
    let told = |answer: Option<&super::Answer>| {
        answer.is_some_and(|a| matches!(a, Err(error) if error.to_string().contains("panicked")))
    };
    std::thread::scope(|scope| {
        // Each says whether it panicked itself.
        let submit = |batch: Batch| {
            let submit = move || store.group().submit(store, batch.into());
            scope.spawn(move || catch_unwind(AssertUnwindSafe(submit)).ok())
        };
        let leader = submit(put("leader", Value::from("x")));
        has_arrived.recv().expect("it has the write lock");
        let waiting = |count: usize| {
            while lock(&store.group().queue).waiting.len() < count {
                std::thread::yield_now();
            }
        };
        let first = submit(put("first", Value::from("x")));
        waiting(1);
        let second = submit(wrong());
        waiting(2);
        let third = submit(put("third", Value::from("x")));
        waiting(3);
        let_go.send(()).expect("it waits");
        assert!(
            leader.join().expect("it was caught").is_none(),
            "it panicked"
        );
        for follower in [first, second, third] {
            let answer = follower.join().expect("no panic of its own");
            assert!(told(answer.as_ref()), "{answer:?}");
        }
    });
    assert_eq!(table.ids("", 9).expect("ids"), [""; 0]);
    let next = store
        .group()
        .submit(store, put("next", Value::from("x")).into());
    assert_eq!(next.expect("somebody leads").len(), 1);
    assert_eq!(table.ids("", 9).expect("ids"), ["next"]);
    assert!(state.check().expect("a check").is_sound());
    let inside = state.transaction(|_| Ok::<_, Error>(()));
    inside.expect("the writer was given back");
}

#[test]
fn a_leader_that_panics_over_its_own_writes_takes_nobody_along() {
    let (_folder, gate, state) = gated();
    let def = TableDef::new("t").column(ColumnDef::new("body", ColumnType::Text));
    let table = state.define(&def).expect("a table");
    let store = state.store();
    let (has_arrived, let_go) = gate.close();
    std::thread::scope(|scope| {
        let leader = scope.spawn(|| {
            let make = |_: &_, _: usize| panic!("a record's own code");
            let batch = Batch {
                table: 1,
                writes: Writes::ToMake(1, &make),
                request: None,
            };
            catch_unwind(AssertUnwindSafe(|| store.group().submit(store, batch))).is_err()
        });
        has_arrived.recv().expect("it has the write lock");
        let ids = ["a", "b", "c"];
        let followers = ids.map(|id| {
            let batch = put(id, Value::from("x"));
            scope.spawn(|| store.group().submit(store, batch.into()))
        });
        while lock(&store.group().queue).waiting.len() < followers.len() {
            std::thread::yield_now();
        }
        let_go.send(()).expect("it waits");
        assert!(leader.join().expect("it was caught"), "it panicked");
        for follower in followers {
            let answer = follower.join().expect("no panic");
            assert_eq!(answer.expect("written").len(), 1);
        }
    });
    assert_eq!(table.ids("", 9).expect("ids"), ["a", "b", "c"]);
    assert!(state.check().expect("a check").is_sound());
}

/// The failure to prevent: so many writes that their heads were folded are taken
/// back, and with them a thread that wrote before them in the same transaction
/// panics, or its record is forgotten.
#[test]
fn a_refusal_after_a_fold_takes_back_its_own_writes_alone() {
    let (_folder, gate, state) = gated();
    let def = TableDef::new("t")
        .column(ColumnDef::new("body", ColumnType::Int))
        .index(IndexDef::new(["body"]).unique(Nulls::Distinct));
    let table = state.define(&def).expect("a table");
    let store = state.store();
    let (has_arrived, let_go) = gate.close();
    std::thread::scope(|scope| {
        let submit = |batch: Batch| scope.spawn(move || store.group().submit(store, batch.into()));
        let leader = submit(put("leader", Value::from(-1)));
        has_arrived.recv().expect("it has the write lock");
        let waiting = |count: usize| {
            while lock(&store.group().queue).waiting.len() < count {
                std::thread::yield_now();
            }
        };
        let many = i64::try_from(MANY).expect("a number");
        let writes = (0..=many).flat_map(|n| {
            // The last of them has the leader's value.
            let body = if n == many { -1 } else { n };
            put(&n.to_string(), Value::from(body)).writes
        });
        let refused = submit(Batch {
            table: 1,
            writes: writes.collect(),
            request: None,
        });
        waiting(1);
        let last = submit(put("last", Value::from(-2)));
        waiting(2);
        let_go.send(()).expect("it waits");
        let answer = |thread: std::thread::ScopedJoinHandle<'_, super::Answer>| {
            thread
                .join()
                .expect("no panic")
                .map(|written| written.len())
        };
        assert_eq!(answer(leader).expect("written"), 1);
        let refused = answer(refused).expect_err("not unique");
        assert!(matches!(refused, Error::NotUnique { .. }), "{refused}");
        assert_eq!(answer(last).expect("written"), 1);
    });
    assert_eq!(table.ids("", 9).expect("ids"), ["last", "leader"]);
    assert!(state.check().expect("a check").is_sound());
}
