//! A program writes, and the answer is lost: a timeout, a crash, a cable. It tries
//! again.
//!
//! The failure to prevent: the order is there twice; or it is there once, and the
//! program is told that it failed.

use dkdc_state::{Error, Idx, Keep, Version};

use crate::support::{Place, assert_sound, note, notes, refusal};
use crate::workers::{Worker, say};

#[test]
fn the_same_write_again_has_the_same_answer_and_makes_nothing() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let (a, b) = (note("a", 1), note("b", 2));
    let first = table.request("1").append(&a).expect("new");
    let batch = table.request("2").upsert_all([&a, &b]).expect("either");
    let changed = note("a", 3);
    let update = table
        .request("3")
        .update_if(&changed, batch[0].idx)
        .expect("current");
    let gone = table.request("4").delete("b").expect("there");
    let back = table
        .request("5")
        .restore("b", batch[1].idx)
        .expect("there");
    let last = state.last().expect("a read");
    // Whatever has become of the records since, and in another process too.
    let again = |table: &dkdc_state::Table<dkdc_state::Row>| {
        assert_eq!(table.request("1").append(&a).expect("known"), first);
        assert_eq!(
            table.request("2").upsert_all([&a, &b]).expect("known"),
            batch
        );
        let again = table.request("3").update_if(&changed, batch[0].idx);
        assert_eq!(again.expect("known"), update);
        assert_eq!(table.request("4").delete("b").expect("known"), gone);
        let again = table.request("5").restore("b", batch[1].idx);
        assert_eq!(again.expect("known"), back);
    };
    again(&table);
    assert_eq!(state.last().expect("a read"), last);
    drop((table, state));
    let state = place.open();
    let table = state.rows("notes").expect("a table");
    again(&table);
    assert_eq!(state.last().expect("a read"), last);
    assert_eq!(table.history("a").expect("a read").len(), 3);
    assert_sound(&state);
}

#[test]
fn a_key_is_for_one_write() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.request("k").append(&note("a", 1)).expect("new");
    for refused in [
        table.request("k").append(&note("a", 2)).map(|_| ()),
        table.request("k").append(&note("b", 1)).map(|_| ()),
        table.request("k").upsert(&note("a", 1)).map(|_| ()),
        table.request("k").delete("a").map(|_| ()),
        table
            .request("k")
            .append_all([&note("a", 1), &note("b", 1)])
            .map(|_| ()),
        state.transaction(|tx| tx.once("k").map(|_| ())),
    ] {
        assert_eq!(refusal(refused), "RequestDiffers");
    }
    // What was refused is not remembered.
    assert_eq!(
        refusal(table.request("new").append(&note("a", 9))),
        "AlreadyExists"
    );
    table.delete("a").expect("there");
    table.request("new").append(&note("a", 9)).expect("new");
}

#[test]
fn a_transaction_is_made_once_or_not_at_all() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let run = |fail: bool| {
        state.transaction(|tx| {
            if !tx.once("all")? {
                return Ok(false);
            }
            tx.rows("notes")?.append(&note("a", 1))?;
            tx.rows("notes")?.append(&note("b", 1))?;
            if fail {
                return Err(Error::InsideTransaction);
            }
            Ok(true)
        })
    };
    assert!(run(true).is_err());
    assert!(run(false).expect("made"));
    assert!(!run(false).expect("made before"));
    assert_eq!(table.count().expect("a count"), 2);
}

/// Imports are transactions: the next day's file with yesterday's key is an error.
#[test]
fn a_transaction_is_compared_by_what_it_is_about() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let import = |ids: &[&str]| {
        state.transaction(|tx| {
            let new = tx.once("k")?;
            for id in ids {
                tx.about("k", id.as_bytes())?;
                if new {
                    tx.rows("notes")?.append(&note(id, 1))?;
                }
            }
            Ok::<_, Error>(new)
        })
    };
    assert!(import(&["a", "b"]).expect("new"));
    assert!(!import(&["a", "b"]).expect("the same"));
    for other in [&["a", "b", "c"][..], &["a"], &["ab"], &["b", "a"]] {
        assert_eq!(refusal(import(other)), "RequestDiffers", "{other:?}");
    }
    let single = table.request("k").append(&note("c", 1));
    assert_eq!(refusal(single), "RequestDiffers");
    assert_eq!(table.count().expect("a count"), 2);
}

