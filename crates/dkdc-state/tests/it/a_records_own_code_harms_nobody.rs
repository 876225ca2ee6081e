//! A record is a trait that anybody implements, and its code runs while records
//! are written.
//!
//! The failure to prevent: it uses the state, and waits for itself for ever, with
//! the write lock of all processes; it panics, and others are told that their
//! store is damaged; it gives a value too few, and one that was there is kept.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use dkdc_state::{
    ColumnDef, ColumnType, Error, Record, State, Table, TableDef, Value, ValueError, Values,
};

use crate::support::{Place, assert_sound, note, notes, refusal};

/// A record whose values come from a function.
struct Awkward<'s> {
    id: String,
    values: &'s (dyn Fn() -> Vec<Value> + Sync),
}

impl Record for Awkward<'_> {
    fn table() -> TableDef {
        TableDef::new("awkward")
            .column(ColumnDef::new("a", ColumnType::Int))
            .column(ColumnDef::new("b", ColumnType::Int))
    }

    fn id(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.id)
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

/// One behind so many others: a few, which the thread that writes them makes, or
/// many, which another makes beside it.
fn behind<'s>(others: usize, values: &'s (dyn Fn() -> Vec<Value> + Sync)) -> Vec<Awkward<'s>> {
    let id = |n: usize| format!("n{n:03}");
    let others = (0..others).map(|n| Awkward {
        id: id(n),
        values: &both,
    });
    let last = Awkward {
        id: "x".to_owned(),
        values,
    };
    others.chain([last]).collect()
}

const FEW_AND_MANY: [usize; 2] = [1, 300];

#[test]
fn one_that_writes_meanwhile_is_refused_and_waits_for_nobody() {
    for others in FEW_AND_MANY {
        let place = Place::new();
        let (state, table) = open(&place);
        let within = Mutex::new(Vec::new());
        let values = || {
            let notes = state
                .rows("notes")
                .and_then(|notes| notes.append(&note("n", 1)));
            within.lock().expect("no panic").push(refusal(notes));
            both()
        };
        let records = behind(others, &values);
        let written = table.append_all(&records).expect("written");
        assert_eq!(written.len(), others + 1);
        let within = within.into_inner().expect("no panic");
        assert_eq!(within, ["InsideTransaction"]);
        // And afterwards it is as before.
        let notes = state.rows("notes").expect("a table");
        notes.append(&note("n", 1)).expect("new");
        assert_sound(&state);
    }
}

#[test]
fn one_that_panics_writes_nothing_and_the_next_write_succeeds() {
    for others in FEW_AND_MANY {
        let place = Place::new();
        let (state, table) = open(&place);
        let values = || panic!("a record's own code");
        let records = behind(others, &values);
        let append = AssertUnwindSafe(|| table.append_all(&records).map(|_| ()));
        let panic = catch_unwind(append).expect_err("it panics");
        assert_eq!(panic.downcast_ref(), Some(&"a record's own code"));
        assert_eq!(table.count().expect("a count"), 0);
        table.append_all(&records[..1]).expect("new");
        assert_eq!(table.ids("", 9).expect("ids"), ["n000"]);
        assert_sound(&state);
    }
}

#[test]
fn one_that_is_refused_ends_the_writing_of_all() {
    for others in FEW_AND_MANY {
        let place = Place::new();
        let (state, table) = open(&place);
        let values = || vec![Value::Int(1), Value::from("no number")];
        let mut records = behind(others, &values);
        records.extend(behind(500, &both).into_iter().map(|mut more| {
            more.id.insert(0, 'z');
            more
        }));
        let refused = table.append_all(&records).expect_err("wrong type");
        let Error::InvalidValue { id, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!((&*id, table.count().expect("a count")), ("x", 0));
        assert_sound(&state);
    }
}

#[test]
fn one_with_a_value_too_few_or_too_many_is_refused() {
    let place = Place::new();
    let (state, table) = open(&place);
    let wrong: [&(dyn Fn() -> Vec<Value> + Sync); 3] =
        [&Vec::new, &|| vec![Value::Int(1)], &|| {
            vec![Value::Int(1), Value::Int(2), Value::Int(3)]
        }];
    for values in wrong {
        let id = "x".to_owned();
        let record = Awkward { id, values };
        assert_eq!(refusal(table.append(&record)), "InvalidRow");
        assert_eq!(refusal(table.upsert_all([&record])), "InvalidRow");
    }
    assert_eq!(table.count().expect("a count"), 0);
    assert_sound(&state);
}
