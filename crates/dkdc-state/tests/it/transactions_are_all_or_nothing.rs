//! A transaction is there as a whole, or not at all; and one refusal inside it
//! that the program handles is not written in part.
//!
//! The failure to prevent: money leaves one account and never arrives at the
//! other; a closure panics and the lock stays taken; an operation is refused
//! half-way, the program goes on, and the half is committed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dkdc_state::{
    ColumnDef, ColumnType, Error, Idx, IndexDef, Moment, Nulls, Record, Row, Select, State,
    TableDef,
};

use crate::support::{Place, assert_sound, note, notes, refusal};

#[derive(Record, Clone, Debug, PartialEq)]
#[record(table = "accounts")]
struct Account {
    #[record(id)]
    id: String,
    cents: i64,
}

/// The same table, as a later program declares it: no two accounts alike.
#[derive(Record, Clone, Debug, PartialEq)]
#[record(table = "accounts", unique(cents), index(owner))]
struct UniqueAccount {
    #[record(id)]
    id: String,
    cents: i64,
    owner: Option<String>,
}

fn account(id: &str, cents: i64) -> Account {
    let id = id.to_owned();
    Account { id, cents }
}

#[test]
fn a_table_in_a_transaction_answers_as_outside_and_sees_its_own_writes() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let first = table.append(&note("a1", 1)).expect("new").idx;
    let done = state.transaction(|tx| {
        let notes = tx.rows("notes")?;
        let second = notes.update(&note("a1", 2))?.idx;
        notes.append_all(&[note("a2", 1), note("b", 1), note("c", 1)])?;
        // One refused, none written, and the transaction goes on.
        let both = [note("d", 1), note("b", 1)];
        assert_eq!(refusal(notes.append_all(&both)), "AlreadyExists");
        assert!(!notes.contains("d")?);
        assert_eq!(refusal(notes.update_all(&[note("d", 1)])), "NotFound");
        notes.upsert_all(&[note("b", 2), note("e", 1)])?;
        assert_eq!(refusal(notes.delete_if("a1", first)), "Conflict");
        notes.delete_if("a1", second)?;
        Ok::<_, Error>((
            notes.ids("a", 9)?,
            notes.ids("", 2)?,
            notes.count()?,
            notes.diff("a1", first, second)?,
            notes.version("a1", second)?,
            notes.version("b", second)?,
            notes.schema()?,
            second,
        ))
    });
    let (a, two, count, diff, version, other, schema, second) = done.expect("a transaction");
    assert_eq!(a, ["a2"]);
    assert_eq!(two, ["a2", "b"]);
    assert_eq!(count, 4);
    let changed: Vec<&str> = diff.iter().map(|d| d.column.as_str()).collect();
    assert_eq!(changed, ["body", "n"]);
    assert_eq!(version.expect("had it").record, Some(note("a1", 2)));
    assert_eq!(other, None);
    // And the same from outside.
    assert_eq!(table.ids("a", 9).expect("ids"), a);
    assert_eq!(table.ids("", 2).expect("ids"), two);
    assert_eq!(table.count().expect("a count"), count);
    assert_eq!(table.diff("a1", first, second).expect("two versions"), diff);
    assert_eq!(table.schema().expect("a schema"), schema);
    assert_sound(&state);
}

#[test]
fn what_a_closure_did_is_undone_when_it_fails() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    notes.append(&note("a", 1)).expect("new");
    let (last, tables) = (
        state.last().expect("a read"),
        state.tables().expect("tables"),
    );
    let gone: Result<(), Error> = state.transaction(|tx| {
        let notes = tx.rows("notes")?;
        notes.update(&note("a", 2))?;
        notes.append(&note("b", 2))?;
        notes.delete("a")?;
        tx.table::<Account>()?.append(&account("ada", 5))?;
        tx.put_blob(&b"content"[..])?;
        Err(Error::Query("given up".to_owned()))
    });
    assert_eq!(gone.expect_err("it gave up").to_string(), "given up");
    assert_eq!(state.last().expect("a read"), last);
    assert_eq!(state.tables().expect("tables"), tables);
    assert_eq!(state.status().expect("a status").blobs, 0);
    assert_eq!(notes.list(&Select::new()).expect("a list").len(), 1);
    assert_eq!(
        notes.get("a").expect("a read").expect("there").record,
        note("a", 1)
    );
    assert_sound(&state);
    // The table that was not made can be made, and used.
    let accounts = state.table::<Account>().expect("a table");
    accounts.append(&account("ada", 5)).expect("new");
    assert_sound(&state);
}

#[test]
fn a_panic_inside_leaves_the_store_usable() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    for round in 0..3 {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            state.transaction(|tx| {
                tx.rows("notes")?.append(&note("a", 1))?;
                assert!(round > 5, "as the test wants it");
                Ok::<(), Error>(())
            })
        }));
        assert!(panicked.is_err());
        assert!(!notes.contains("a").expect("a read, on the same thread"));
        notes
            .upsert(&note("b", round))
            .expect("a write, on the same thread");
    }
    std::thread::scope(|scope| {
        scope.spawn(|| notes.append(&note("c", 1)).expect("a write, on another"));
    });
    assert_eq!(notes.ids("", 9).expect("ids"), ["b", "c"]);
    assert_sound(&state);
}

