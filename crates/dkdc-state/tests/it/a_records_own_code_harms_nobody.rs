//! A record is a trait that anybody implements, and its code runs while records
//! are written.
//!
//! The failure to prevent: it uses the state, and waits for itself for ever, with
//! the write lock of all processes; it panics, and others are told that their
//! store is damaged; it gives a value too few, and one that was there is kept.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dkdc_state::{
    ColumnDef, ColumnType, Record, State, Table, TableDef, Value, ValueError, Values,
};

use crate::support::{Place, assert_sound, note, notes, refusal};

/// A record whose values come from a function.
struct Awkward<'s> {
    id: &'static str,
    values: &'s dyn Fn() -> Vec<Value>,
}

impl Record for Awkward<'_> {
    fn table() -> TableDef {
        TableDef::new("awkward")
            .column(ColumnDef::new("a", ColumnType::Int))
            .column(ColumnDef::new("b", ColumnType::Int))
    }

    fn id(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.id)
    }

    fn to_values(&self) -> Result<Vec<Value>, ValueError> {
        Ok((self.values)())
    }

    fn from_values(_: String, _: &mut Values) -> Result<Self, ValueError> {
        Err(ValueError::Missing)
    }
}

fn both() -> Vec<Value> {
    vec![Value::Int(1), Value::Int(2)]
}

fn open(place: &Place) -> (State, Table<Awkward<'_>>) {
    let state = place.open();
    state.define(&notes()).expect("a table");
    let table = state.table().expect("a table");
    (state, table)
}

#[test]
fn one_that_writes_meanwhile_is_refused_and_waits_for_nobody() {
    let place = Place::new();
    let (state, table) = open(&place);
    let within = std::cell::RefCell::new(Vec::new());
    let values = || {
        let notes = state
            .rows("notes")
            .and_then(|notes| notes.append(&note("n", 1)));
        within.borrow_mut().push(refusal(notes));
        both()
    };
    let records = [
        Awkward {
            id: "x",
            values: &values,
        },
        Awkward {
            id: "y",
            values: &values,
        },
    ];
    assert_eq!(table.append_all(&records).expect("written").len(), 2);
    assert_eq!(*within.borrow(), ["InsideTransaction"; 2]);
    // And afterwards it is as before.
    let notes = state.rows("notes").expect("a table");
    notes.append(&note("n", 1)).expect("new");
    assert_sound(&state);
}

#[test]
fn one_that_panics_writes_nothing_and_the_next_write_succeeds() {
    let place = Place::new();
    let (state, table) = open(&place);
    let values = || panic!("a record's own code");
    let records = [
        Awkward {
            id: "x",
            values: &both,
        },
        Awkward {
            id: "y",
            values: &values,
        },
    ];
    let append = AssertUnwindSafe(|| table.append_all(&records).map(|_| ()));
    assert!(catch_unwind(append).is_err());
    assert_eq!(table.count().expect("a count"), 0);
    table.append_all(&records[..1]).expect("new");
    assert_eq!(table.ids("", 9).expect("ids"), ["x"]);
    assert_sound(&state);
}

#[test]
fn one_with_a_value_too_few_or_too_many_is_refused() {
    let place = Place::new();
    let (state, table) = open(&place);
    let wrong: [&dyn Fn() -> Vec<Value>; 3] = [&Vec::new, &|| vec![Value::Int(1)], &|| {
        vec![Value::Int(1), Value::Int(2), Value::Int(3)]
    }];
    for values in wrong {
        let record = Awkward { id: "x", values };
        assert_eq!(refusal(table.append(&record)), "InvalidRow");
        assert_eq!(refusal(table.upsert_all([&record])), "InvalidRow");
    }
    assert_eq!(table.count().expect("a count"), 0);
    assert_sound(&state);
}
