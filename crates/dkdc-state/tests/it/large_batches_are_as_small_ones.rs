//! A large batch is made by one thread and written by another.
//!
//! The failure to prevent: it writes something else than its records one by one
//! would have, in another order, or rows whose hashes were made for other rows.

use dkdc_state::{ColumnDef, ColumnType, Op, Row, State, Table, TableDef, Value, Version};
use proptest::prelude::*;

use crate::cases::cases;
use crate::support::{NOON, Place, TestClock, assert_sound};

/// What came before, of the records that the batch names.
#[derive(Clone, Copy, Debug)]
enum Before {
    Never,
    There,
    Deleted,
}

/// A record of the batch: what came before, the columns it names, and whether it
/// comes a second time.
type Plan = (Before, bool, bool, bool);

fn plan() -> impl Strategy<Value = Vec<Plan>> {
    let before = prop_oneof![
        Just(Before::Never),
        Just(Before::There),
        Just(Before::Deleted)
    ];
    let one = (before, any::<bool>(), any::<bool>(), any::<bool>());
    proptest::collection::vec(one, 100..400)
}

fn table(state: &State) -> Table<Row> {
    let def = TableDef::new("t")
        .column(ColumnDef::new("a", ColumnType::Text))
        .column(ColumnDef::new("b", ColumnType::Int).default(7))
        .column(ColumnDef::new("c", ColumnType::Json));
    state.define(&def).expect("a table")
}

/// A store with what came before, of a clock that stands still.
fn prepare(place: &Place, plans: &[Plan]) -> State {
    let state = place.open_at(&TestClock::new(NOON));
    let table = table(&state);
    for (n, (before, ..)) in plans.iter().enumerate() {
        let id = format!("r{n}");
        if !matches!(before, Before::Never) {
            table.append(&Row::new(&id).with("a", "old")).expect("new");
        }
        if matches!(before, Before::Deleted) {
            table.delete(&id).expect("there");
        }
    }
    state
}

fn batch(plans: &[Plan]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (n, (_, a, rest, again)) in plans.iter().enumerate() {
        let mut row = Row::new(format!("r{n}"));
        if *a {
            row = row.with("a", format!("new {n}"));
        }
        if *rest {
            let json = Value::Json(serde_json::json!({"n": n}));
            row = row
                .with("b", i64::try_from(n).expect("few"))
                .with("c", json);
        }
        if *again {
            rows.push(row.clone());
        }
        rows.push(row);
    }
    rows
}

fn histories(table: &Table<Row>, count: usize) -> Vec<(Version, Option<Row>)> {
    let histories = (0..count).flat_map(|n| table.history(&format!("r{n}")).expect("a history"));
    histories.map(|row| (row.version, row.record)).collect()
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn an_upsert_of_many_is_an_upsert_of_each(plans in plan()) {
        let (place, other) = (Place::new(), Place::new());
        let (large, small) = (prepare(&place, &plans), prepare(&other, &plans));
        let rows = batch(&plans);
        let versions = table(&large).upsert_all(&rows).expect("written");
        let one = table(&small);
        let each: Vec<Version> = rows.iter().map(|row| one.upsert(row).expect("written")).collect();
        prop_assert_eq!(versions, each);
        prop_assert_eq!(
            histories(&table(&large), plans.len()),
            histories(&one, plans.len())
        );
        assert_sound(&large);
    }

    #[test]
    fn an_append_of_many_is_an_append_of_each(plans in plan()) {
        let mut plans = plans;
        for (before, _, _, again) in &mut plans {
            *again = false;
            if matches!(before, Before::There) {
                *before = Before::Deleted;
            }
        }
        let (place, other) = (Place::new(), Place::new());
        let (large, small) = (prepare(&place, &plans), prepare(&other, &plans));
        let rows = batch(&plans);
        let versions = large
            .transaction(|tx| tx.rows("t")?.append_all(&rows))
            .expect("written");
        prop_assert!(versions.iter().all(|version| version.op == Op::Append));
        let one = table(&small);
        let each: Vec<Version> = rows.iter().map(|row| one.append(row).expect("written")).collect();
        prop_assert_eq!(versions, each);
        prop_assert_eq!(
            histories(&table(&large), plans.len()),
            histories(&one, plans.len())
        );
        assert_sound(&large);
    }
}
