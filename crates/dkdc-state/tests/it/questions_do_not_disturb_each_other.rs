//! Many ask at once, while tables change and memory is short.
//!
//! The failure to prevent: a column is renamed, and a question that never named
//! it fails; a large question fills the folder that the program happens to run
//! in, or leaves its spilled rows behind.

use std::sync::atomic::{AtomicBool, Ordering};

use dkdc_state::arrow_array::cast::AsArray;
use dkdc_state::arrow_array::types::Int64Type;
use dkdc_state::{Error, Query, Result};

use crate::support::{Place, note, notes};

fn int(query: &Query, sql: &str) -> Result<i64> {
    let batches: Vec<_> = query.run(sql)?.collect::<Result<_>>()?;
    Ok(batches[0].column(0).as_primitive::<Int64Type>().value(0))
}

#[test]
fn a_question_is_answered_while_columns_are_renamed() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let rows: Vec<_> = (0..10).map(|n| note(&format!("{n}"), n)).collect();
    table.append_all(&rows).expect("new");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ask = || {
            let mut asked = 0;
            while !done.load(Ordering::SeqCst) {
                let query = state.snapshot().expect("a snapshot").query();
                let counted = int(&query, "select count(*) from notes where body is not null");
                assert_eq!(counted.expect("an answer"), 10);
                asked += 1;
            }
            asked
        };
        let asking: Vec<_> = (0..3).map(|_| scope.spawn(ask)).collect();
        for n in 0..300 {
            let (from, to) = if n % 2 == 0 { ("n", "m") } else { ("m", "n") };
            state.rename_column("notes", from, to).expect("a column");
        }
        done.store(true, Ordering::SeqCst);
        let asked: Vec<i32> = asking
            .into_iter()
            .map(|thread| thread.join().expect("every question was answered"))
            .collect();
        assert!(asked.iter().all(|asked| *asked > 0), "{asked:?}");
    });
    // Who names a column by the name it does not have is told so, not retried
    // for ever.
    let query = state.snapshot().expect("a snapshot").query();
    assert!(matches!(
        int(&query, "select count(m) from notes"),
        Err(Error::Query(_))
    ));
    assert_eq!(int(&query, "select count(n) from notes").expect("n"), 10);
}

/// More than fits into the memory that the tests below allow.
const LARGE: &str = "select count(*) from \
     (select range as a, hash(range) as b from range(4000000) order by b) where a >= 0";

#[test]
fn a_question_that_is_short_of_memory_spills_beside_the_store_and_cleans_up() {
    let place = Place::new();
    let state = place.open();
    state.define(&notes()).expect("a table");
    let here = std::env::current_dir().expect("a folder");
    let spill = place.at("data.db-spill");
    let query = state.snapshot().expect("a snapshot").query();
    let query = query.memory_limit(40 << 20);
    let mut answer = query.run(LARGE).expect("a question");
    let first = answer.next().expect("a row").expect("an answer");
    assert_eq!(
        first.column(0).as_primitive::<Int64Type>().value(0),
        4_000_000
    );
    assert!(spill.exists(), "it did not spill");
    drop(answer);
    drop(query);
    assert!(!spill.exists(), "spilled rows stay behind");
    assert!(!here.join(".tmp").exists(), "not where the program runs");
}

#[test]
fn a_question_to_a_read_only_store_spills_nothing() {
    let place = Place::new();
    drop(place.open());
    let state = dkdc_state::State::options().read_only(true);
    let state = state.open(place.db()).expect("a store");
    let query = state.snapshot().expect("a snapshot").query();
    let refused = int(&query.memory_limit(40 << 20), LARGE);
    let error = refused.expect_err("too little memory").to_string();
    assert!(error.contains("memory"), "{error}");
    assert!(!place.at("data.db-spill").exists());
}
