//! A text that should have been a number was put right, and a record that nobody
//! may know of was erased.
//!
//! The failure to prevent: every question that makes a number of the column fails
//! for ever, since it is asked of what was replaced as well; and what it says then
//! gives away what was there.

use dkdc_state::arrow_array::cast::AsArray;
use dkdc_state::arrow_array::types::Int64Type;
use dkdc_state::{Row, State};

use crate::support::{Place, note, notes, quick};

fn count(state: &State, query: &str) -> i64 {
    let batches = state
        .sql(query)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let batches = batches.unwrap_or_else(|error| panic!("{query}: {error}"));
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

/// With the mirror and without, and with rows in memory and without.
#[test]
fn what_was_replaced_deleted_or_erased_is_not_asked() {
    for (seal, hot) in [(10, 0), (10, 1 << 20), (1 << 20, 0), (1 << 20, 1 << 20)] {
        let place = Place::new();
        let state = quick().seal_rows(seal).hot_rows_bytes(hot);
        let state = state.open(place.db()).expect("a store");
        let table = state.define(&notes()).expect("a table");
        let text = |id: &str, body: &str| Row::new(id).with("body", body);
        for n in 0..50 {
            table.append(&note(&n.to_string(), n)).expect("new");
        }
        for n in 0..50 {
            let id = n.to_string();
            table.update(&text(&id, &id)).expect("there");
        }
        table.append(&text("gone", "no number")).expect("new");
        table.delete("gone").expect("there");
        let right = state.last().expect("a read");
        // Asked again, so that rows are in memory where they may be.
        for _ in 0..2 {
            assert_eq!(
                count(&state, "select count(*) from notes where body::int >= 10"),
                40
            );
            assert_eq!(
                count(&state, "select count(*) from notes where id::int < 10"),
                10
            );
            assert_eq!(
                count(
                    &state,
                    "select count(*) from notes a join notes b on a.body::int = b.id::int"
                ),
                50
            );
        }
        table.append(&text("secret", "secret")).expect("new");
        let as_of = format!("select count(*) from notes_at({right}) where body::int >= 10");
        assert_eq!(count(&state, &as_of), 40, "{seal} {hot}");
        state.erase("notes", &["secret"]).expect("there");
        assert_eq!(
            count(&state, "select count(*) from notes where id::int < 10"),
            10
        );
        assert_eq!(
            count(&state, "select count(*) from notes where body::int < 10"),
            10
        );
    }
}
