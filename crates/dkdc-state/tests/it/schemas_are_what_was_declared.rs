//! What a store says of its tables is what was declared.
//!
//! The failure to prevent: a bit flips in the default of a column, and every record
//! that was written before the column reads as something that nobody wrote, and the
//! store is called sound.

use dkdc_state::{ColumnDef, ColumnType, IndexDef, Keep, Nulls, Row, State, TableDef};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::cases::cases;
use crate::support::{Place, assert_sound, intruder};

fn int(name: &str, default: i64) -> ColumnDef {
    ColumnDef::new(name, ColumnType::Int).default(default)
}

fn tasks() -> TableDef {
    TableDef::new("tasks")
        .column(ColumnDef::new("text", ColumnType::Text))
        .column(int("n", 5))
        .index(IndexDef::new(["n", "-idx"]))
        .index(IndexDef::new(["text"]).unique(Nulls::Distinct))
}

#[test]
fn every_field_of_a_stored_schema_is_covered() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&tasks()).expect("a table");
    table
        .append(&Row::new("old").with("text", "x"))
        .expect("new");
    state
        .rename_column("tasks", "text", "body")
        .expect("a name");
    let late = TableDef::new("tasks").column(int("late", 7).required());
    state.define(&late).expect("a column");
    assert_sound(&state);
    let conn = intruder(&place.db());
    let stored = |field: &str| -> String {
        let sql = format!("SELECT {field} FROM _dkdc_tables");
        conn.query_row(&sql, [], |row| row.get(0)).expect("a table")
    };
    let check = |field: &str, text: &str| {
        let sql = format!("UPDATE _dkdc_tables SET {field} = ?1");
        assert_eq!(conn.execute(&sql, [text]), Ok(1), "{text}");
        state.check().expect("a check")
    };
    for (field, from, to) in [
        ("name", "tasks", "tasls"),
        ("columns", r#""name":"body""#, r#""name":"bodx""#),
        ("columns", r#""former":["text"]"#, r#""former":["texts"]"#),
        ("columns", r#""former":["text"],"#, ""),
        ("columns", r#""type":"text""#, r#""type":"json""#),
        ("columns", r#""value":5"#, r#""value":4"#),
        (
            "columns",
            r#"{"type":"int","value":5}"#,
            r#"{"type":"float","value":5}"#,
        ),
        ("columns", r#","default":{"type":"int","value":5}"#, ""),
        ("columns", r#""required":true,"#, ""),
        ("columns", r#""since":"#, r#""since":1"#),
        (
            "columns",
            r#""initial":{"type":"int","value":7}"#,
            r#""initial":{"type":"int","value":8}"#,
        ),
        ("columns", r#","initial":{"type":"int","value":7}"#, ""),
        ("indexes", r#""number":2"#, r#""number":3"#),
        ("indexes", r#"{"column":2}"#, r#"{"column":3}"#),
        ("indexes", r#""key":"idx""#, r#""key":"id""#),
        ("indexes", r#","descending":true"#, ""),
        ("indexes", r#""unique":"distinct""#, r#""unique":"equal""#),
        ("indexes", r#","unique":"distinct""#, ""),
    ] {
        let was = stored(field);
        let is = was.replacen(from, to, 1);
        assert_ne!(was, is, "{from} is not in {was}");
        let damage = check(field, &is).damage;
        let line = |line: &String| line.ends_with(": its schema is not what was written");
        assert!(damage.iter().any(line), "{is}: {damage:#?}");
        assert!(check(field, &was).is_sound(), "{was}");
    }
    // A bit of each byte.
    for field in ["name", "columns", "indexes"] {
        let was = stored(field);
        for at in 0..was.len() {
            let mut is = was.clone().into_bytes();
            is[at] ^= 1;
            let is = String::from_utf8(is).expect("ASCII");
            assert!(!check(field, &is).is_sound(), "{is}");
        }
        assert!(check(field, &was).is_sound(), "{was}");
    }
}

/// An older program's events say nothing of it.
#[test]
fn a_schema_of_which_no_event_has_a_hash_is_taken_as_it_is() {
    let place = Place::new();
    let state = place.open();
    state.define(&tasks()).expect("a table");
    let line = "tasks: its schema is not what was written";
    let conn = intruder(&place.db());
    let changed = conn.execute(
        r#"UPDATE _dkdc_tables SET columns = replace(columns, '"value":5', '"value":6')"#,
        [],
    );
    assert_eq!(changed, Ok(1));
    assert_eq!(state.check().expect("a check").damage, [line]);
    let older = "UPDATE _dkdc_events SET detail = json_remove(detail, '$.schema')";
    conn.execute_batch(older).expect("a change");
    let damage = state.check().expect("a check").damage;
    assert!(
        damage.iter().all(|line| line.starts_with("event ")),
        "{damage:?}"
    );
}

/// A program's next version, or something that is done to its table.
fn evolve(state: &State, columns: &mut Vec<ColumnDef>, (step, at): (u8, usize), new: &str) {
    let table = TableDef::new("t");
    let column = &mut columns[at];
    let mut add = None;
    let defined = match step {
        0 => add.insert(ColumnDef::new(new, ColumnType::Float)).clone(),
        1 => add.insert(int(new, 3)).clone(),
        2 => add.insert(int(new, -3).required()).clone(),
        3 => {
            let was = std::mem::replace(&mut column.name, new.to_owned());
            column.clone().was(was)
        }
        _ => {
            column.required &= step != 4;
            column.clone()
        }
    };
    columns.extend(add);
    let name = defined.name.clone();
    let table = table.column(defined);
    let table = match step {
        5 => table.index(IndexDef::new([name.as_str(), "-idx"])),
        6 => table.index(IndexDef::new(["id", name.as_str()]).unique(Nulls::Equal)),
        _ => table,
    };
    let table = state.define(&table).expect("it goes together");
    let record = Row::new(format!("r{at}")).with(columns[0].name.as_str(), 7);
    match step {
        7 => {
            state.rename_column("t", &name, new).expect("a name");
            new.clone_into(&mut columns[at].name);
        }
        8 => drop(state.clear(&["t"]).expect("a table")),
        9 => {
            let keep = Keep::Versions(1.try_into().expect("one"));
            state.prune("t", keep).expect("pruned");
        }
        10 => {
            table.upsert(&record).expect("either");
            state.erase("t", &[&record.id]).expect("there");
        }
        11 => {
            let other = TableDef::new(format!("other_{new}")).column(int("x", 1));
            state.define(&other).expect("a table");
        }
        _ => drop(table.upsert(&record).expect("either")),
    }
}

#[test]
fn a_store_is_sound_however_its_schemas_came_to_be() {
    proptest!(cases(24), |(
        steps in vec((0_u8..14, any::<Index>()), 1..16),
    )| {
        let place = Place::new();
        let mut state = place.open();
        let mut columns = vec![int("n", 1).required()];
        let table = TableDef::new("t").column(columns[0].clone());
        state.define(&table).expect("a table");
        for (n, (step, at)) in steps.into_iter().enumerate() {
            if step == 13 {
                drop(state);
                state = place.open();
            }
            let at = at.index(columns.len());
            evolve(&state, &mut columns, (step, at), &format!("c{n}"));
            assert_sound(&state);
        }
        state.backup(place.at("copy.db"), &mut |_| {}).expect("a copy");
        drop(state);
        let to = place.at("rescued.db");
        State::salvage(place.at("copy.db"), &to, &mut |_| {}).expect("all of it");
        let rescued = State::open(&to).expect("a store");
        assert_sound(&rescued);
        let columns = "UPDATE _dkdc_tables SET columns = columns || ' '";
        intruder(&to).execute_batch(columns).expect("a change");
        prop_assert!(!rescued.check().expect("a check").is_sound());
    });
}
