//! A name that happened to be one of our own.
//!
//! A table called `c` was "damaged" because a check's own SQL used that letter;
//! a column that another program had renamed became its own name, in quotes, in
//! every row; a row that named one column twice kept the second value.

use dkdc_state::{ColumnDef, ColumnType, Error, Row, Select, TableDef};

use crate::support::{Place, assert_sound};

#[test]
fn any_letter_can_be_a_table() {
    let place = Place::new();
    let state = place.open();
    for name in ('a'..='z')
        .map(String::from)
        .chain(["asof", "new", "old"].map(String::from))
    {
        let def = TableDef::new(&name).column(ColumnDef::new("v", ColumnType::Int));
        let table = state.define(&def).expect("a table");
        let first = table.append(&Row::new("x").with("v", 1)).expect("new");
        table.update(&Row::new("x").with("v", 2)).expect("there");
        let then = state.at(first.idx.into()).expect("a moment");
        let rows = then
            .rows(&name)
            .expect("the table")
            .list(&Select::new())
            .expect("a list");
        assert_eq!(rows[0].get("v"), Some(&1.into()), "{name}");
    }
    assert_sound(&state);
}

#[test]
fn what_every_version_has_is_no_column_of_its_own() {
    let place = Place::new();
    let state = place.open();
    for name in ["id", "idx", "op", "prev", "OP"] {
        let def = TableDef::new("t").column(ColumnDef::new(name, ColumnType::Int));
        let refused = state.define(&def).err();
        assert!(
            matches!(refused, Some(Error::InvalidSchema { .. })),
            "{name}: {refused:?}"
        );
    }
    let def = TableDef::new("t").column(ColumnDef::new("v", ColumnType::Int));
    let table = state.define(&def).expect("a table");
    for json in [r#"{"id": "a", "op": "sell"}"#, r#"{"id": "a", "prev": 1}"#] {
        let refused = table.row_from_json(json).err();
        assert!(
            matches!(refused, Some(Error::UnknownColumn { .. })),
            "{json}: {refused:?}"
        );
    }
    // What a read shows can be written back.
    let row = table.row_from_json(r#"{"idx": "2026-11-22 10:00:00", "id": "a", "v": 1}"#);
    assert_eq!(row.expect("a row"), Row::new("a").with("v", 1));
}

#[test]
fn a_row_names_a_column_once() {
    let place = Place::new();
    let state = place.open();
    let def = TableDef::new("t").column(ColumnDef::new("old", ColumnType::Int));
    let table = state.define(&def).expect("a table");
    state.rename_column("t", "old", "new").expect("renamed");
    let row = Row::new("a").with("old", 1).with("new", 2);
    let refused = table.append(&row).err();
    assert!(
        matches!(refused, Some(Error::InvalidRow { .. })),
        "{refused:?}"
    );
    assert!(!table.contains("a").expect("a read"));
}

#[cfg(feature = "query")]
#[test]
fn a_column_that_is_gone_is_not_its_own_name() {
    let place = Place::new();
    let state = place.open();
    let def = TableDef::new("t").column(ColumnDef::new("body", ColumnType::Text));
    let table = state.define(&def).expect("a table");
    table
        .append(&Row::new("a").with("body", "text"))
        .expect("new");
    crate::support::intruder(&place.db())
        .execute_batch("ALTER TABLE t RENAME COLUMN body TO other")
        .expect("another program's doing");
    let answer = state
        .sql("select body from t")
        .and_then(Iterator::collect::<Result<Vec<_>, _>>);
    assert!(answer.is_err(), "{answer:?}");
}