#[test]
fn the_state_itself_is_refused_inside() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    notes.append(&note("a", 1)).expect("new");
    let other_place = Place::new();
    let other = other_place.open();
    let others = other.define(&crate::support::notes()).expect("a table");
    let snapshot = state.snapshot().expect("a snapshot");
    let then = snapshot.rows("notes").expect("a table");
    state
        .transaction(|tx| {
            tx.rows("notes")?.append(&note("b", 1))?;
            let refused = [
                refusal(notes.get("a")),
                refusal(notes.contains("a")),
                refusal(notes.list(&Select::new())),
                refusal(notes.history("a")),
                refusal(notes.append(&note("c", 1))),
                refusal(notes.append_all(&[note("c", 1)])),
                refusal(notes.delete("a")),
                refusal(state.transaction(|_| Ok::<(), Error>(()))),
                refusal(state.clear(&[])),
                refusal(state.define(&crate::support::notes()).map(|_| ())),
                refusal(state.table::<Account>().map(|_| ())),
                refusal(state.rename_column("notes", "n", "m")),
                refusal(state.changes(Idx::ZERO).map(|_| ())),
                refusal(state.at(Moment::Idx(Idx::ZERO)).map(|_| ())),
                refusal(state.put_blob(&b"x"[..])),
                refusal(state.check()),
                refusal(then.get("a")),
            ];
            assert_eq!(refused, ["InsideTransaction"; 17]);
            // Another store is another matter.
            others.append(&note("elsewhere", 1))?;
            Ok::<(), Error>(())
        })
        .expect("the transaction goes on");
    assert_eq!(notes.ids("", 9).expect("ids"), ["a", "b"]);
    assert!(others.contains("elsewhere").expect("a read"));
}

#[test]
fn a_refusal_that_is_handled_leaves_the_rest() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    let v1 = notes.append(&note("a", 1)).expect("new").idx;
    state
        .transaction(|tx| {
            let notes = tx.rows("notes")?;
            let b = notes.append(&note("b", 1))?.idx;
            assert_eq!(refusal(notes.append(&note("a", 1))), "AlreadyExists");
            assert_eq!(refusal(notes.update(&note("c", 1))), "NotFound");
            assert_eq!(refusal(notes.update_if(&note("a", 9), b)), "Conflict");
            assert_eq!(refusal(notes.restore("b", v1)), "NoSuchVersion");
            assert_eq!(refusal(notes.append(&note("", 1))), "InvalidId");
            assert_eq!(
                refusal(notes.append(&Row::new("d").with("m", 1))),
                "UnknownColumn"
            );
            assert_eq!(
                refusal(notes.append(&Row::new("d").with("n", "x"))),
                "InvalidValue"
            );
            assert_eq!(refusal(tx.rows("nowhere").map(|_| ())), "UnknownTable");
            // Reads see what was written, and not what was refused.
            assert_eq!(
                notes.get("b")?.expect("its own write").get("n"),
                Some(&1.into())
            );
            assert_eq!(notes.list(&Select::new().eq("n", 1))?.len(), 2);
            assert_eq!(notes.history("a")?.len(), 1);
            notes.delete("a")?;
            assert!(!notes.contains("a")?);
            assert_eq!(notes.list_deleted(&Select::new())?.len(), 1);
            let next = notes.append(&note("d", 1))?.idx;
            assert_eq!(next.as_micros(), b.as_micros() + 2, "numbers were used up");
            Ok::<(), Error>(())
        })
        .expect("the refusals were handled");
    assert_eq!(notes.ids("", 9).expect("ids"), ["b", "d"]);
    assert_sound(&state);
}

#[test]
fn a_declaration_that_is_refused_inside_leaves_nothing_of_itself() {
    let place = Place::new();
    let state = place.open();
    let accounts = state.table::<Account>().expect("a table");
    accounts
        .append_all(&[account("ada", 5), account("bob", 5)])
        .expect("new");
    let before = (
        accounts.schema().expect("a schema"),
        state.events().expect("events"),
    );
    state
        .transaction(|tx| {
            tx.table::<Account>()?.append(&account("eve", 6))?;
            let refused = tx.table::<UniqueAccount>().map(|_| ());
            assert_eq!(refusal(refused), "NotUnique");
            tx.table::<Account>()?.append(&account("joe", 7))?;
            Ok::<(), Error>(())
        })
        .expect("the refusal was handled");
    assert_eq!(
        accounts.ids("", 9).expect("ids"),
        ["ada", "bob", "eve", "joe"]
    );
    let after = (
        accounts.schema().expect("a schema"),
        state.events().expect("events"),
    );
    assert_eq!(after, before, "a part of the refused declaration was kept");
    assert_sound(&state);
    // Once the values are unique, the same declaration is taken.
    accounts.update(&account("bob", 8)).expect("there");
    let unique = state.table::<UniqueAccount>().expect("unique now");
    let twin = UniqueAccount {
        id: "twin".into(),
        cents: 8,
        owner: None,
    };
    assert_eq!(refusal(unique.append(&twin)), "NotUnique");
    assert_sound(&state);
}

