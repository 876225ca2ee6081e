//! A table is what was declared, whatever its names and defaults are.
//!
//! The failure to prevent: a column is called `order`, or a table `asof`, and
//! one of the log's own statements means something else; or a default is
//! accepted that the stored schema cannot give back, and the store never opens
//! again.

use dkdc_state::{ColumnDef, ColumnType, Error, IndexDef, Row, Select, State, TableDef, Value};

use crate::support::{Place, assert_sound, refusal};

/// What SQL or the log's own statements might trip over.
const NAMES: [&str; 15] = [
    "select",
    "from",
    "order",
    "table",
    "index",
    "group by",
    "it's",
    "say \"hi\"",
    "a;b--c",
    "\u{e9}t\u{e9}",
    "\u{1f600}",
    "a\u{301}",
    "rowid",
    "key",
    "asof",
];

#[test]
fn tables_and_columns_may_be_called_anything() {
    let place = Place::new();
    let state = place.open();
    for name in NAMES {
        let list = ColumnType::List(dkdc_state::ListItem::Text);
        let mut def = TableDef::new(name).column(ColumnDef::new("tags", list));
        for column in NAMES {
            def = def.column(ColumnDef::new(column, ColumnType::Text));
        }
        let def = def.index(IndexDef::new([name])).index(IndexDef::new(NAMES));
        let table = state.define(&def).expect(name);
        let row = Row::new("a").with("tags", vec!["x"]).with(name, "1");
        let v1 = table.append(&row).expect(name).idx;
        table.update(&Row::new("a").with(name, "2")).expect(name);
        let select = Select::new()
            .eq(name, "2")
            .has("tags", "x")
            .order_desc(name);
        assert_eq!(table.list(&select).expect(name).len(), 1, "{name}");
        let then = state
            .at(v1.into())
            .expect("history")
            .rows(name)
            .expect(name);
        let select = Select::new().eq(name, "1").order(name);
        assert_eq!(then.list(&select).expect(name).len(), 1, "{name}");
        assert_eq!(then.count().expect(name), 1, "{name}");
        if name == "rowid" {
            continue; // SQLite renames no column that is called so.
        }
        let longer = format!("{name}2");
        state.rename_column(name, name, &longer).expect(name);
        let found = table.get("a").expect(name).expect("there");
        assert_eq!(found.get(&longer), Some(&"2".into()));
    }
    assert_sound(&state);
    state.clear(&[]).expect("all of them");
    drop(state);
    let state = place.open();
    assert_eq!(state.tables().expect("tables").len(), NAMES.len());
    assert_sound(&state);
}

#[test]
fn names_that_differ_only_in_case_are_one_too_many() {
    let place = Place::new();
    let state = place.open();
    state.define(&TableDef::new("Notes")).expect("a table");
    assert_eq!(
        refusal(state.define(&TableDef::new("notes")).map(|_| ())),
        "InvalidSchema"
    );
    assert_eq!(refusal(state.rows("notes").map(|_| ())), "UnknownTable");
    let twice = TableDef::new("t")
        .column(ColumnDef::new("a", ColumnType::Int))
        .column(ColumnDef::new("A", ColumnType::Int));
    assert_eq!(refusal(state.define(&twice).map(|_| ())), "InvalidSchema");
    for name in [
        "",
        "_x",
        "sqlite_x",
        "a\0b",
        &"x".repeat(129),
        "_dkdc_store",
        "JSON_each",
    ] {
        assert_eq!(
            refusal(state.define(&TableDef::new(name)).map(|_| ())),
            "InvalidSchema"
        );
    }
    let longest = "x".repeat(128);
    state
        .define(&TableDef::new(&longest))
        .expect("128 bytes")
        .append(&Row::new("a"))
        .expect("new");
    assert_sound(&state);
}

#[test]
fn every_default_survives_being_stored() {
    let blob = dkdc_state::BlobRef {
        hash: [7; 32],
        size: 9,
    };
    let list = |item| ColumnType::List(item);
    use dkdc_state::ListItem;
    let defaults: Vec<(ColumnType, Value)> = vec![
        (ColumnType::Text, "".into()),
        (ColumnType::Int, i64::MIN.into()),
        (ColumnType::Float, f64::NEG_INFINITY.into()),
        (ColumnType::Float, 3.into()),
        (ColumnType::Float, 0.1.into()),
        (ColumnType::Bool, false.into()),
        (ColumnType::Bytes, vec![0u8, 255].into()),
        (ColumnType::Timestamp, jiff::Timestamp::MIN.into()),
        (
            ColumnType::Timestamp,
            jiff::Timestamp::from_second(-1).expect("in range").into(),
        ),
        (ColumnType::Date, jiff::civil::Date::MIN.into()),
        (ColumnType::Uuid, uuid::Uuid::nil().into()),
        (
            ColumnType::Json,
            serde_json::json!({"a": [1, null, "x"]}).into(),
        ),
        (ColumnType::Json, Value::Json(serde_json::Value::Null)),
        (list(ListItem::Text), Value::List(vec![])),
        (
            list(ListItem::Int),
            Value::List(vec![Value::Null, 1.into()]),
        ),
        (
            list(ListItem::Float),
            Value::List(vec![1.5.into(), 2.into()]),
        ),
        (
            list(ListItem::Json),
            Value::List(vec![Value::Json(serde_json::json!("x"))]),
        ),
        (ColumnType::Blob, blob.into()),
    ];
    let cannot_be = [
        jiff::Timestamp::MIN.into(),
        Value::Json(serde_json::Value::Null),
        blob.into(),
    ];
    for (ty, default) in defaults {
        let place = Place::new();
        let state = place.open();
        let plain = TableDef::new("t");
        let table = state.define(&plain).expect("a table");
        table.append(&Row::new("old")).expect("new");
        let with = plain.column(ColumnDef::new("x", ty).default(default.clone()));
        match state.define(&with) {
            // What the stored schema cannot hold is refused when declared.
            Err(Error::InvalidSchema { .. }) if cannot_be.contains(&default) => continue,
            other => other.expect("a default"),
        };
        let shown = table
            .get("old")
            .expect("a read")
            .expect("there")
            .get("x")
            .cloned();
        drop((table, state));
        let state = State::open(place.db()).unwrap_or_else(|error| panic!("{default:?}: {error}"));
        let table = state.rows("t").expect("a table");
        table.append(&Row::new("new")).expect("new");
        for id in ["old", "new"] {
            let found = table
                .get(id)
                .expect("a read")
                .expect("there")
                .get("x")
                .cloned();
            assert_eq!(found, shown, "{id}, the default {default:?}");
        }
        assert_sound(&state);
    }
}
