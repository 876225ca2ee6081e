//! Questions that were about to be put when a table was altered.
//!
//! The failure to prevent: two questions around an ALTER take their views from
//! each other, or one is refused for a name that the table has.

use std::sync::Arc;

use super::scan::Pinned;
use super::{Batches, Engine};
use crate::error::{Error, Result};
use crate::schema::{ColumnDef, ColumnType, TableDef};
use crate::state::{Row, State};

fn store() -> (tempfile::TempDir, State) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = State::open(folder.path().join("data.db")).expect("a store");
    let def = TableDef::new("t").column(ColumnDef::new("n", ColumnType::Int));
    let table = state.define(&def).expect("a table");
    table.append(&Row::new("a").with("n", 1)).expect("new");
    (folder, state)
}

fn pinned(state: &State) -> Pinned {
    let idx = state.last().expect("a read");
    Pinned::new(Arc::clone(state.store()), idx).expect("a snapshot")
}

fn rows(engine: &Arc<Engine>, pinned: Pinned, query: &str) -> Result<usize> {
    let batches = Batches::start(engine, pinned, query.to_owned())?;
    batches.map(|batch| batch.map(|b| b.num_rows())).sum()
}

#[test]
fn a_question_that_the_old_views_refuse_is_put_again_on_fresh_ones() {
    let (_folder, state) = store();
    let engine = state.store().engine().expect("DuckDB");
    let before = pinned(&state);
    state.rename_column("t", "n", "m").expect("a column");
    // Views are made of what the question read, which is the old name.
    assert_eq!(
        rows(&engine, before, "select m from t").expect("asked again"),
        1
    );
    let refused = rows(&engine, pinned(&state), "select n from t");
    assert!(matches!(refused, Err(Error::Query(_))), "{refused:?}");
}

#[test]
fn an_older_question_takes_no_view_from_a_newer_one() {
    let (_folder, state) = store();
    let engine = state.store().engine().expect("DuckDB");
    let before = pinned(&state);
    let late = ColumnDef::new("late", ColumnType::Int).default(5);
    let def = TableDef::new("t").column(ColumnDef::new("n", ColumnType::Int));
    state.define(&def.column(late)).expect("a column");
    let now = pinned(&state);
    assert_eq!(
        rows(&engine, pinned(&state), "select late from t").expect("new"),
        1
    );
    assert_eq!(rows(&engine, before, "select n from t").expect("old"), 1);
    assert_eq!(rows(&engine, now, "select late from t").expect("new"), 1);
}