#[test]
fn a_transactions_key_goes_with_the_tables_that_it_wrote() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let mut other = notes();
    other.name = "other".to_owned();
    let other = state.define(&other).expect("a table");
    let import = || {
        state.transaction(|tx| {
            let new = tx.once("k")?;
            if new {
                tx.rows("notes")?.upsert(&note("a", 1))?;
            }
            Ok::<_, Error>(new)
        })
    };
    assert!(import().expect("new"));
    other.append(&note("a", 1)).expect("new");
    state.clear(&["other"]).expect("a table");
    assert!(!import().expect("it wrote notes alone"));
    // What an erased record was is not in the key of a transaction.
    state.erase("notes", &["a"]).expect("there");
    assert_eq!(
        refusal(table.request("k").append(&note("b", 1))),
        "RequestDiffers"
    );
    assert!(!import().expect("it was made"));
    table.request("single").append(&note("c", 1)).expect("new");
    state.erase("notes", &["c"]).expect("there");
    let once = state.transaction(|tx| tx.once("single"));
    assert_eq!(refusal(once), "RequestDiffers");
    state.clear(&["notes"]).expect("a table");
    assert!(import().expect("forgotten"));
    let now = state.last().expect("a read");
    table.upsert(&note("a", 2)).expect("there");
    state
        .prune("notes", Keep::Since(now.into()))
        .expect("pruned");
    assert!(import().expect("forgotten"));
}

/// Worker: makes one request, and says what it was answered.
pub(crate) fn make_request(args: &[String]) {
    let state = crate::support::quick().open(&args[0]).expect("a store");
    let table = state.rows("notes").expect("a table");
    let Version { idx, .. } = table
        .request("shared")
        .append(&note("x", 1))
        .expect("known or new");
    say(idx);
}

#[test]
fn processes_and_threads_that_make_it_at_once_have_one_answer() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let workers: Vec<Worker> = (0..4)
        .map(|_| Worker::start("make-request", &place.db(), &[]))
        .collect();
    let mut answers: Vec<Idx> = std::thread::scope(|scope| {
        let make = || {
            table
                .request("shared")
                .append(&note("x", 1))
                .expect("known or new")
                .idx
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("an answer"))
            .collect()
    });
    for worker in workers {
        answers.extend(
            worker
                .finish()
                .iter()
                .map(|idx| idx.parse::<Idx>().expect("an idx")),
        );
    }
    assert_eq!(answers.len(), 12);
    assert!(answers.iter().all(|idx| *idx == answers[0]), "{answers:?}");
    assert_eq!(table.history("x").expect("a read").len(), 1);
}

#[test]
fn a_key_outlives_an_erase_and_goes_with_a_prune_or_a_clear() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let first = table.request("k").append(&note("a", 1)).expect("new");
    state.erase("notes", &["a"]).expect("there");
    // Trying it again does not bring back what was erased.
    assert_eq!(
        table.request("k").append(&note("a", 1)).expect("known"),
        first
    );
    assert!(!table.contains("a").expect("a read"));
    table.append(&note("b", 1)).expect("new");
    let now = state.last().expect("a read");
    state
        .prune("notes", Keep::Since(now.into()))
        .expect("nothing to take");
    assert_ne!(
        table.request("k").append(&note("a", 1)).expect("new"),
        first
    );
    state.clear(&[]).expect("all");
    table.request("k").append(&note("z", 1)).expect("new");
    assert_sound(&state);
}