#[test]
fn several_tables_change_in_one_moment() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    let first = state
        .transaction(|tx| {
            let first = tx.rows("notes")?.append(&note("a", 1))?.idx;
            tx.table::<Account>()?.append(&account("ada", 5))?;
            tx.rows("notes")?.update(&note("a", 2))?;
            Ok::<_, Error>(first)
        })
        .expect("both tables");
    notes.update(&note("a", 3)).expect("there");
    let then = state.at(first.into()).expect("history");
    let found = then
        .rows("notes")
        .expect("a table")
        .get("a")
        .expect("a read");
    assert_eq!(
        found.expect("there").record,
        note("a", 2),
        "half a transaction"
    );
    let accounts = then.table::<Account>().expect("a table");
    assert!(
        accounts.contains("ada").expect("a read"),
        "half a transaction"
    );
}

#[test]
fn uniqueness_is_judged_at_the_end() {
    let place = Place::new();
    let state = place.open();
    let slots = slots(&state, Nulls::Distinct);
    let slot = |id: &str, n: i64| Row::new(id).with("slot", n);
    slots
        .append_all(&[slot("a", 1), slot("b", 2)])
        .expect("new");
    let swap = state.transaction(|tx| {
        let slots = tx.rows("slots")?;
        slots.update(&slot("a", 2))?;
        slots.update(&slot("b", 1))?;
        Ok::<(), Error>(())
    });
    swap.expect("two values are swapped");
    slots
        .update_all(&[slot("a", 1), slot("b", 2)])
        .expect("also in a batch");
    let half: Result<(), Error> = state.transaction(|tx| {
        let slots = tx.rows("slots")?;
        slots.update(&slot("a", 2))?;
        slots.append(&slot("c", 3))?;
        Ok(())
    });
    let error = half.expect_err("two have 2");
    let Error::NotUnique {
        columns, id, other, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (columns.as_slice(), id.as_str(), other.as_str()),
        (&["slot".into()][..], "a", "b")
    );
    assert!(!slots.contains("c").expect("a read"));
    // What is deleted or moved away by the end holds nothing.
    let moved = state.transaction(|tx| {
        let slots = tx.rows("slots")?;
        slots.append(&slot("c", 1))?;
        slots.delete("a")?;
        slots.append(&slot("d", 2))?;
        slots.update(&slot("b", 4))?;
        slots.append(&slot("e", 5))?;
        slots.append(&slot("f", 5))?;
        slots.delete("e")?;
        Ok::<(), Error>(())
    });
    moved.expect("unique at the end");
    let ids = slots.list(&Select::new().order("slot")).expect("a list");
    let ids: Vec<&str> = ids.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["c", "d", "b", "f"]);
    assert_sound(&state);
}

fn slots(state: &State, nulls: Nulls) -> dkdc_state::Table<Row> {
    let table = TableDef::new("slots")
        .column(ColumnDef::new("slot", ColumnType::Int))
        .index(IndexDef::new(["slot"]).unique(nulls));
    state.define(&table).expect("a table")
}

#[test]
fn a_restore_is_judged_like_any_other_write() {
    let place = Place::new();
    let state = place.open();
    let slots = slots(&state, Nulls::Distinct);
    let old = slots
        .append(&Row::new("a").with("slot", 1))
        .expect("new")
        .idx;
    slots.delete("a").expect("there");
    slots.append(&Row::new("b").with("slot", 1)).expect("free");
    assert_eq!(refusal(slots.restore("a", old)), "NotUnique");
    assert!(!slots.contains("a").expect("a read"));
    assert_sound(&state);
}

#[test]
fn nulls_repeat_or_not_as_declared() {
    for (nulls, repeats) in [(Nulls::Distinct, true), (Nulls::Equal, false)] {
        let place = Place::new();
        let state = place.open();
        let slots = slots(&state, nulls);
        slots.append(&Row::new("a")).expect("new");
        assert_eq!(slots.append(&Row::new("b")).is_ok(), repeats, "{nulls:?}");
        slots
            .upsert(&Row::new("a").with("slot", 1))
            .expect("a value");
        slots.upsert(&Row::new("b")).expect("now there is one NULL");
        assert_eq!(
            slots
                .update(&Row::new("a").with("slot", dkdc_state::Value::Null))
                .is_ok(),
            repeats
        );
        let nulls = slots.list(&Select::new().is_null("slot")).expect("a list");
        assert_eq!(nulls.len(), if repeats { 2 } else { 1 });
        assert_sound(&state);
    }
}
