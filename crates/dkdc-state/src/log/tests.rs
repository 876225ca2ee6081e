//! A transaction that met an error which is no refusal is over.
//!
//! The failure to prevent: the disk is full for a moment, SQLite takes back all
//! that was written so far, the program goes on, and the rest is committed alone.

use super::DbResult;
use super::append::{Action, Batch, Existing, Write};
use super::writer::Tx;
use crate::error::{Error, Result};
use crate::record::{Given, Value};
use crate::schema::{ColumnDef, ColumnType, TableDef};
use crate::state::State;

fn put(id: &str, body: &str) -> Batch {
    let cells = vec![Some(Given::Value(Value::from(body)))];
    Batch {
        table: 1,
        writes: vec![Write {
            id: id.to_owned().into(),
            action: Action::Put(Existing::Refused, cells),
            expected: None,
        }],
        request: None,
    }
}

/// Lets the file grow by so many pages and no more.
fn room(tx: &Tx<'_>, pages: i64) -> Result<()> {
    let has: i64 = tx
        .conn
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .db()?;
    let limit = format!("PRAGMA max_page_count = {}", has + pages);
    tx.conn.query_row(&limit, [], |_| Ok(())).db()
}

#[test]
fn after_an_error_that_is_no_refusal_every_step_and_the_commit_fail_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = State::open(folder.path().join("data.db")).expect("a store");
    let def = TableDef::new("t").column(ColumnDef::new("body", ColumnType::Text));
    let table = state.define(&def).expect("a table");
    let last = state.last().expect("a read");
    let mut met = Vec::new();
    let committed = state.store().write(|tx| {
        tx.step(|tx| tx.apply(put("before", "x")))?;
        // A refusal alone ends nothing.
        let refused = tx.step(|tx| tx.apply(put("before", "y")));
        assert!(matches!(refused, Err(Error::AlreadyExists { .. })));
        tx.step(|tx| tx.apply(put("after", "x")))?;
        room(tx, 2)?;
        met.push(tx.step(|tx| tx.apply(put("large", &"x".repeat(1 << 20)))));
        room(tx, 1 << 20)?;
        met.push(tx.step(|tx| tx.apply(put("small", "x"))));
        met.push(tx.step(|_| Ok(Vec::new())));
        Ok(())
    });
    let full = |error: &Error| matches!(error, Error::Sqlite { code: 13, path, .. } if path == state.path());
    for error in met
        .into_iter()
        .map(|step| step.expect_err("the disk was full"))
    {
        assert!(full(&error), "{error}");
    }
    assert!(committed.as_ref().is_err_and(full), "{committed:?}");
    assert_eq!(table.ids("", 9).expect("ids"), [""; 0]);
    assert_eq!(state.last().expect("a read"), last);
    // The next one has nothing to do with it.
    state
        .store()
        .write(|tx| tx.apply(put("next", "x")))
        .expect("there is room");
    assert_eq!(table.ids("", 9).expect("ids"), ["next"]);
    assert!(state.check().expect("a check").is_sound());
}
