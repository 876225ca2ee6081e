//! A row that says what no write can have said is an error to whoever reads it,
//! and the error names the table, the version and the record.
//!
//! The failure to prevent: a disk flips a bit, and a record is read as another, as
//! nothing, or as one that was never there.

use dkdc_state::{ColumnDef, ColumnType, Error, Idx, Row, Select, State, Table, TableDef};

use crate::support::{Place, intruder, note, notes};

fn typed(state: &State) -> Table<Row> {
    let def = TableDef::new("t")
        .column(ColumnDef::new("flag", ColumnType::Bool))
        .column(ColumnDef::new("id2", ColumnType::Uuid))
        .column(ColumnDef::new("j", ColumnType::Json))
        .column(ColumnDef::new("when", ColumnType::Timestamp))
        .column(ColumnDef::new("day", ColumnType::Date));
    let table = state.define(&def).expect("a table");
    table
        .append_all(&[Row::new("good"), Row::new("bad")])
        .expect("new");
    table
}

#[test]
fn a_value_that_fits_no_column() {
    let place = Place::new();
    let state = place.open();
    let table = typed(&state);
    let bad = table.get("bad").expect("a read").expect("there").idx();
    for set in [
        "flag = 2",
        "id2 = 'no uuid'",
        "j = '{'",
        "\"when\" = 9223372036854775807",
        "day = 9223372036854775807",
        "flag = NULL, id2 = NULL, j = CAST(x'ff' AS TEXT)",
        "_op = 77",
    ] {
        let change = format!(
            "UPDATE t SET flag = NULL, id2 = NULL, j = NULL, \"when\" = NULL, day = NULL;
             UPDATE t SET {set} WHERE id = 'bad'"
        );
        intruder(&place.db()).execute_batch(&change).expect(set);
        let changes = || {
            state
                .changes(Idx::ZERO)?
                .collect::<dkdc_state::Result<Vec<_>>>()
        };
        for error in [
            table.get("bad").map(|_| ()),
            table.list(&Select::new()).map(|_| ()),
            table.history("bad").map(|_| ()),
            table.update(&Row::new("bad")).map(|_| ()),
            state.transaction(|tx| tx.rows("t")?.get("bad").map(|_| ())),
            changes().map(|_| ()),
        ] {
            let error = error.expect_err(set);
            let named = format!("table t, version {bad} of \"bad\": ");
            assert!(
                matches!(&error, Error::Damaged { path, what }
                    if path == state.path() && what.starts_with(&named)),
                "{set}: {error}"
            );
        }
        assert!(table.get("good").expect("a read").is_some(), "{set}");
        assert!(!state.check().expect("a check").is_sound());
    }
}

/// The log is what a question reads where the mirror does not have it yet.
#[cfg(feature = "query")]
#[test]
fn a_value_that_fits_no_column_in_a_question() {
    let place = Place::new();
    let state = place.open();
    let table = typed(&state);
    let bad = table.get("bad").expect("a read").expect("there").idx();
    let ask = |query: &str| state.sql(query)?.collect::<dkdc_state::Result<Vec<_>>>();
    for set in [
        "flag = 2",
        "\"when\" = 9223372036854775807",
        "day = 9223372036854775807",
    ] {
        let change = format!(
            "UPDATE t SET flag = NULL, day = NULL, \"when\" = NULL;
             UPDATE t SET {set} WHERE id = 'bad'"
        );
        intruder(&place.db()).execute_batch(&change).expect(set);
        for query in ["from t", "from history.t", "from t_at('now')"] {
            let error = ask(query).expect_err(set);
            let named = format!("table t, version {bad}: ");
            assert!(
                matches!(&error, Error::Damaged { what, .. } if what.contains(&named)),
                "{query}, {set}: {error}"
            );
        }
        // What does not need the value is answered.
        assert_eq!(ask("select id from t").expect("ids")[0].num_rows(), 2);
    }
}

#[test]
fn a_head_that_leads_nowhere_or_to_another_record() {
    for (change, why) in [
        (
            "UPDATE _dkdc_head_notes SET idx = idx + 1 WHERE id = 'b'",
            "which is not there",
        ),
        (
            "UPDATE _dkdc_head_notes SET idx = (SELECT max(idx) FROM notes) WHERE id = 'b'",
            "which is another record's",
        ),
        ("DELETE FROM notes WHERE id = 'b'", "which is not there"),
    ] {
        let place = Place::new();
        let state = place.open();
        let table = state.define(&notes()).expect("a table");
        table.append(&note("b", 1)).expect("new");
        table.append(&note("gone", 1)).expect("new");
        table.delete("gone").expect("there");
        table.append(&note("a", 1)).expect("new");
        // Closed once: then the head table has all heads.
        drop((table, state));
        intruder(&place.db()).execute_batch(change).expect(change);
        let state = place.open();
        let table = state.rows("notes").expect("a table");
        let (now, half) = (state.snapshot().expect("now"), Row::new("b"));
        let then = now.rows("notes").expect("a table");
        let mut reads = vec![
            table.get("b").map(|_| ()),
            state.transaction(|tx| tx.rows("notes")?.get("b").map(|_| ())),
            // What it does not name is kept from the current version.
            table.update(&half).map(|_| ()),
            state.transaction(|tx| tx.rows("notes")?.update(&half).map(|_| ())),
        ];
        if why == "which is another record's" {
            reads.push(table.history("b").map(|_| ()));
            reads.push(then.get("b").map(|_| ()));
            reads.push(then.contains("b").map(|_| ()));
        }
        for error in reads {
            let error = error.expect_err(change);
            assert!(
                matches!(&error, Error::Damaged { what, .. }
                    if what.starts_with("table notes: the head of \"b\" leads to version")
                        && what.ends_with(why)),
                "{change}: {error}"
            );
        }
        for select in [
            Select::new(),
            Select::new().order("n"),
            Select::new().limit(9),
            Select::new().eq("id", "b"),
            Select::new().eq("n", 1),
            Select::new().eq("n", 1).order("idx").limit(1),
        ] {
            let error = table.list(&select).map(|_| ()).expect_err(change);
            assert!(
                matches!(&error, Error::Damaged { what, .. }
                    if what.starts_with("table notes: a head names a version that is not there")),
                "{change}: {error}"
            );
        }
        for (id, there) in [("a", true), ("gone", false), ("never", false)] {
            assert_eq!(table.get(id).expect("a read").is_some(), there, "{id}");
        }
    }
}
