//! A list is the same whether an index serves it or not.
//!
//! The failure to prevent: somebody declares an index to make a list faster,
//! and a record that the list had is not in it any more. The model compares
//! random questions; here are the types that it does not have, and larger
//! tables.

use dkdc_state::{
    ColumnDef, ColumnType, IndexDef, ListItem, Nulls, Row, Select, State, TableDef, Value,
};

use crate::support::{Place, assert_sound, note, notes, refusal};

fn values(ty: ColumnType) -> Vec<Value> {
    let stamp = |text: &str| Value::Timestamp(text.parse().expect("a timestamp"));
    let date = |text: &str| Value::Date(text.parse().expect("a date"));
    match ty {
        ColumnType::Int => [i64::MIN, -256, -1, 0, 1, 255, 256, i64::MAX]
            .map(Value::Int)
            .to_vec(),
        ColumnType::Float => [
            f64::NEG_INFINITY,
            -1e300,
            -1.0,
            -5e-324,
            0.0,
            5e-324,
            1.0,
            1e300,
            f64::INFINITY,
        ]
        .map(Value::Float)
        .to_vec(),
        ColumnType::Bool => vec![false.into(), true.into()],
        ColumnType::Bytes => {
            let bytes: [&[u8]; 7] = [
                b"",
                b"\0",
                b"\0\0",
                b"\0\xff",
                b"\x01",
                b"\xff",
                b"\xff\xff",
            ];
            bytes.map(Value::from).to_vec()
        }
        ColumnType::Text => [
            "", "\0", "\0\u{1}", "\u{1}", "a", "a\0", "a\0b", "ab", "\u{e9}",
        ]
        .map(Value::from)
        .to_vec(),
        ColumnType::Timestamp => vec![
            stamp("0001-01-01T00:00:00Z"),
            stamp("1969-12-31T23:59:59.999999Z"),
            stamp("1970-01-01T00:00:00Z"),
            stamp("9999-12-30T21:59:59Z"),
        ],
        ColumnType::Date => vec![date("0001-01-01"), date("1969-12-31"), date("9999-12-31")],
        ColumnType::Uuid => [0, 1, u128::MAX >> 1, u128::MAX]
            .map(|bits| Value::Uuid(uuid::Uuid::from_u128(bits)))
            .to_vec(),
        other => panic!("{other} has no order"),
    }
}

fn ids(state: &State, table: &str, select: &Select) -> Vec<String> {
    let rows = state
        .rows(table)
        .expect("a table")
        .list(select)
        .expect("a list");
    rows.into_iter().map(|row| row.record.id).collect()
}

#[test]
fn every_type_is_ordered_and_found_alike() {
    use ColumnType::{Bool, Bytes, Date, Float, Int, Text, Timestamp, Uuid};
    for ty in [Int, Float, Bool, Bytes, Text, Timestamp, Date, Uuid] {
        let place = Place::new();
        let state = place.open();
        let column = ColumnDef::new("x", ty);
        let plain = TableDef::new("plain").column(column.clone());
        let up = TableDef::new("up")
            .column(column.clone())
            .index(IndexDef::new(["x"]));
        let down = TableDef::new("down")
            .column(column.clone())
            .index(IndexDef::new(["-x", "id"]));
        let unique = TableDef::new("once")
            .column(column)
            .index(IndexDef::new(["x"]).unique(Nulls::Distinct));
        let mut rows = vec![Row::new("null a"), Row::new("null b")];
        for (n, value) in values(ty).into_iter().enumerate() {
            rows.push(Row::new(format!("{n:02}")).with("x", value));
        }
        for def in [&plain, &up, &down, &unique] {
            state
                .define(def)
                .expect("a table")
                .append_all(&rows)
                .expect("new");
        }
        let mut questions = vec![
            Select::new().order("x"),
            Select::new().order_desc("x"),
            Select::new().order_desc("x").limit(2),
            Select::new().order("x").order_desc("id"),
            Select::new().is_null("x"),
            Select::new().not_null("x").order("x"),
        ];
        for value in values(ty).into_iter().chain([Value::Null]) {
            questions.push(Select::new().eq("x", value.clone()));
            questions.push(Select::new().ne("x", value.clone()));
            questions.push(Select::new().lt("x", value.clone()).order_desc("x"));
            questions.push(Select::new().le("x", value.clone()).order("x"));
            questions.push(Select::new().gt("x", value.clone()).order("x"));
            questions.push(
                Select::new()
                    .ge("x", value.clone())
                    .order_desc("x")
                    .limit(2),
            );
            questions.push(Select::new().gt("x", value.clone()).lt("x", value.clone()));
            questions.push(Select::new().ge("x", value.clone()).le("x", value));
        }
        let in_order: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        assert_eq!(ids(&state, "plain", &questions[0]), in_order, "{ty}");
        for question in &questions {
            let expected = ids(&state, "plain", question);
            for table in ["up", "down", "once"] {
                assert_eq!(
                    ids(&state, table, question),
                    expected,
                    "{ty}, {table}: {question:?}"
                );
            }
        }
        assert_sound(&state);
    }
}

#[test]
fn the_newest_of_many_come_first_also_by_index() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let rows: Vec<Row> = (0..2000).map(|n| note(&format!("{n:04}"), n % 3)).collect();
    table.append_all(&rows).expect("new");
    table.update(&note("0001", 1)).expect("there");
    table.delete("1999").expect("there");
    let by = |select: Select| ids(&state, "notes", &select);
    assert_eq!(
        by(Select::new().eq("n", 1).order_desc("idx").limit(2)),
        ["0001", "1996"]
    );
    assert_eq!(
        by(Select::new().order("n").order_desc("idx").limit(2)),
        ["1998", "1995"]
    );
    assert_eq!(
        by(Select::new().order_desc("n").order("idx").limit(1)),
        ["0002"]
    );
    assert_eq!(
        by(Select::new().order_desc("idx").limit(2)),
        ["0001", "1998"]
    );
    assert_eq!(by(Select::new().order("idx").limit(2)), ["0000", "0002"]);
    assert_eq!(by(Select::new().limit(0)), [""; 0]);
    assert_eq!(by(Select::new().eq("n", 2)).len(), 666);
}

#[test]
fn lists_are_searched_by_what_they_hold() {
    let place = Place::new();
    let state = place.open();
    let stamp: jiff::Timestamp = "2026-11-22T10:00:00.000001Z".parse().expect("a timestamp");
    let json = |text: &str| Value::Json(serde_json::from_str(text).expect("JSON"));
    for (item, held, not) in [
        (
            ListItem::Text,
            vec!["a,b".into(), "".into(), "a\0b".into(), "1".into()],
            "a".into(),
        ),
        (ListItem::Int, vec![1.into(), i64::MIN.into()], 2.into()),
        (
            ListItem::Float,
            vec![0.5.into(), 1e300.into(), 3.0.into()],
            1.5.into(),
        ),
        (ListItem::Bool, vec![true.into()], false.into()),
        (
            ListItem::Timestamp,
            vec![stamp.into()],
            jiff::Timestamp::UNIX_EPOCH.into(),
        ),
        (
            ListItem::Uuid,
            vec![uuid::Uuid::max().into()],
            uuid::Uuid::nil().into(),
        ),
        (
            ListItem::Json,
            vec![
                json("{\"a\": [1]}"),
                json("\"x\""),
                json("1"),
                json("true"),
                json("[]"),
                json("1.5"),
            ],
            json("\"1\""),
        ),
    ] {
        let name = format!("t {}", item.as_column());
        let def = TableDef::new(&name).column(ColumnDef::new("l", ColumnType::List(item)));
        let table = state.define(&def).expect("a table");
        table
            .append(&Row::new("all").with("l", Value::List(held.clone())))
            .expect("new");
        table
            .append(&Row::new("none").with("l", Value::List(Vec::new())))
            .expect("new");
        table.append(&Row::new("null")).expect("new");
        table
            .append(&Row::new("inner null").with("l", Value::List(vec![Value::Null])))
            .expect("new");
        for value in held {
            assert_eq!(
                ids(&state, &name, &Select::new().has("l", value.clone())),
                ["all"],
                "{value:?}"
            );
        }
        assert_eq!(
            ids(&state, &name, &Select::new().has("l", not)),
            [""; 0],
            "{item:?}"
        );
        let null = Select::new().has("l", Value::Null);
        assert_eq!(ids(&state, &name, &null), ["inner null"], "{item:?}");
    }
    let table = state.define(&notes()).expect("a table");
    assert_eq!(
        refusal(table.list(&Select::new().has("n", 1))),
        "InvalidSchema"
    );
    assert_eq!(
        refusal(table.list(&Select::new().eq("m", 1))),
        "UnknownColumn"
    );
    assert_eq!(
        refusal(table.list(&Select::new().order("m"))),
        "UnknownColumn"
    );
    assert_eq!(
        refusal(table.list(&Select::new().eq("n", "x"))),
        "InvalidValue"
    );
}
