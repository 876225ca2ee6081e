//! A value comes back as it was written, or it is refused before anything is.
//!
//! The failure to prevent: a number is rounded, a text is cut at a NUL, a float
//! becomes NULL, and the write was acknowledged.

use dkdc_state::{ColumnDef, ColumnType, Error, ListItem, Row, Select, Table, TableDef, Value};
use proptest::prelude::*;

use crate::cases::cases;
use crate::support::{Place, assert_sound, refusal};

/// A table with one column of a type.
fn one(place: &Place, ty: ColumnType) -> Table<Row> {
    let table = TableDef::new("t").column(ColumnDef::new("x", ty));
    place.open().define(&table).expect("a table")
}

fn row(value: impl Into<Value>) -> Row {
    Row::new("a").with("x", value)
}

/// Written, it is read as `expected`: now, from a list, as of then, and by a
/// store that is opened again.
#[track_caller]
fn becomes(place: &Place, table: &Table<Row>, value: Value, expected: &Value) {
    let version = table.upsert(&row(value)).expect("it can be kept");
    let get = |table: &Table<Row>| {
        let found = table.get("a").expect("a read").expect("there").record;
        found.get("x").cloned().expect("a value")
    };
    let same = |found: &Value| {
        // Debug tells 0.0 from -0.0.
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    };
    same(&get(table));
    let listed = table
        .list(&Select::new().eq("x", expected.clone()))
        .expect("a list");
    same(listed[0].get("x").expect("a value"));
    let again = place.open();
    same(&get(&again.rows("t").expect("a table")));
    let then = again.at(version.idx.into()).expect("history");
    let found = then
        .rows("t")
        .expect("a table")
        .get("a")
        .expect("a read")
        .expect("there");
    same(found.get("x").expect("a value"));
}

fn timestamp(text: &str) -> Value {
    Value::Timestamp(text.parse().expect("a timestamp"))
}

fn date(text: &str) -> Value {
    Value::Date(text.parse().expect("a date"))
}

#[test]
fn extreme_values_come_back() {
    let json = |text: &str| Value::Json(serde_json::from_str(text).expect("JSON"));
    let values: Vec<(ColumnType, Vec<Value>)> = vec![
        (
            ColumnType::Int,
            vec![i64::MIN.into(), i64::MAX.into(), 0.into()],
        ),
        (
            ColumnType::Float,
            vec![
                f64::INFINITY.into(),
                f64::NEG_INFINITY.into(),
                f64::MIN_POSITIVE.into(),
                5e-324.into(),
                f64::MAX.into(),
                0.1.into(),
                ((1i64 << 53) as f64).into(),
            ],
        ),
        (
            ColumnType::Text,
            [
                "",
                "\0",
                "a\0b",
                "\u{feff}",
                "\u{1f600}",
                "e\u{301}",
                "\u{e9}",
                "\u{10ffff}",
            ]
            .map(Value::from)
            .to_vec(),
        ),
        (
            ColumnType::Bytes,
            vec![vec![0u8; 0].into(), vec![0u8, 255, 0].into()],
        ),
        (
            ColumnType::Timestamp,
            vec![
                timestamp("0001-01-01T00:00:00Z"),
                timestamp("9999-12-30T21:59:59.999999Z"),
                timestamp("1969-12-31T23:59:59.999999Z"),
            ],
        ),
        (
            ColumnType::Date,
            vec![date("0001-01-01"), date("9999-12-31"), date("1970-01-01")],
        ),
        (ColumnType::Bool, vec![true.into(), false.into()]),
        (
            ColumnType::Uuid,
            vec![uuid::Uuid::nil().into(), uuid::Uuid::max().into()],
        ),
        (
            ColumnType::Json,
            vec![
                json("null"),
                json("\"\""),
                json("[]"),
                json("{\"b\": 1, \"a\": [1.5, -0.0, 18446744073709551615, \"\\u0000\"]}"),
                json("0.1"),
                json("1e300"),
            ],
        ),
        (
            ColumnType::List(ListItem::Text),
            vec![
                vec!["a,b", "", "\0", "\"", "e\u{301}"].into(),
                Value::List(Vec::new()),
            ],
        ),
        (
            ColumnType::List(ListItem::Int),
            vec![Value::List(vec![
                i64::MIN.into(),
                Value::Null,
                i64::MAX.into(),
            ])],
        ),
        (
            ColumnType::List(ListItem::Timestamp),
            vec![Value::List(vec![
                timestamp("0001-01-01T00:00:00Z"),
                Value::Null,
            ])],
        ),
    ];
    for (ty, values) in values {
        let place = Place::new();
        let table = one(&place, ty);
        for value in values {
            becomes(&place, &table, value.clone(), &value);
        }
        becomes(&place, &table, Value::Null, &Value::Null);
        assert_sound(&place.open());
    }
}

#[test]
fn what_has_two_forms_comes_back_in_one() {
    let place = Place::new();
    let table = one(&place, ColumnType::Float);
    becomes(&place, &table, Value::Float(-0.0), &Value::Float(0.0));
    becomes(&place, &table, Value::Int(3), &Value::Float(3.0));
    becomes(
        &place,
        &table,
        Value::Int(1 << 60),
        &Value::Float((1i64 << 60) as f64),
    );
    let place = Place::new();
    let table = one(&place, ColumnType::List(ListItem::Float));
    let given = Value::List(vec![(-0.0).into(), 2.into()]);
    becomes(
        &place,
        &table,
        given,
        &Value::List(vec![0.0.into(), 2.0.into()]),
    );
}

#[test]
fn what_cannot_be_kept_is_refused_with_the_column() {
    let fine = jiff::Timestamp::new(0, 1).expect("a nanosecond");
    let list = |item, value: Value| (ColumnType::List(item), Value::List(vec![value]));
    for (ty, value) in [
        (ColumnType::Float, f64::NAN.into()),
        (ColumnType::Float, ((1i64 << 53) + 1).into()),
        (ColumnType::Float, i64::MAX.into()),
        (ColumnType::Timestamp, fine.into()),
        (ColumnType::Int, 1.0.into()),
        (ColumnType::Int, "1".into()),
        (ColumnType::Text, 1.into()),
        (ColumnType::Bool, 1.into()),
        (ColumnType::Bytes, "x".into()),
        (ColumnType::Text, vec![1u8].into()),
        (ColumnType::Date, timestamp("0001-01-01T00:00:00Z")),
        (ColumnType::Json, "x".into()),
        list(ListItem::Float, f64::NAN.into()),
        list(ListItem::Float, f64::INFINITY.into()),
        list(ListItem::Timestamp, fine.into()),
        list(ListItem::Int, "x".into()),
        list(ListItem::Text, Value::List(vec![])),
    ] {
        let place = Place::new();
        let table = one(&place, ty);
        let error = table
            .append(&row(value.clone()))
            .expect_err("it cannot be kept");
        assert!(
            matches!(error, Error::InvalidValue { .. }),
            "{ty} {value:?}: {error}"
        );
        assert!(
            error.to_string().starts_with("t \"a\": column x: "),
            "{error}"
        );
        assert_eq!(table.count().expect("a count"), 0);
        // A condition that no value could meet is no condition.
        assert_eq!(
            refusal(table.list(&Select::new().eq("x", value))),
            "InvalidValue"
        );
    }
    let place = Place::new();
    let error = one(&place, ColumnType::Int)
        .append(&row("a".repeat(1000)))
        .expect_err("text");
    assert!(
        error.to_string().len() < 150,
        "the value is shown shortened: {error}"
    );
}

#[test]
fn json_that_is_too_deep_is_refused_and_nothing_overflows() {
    /// Nested so often, without recursion.
    fn nested(depth: usize) -> serde_json::Value {
        (1..depth).fold(serde_json::json!([]), |inner, _| {
            serde_json::Value::Array(vec![inner])
        })
    }
    /// Dropped level by level: the type itself drops by recursion.
    fn dismantle(mut json: serde_json::Value) {
        while let serde_json::Value::Array(mut items) = json {
            json = items.pop().unwrap_or_default();
        }
    }
    let place = Place::new();
    let table = one(&place, ColumnType::Json);
    // The deepest that is taken can be read, and shown, and read again.
    let mut deepest = 0;
    for depth in 1..=200 {
        let Ok(_) = table.upsert(&row(nested(depth))) else {
            break;
        };
        deepest = depth;
        let found = table
            .get("a")
            .expect("it was acknowledged")
            .expect("there")
            .record;
        let shown = found.to_json().to_string();
        let back = table.row_from_json(&shown).expect("what was shown");
        assert_eq!(back.get("x"), found.get("x"), "depth {depth}");
    }
    assert!((64..200).contains(&deepest), "{deepest}");
    for ty in [
        ColumnType::Json,
        ColumnType::List(ListItem::Json),
        ColumnType::Int,
    ] {
        let place = Place::new();
        let table = one(&place, ty);
        for depth in [deepest + 1, 1000, 100_000] {
            let deep = match ty {
                ColumnType::List(_) => Value::List(vec![Value::Json(nested(depth))]),
                _ => Value::Json(nested(depth)),
            };
            let mut given = Row::new("a");
            given.fields.push(("x".to_owned(), deep));
            let refused = refusal(table.append(&given));
            assert_eq!(refused, "InvalidValue", "{ty} of depth {depth}");
            match given.fields.remove(0).1 {
                Value::Json(json) => dismantle(json),
                Value::List(items) => {
                    for item in items {
                        if let Value::Json(json) = item {
                            dismantle(json);
                        }
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let text = format!(
        "{{\"id\": \"b\", \"x\": {}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(refusal(table.row_from_json(&text)), "InvalidValue");
    let text = "[".repeat(100_000);
    let fields = [("id", Some("b")), ("x", Some(text.as_str()))];
    assert_eq!(refusal(table.row_from_text(&fields)), "InvalidValue");
}

#[test]
fn bytes_up_to_the_limit_are_kept_and_one_more_is_refused() {
    const LIMIT: usize = 256 << 20;
    let place = Place::new();
    let table = one(&place, ColumnType::Bytes);
    let over = row(vec![1u8; LIMIT + 1]);
    let error = table.append(&over).expect_err("one byte more");
    assert!(
        error
            .to_string()
            .contains("268435457 bytes is more than the 268435456"),
        "{error}"
    );
    drop(over);
    assert_eq!(table.count().expect("a count"), 0);
    // Content may be larger, unless all of it has to be in memory.
    let content = || std::io::repeat(0).take_(LIMIT as u64 + 1);
    let blob = place.open().put_blob(content()).expect("content");
    assert_eq!(blob.size, LIMIT as u64 + 1);
    let state = place.open();
    let error = state.transaction(|tx| tx.put_blob(content()));
    assert_eq!(refusal(error), "BlobTooLarge");
}

/// `Read::take`, with the trait in reach here alone.
trait Take: std::io::Read + Sized {
    fn take_(self, limit: u64) -> std::io::Take<Self> {
        std::io::Read::take(self, limit)
    }
}

impl Take for std::io::Repeat {}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_float_comes_back_from_wherever_it_is(floats in proptest::collection::vec(any::<f64>(), 20)) {
        let floats: Vec<f64> = floats.into_iter().filter(|f| f.is_finite()).map(|f| f + 0.0).collect();
        let place = Place::new();
        let list = ColumnType::List(ListItem::Float);
        let def = TableDef::new("t")
            .column(ColumnDef::new("f", ColumnType::Float))
            .column(ColumnDef::new("j", ColumnType::Json))
            .column(ColumnDef::new("l", list));
        let table = place.open().define(&def).expect("a table");
        let all = Value::List(floats.iter().copied().map(Value::Float).collect());
        let mut rows = Vec::new();
        for (n, float) in floats.iter().enumerate() {
            let row = Row::new(format!("{n:02}")).with("f", *float);
            let row = row.with("j", serde_json::json!([float]));
            rows.push(row.with("l", all.clone()));
        }
        table.append_all(&rows).expect("new");
        let found = table.list(&Select::new()).expect("a list");
        let found: Vec<Row> = found.into_iter().map(|row| row.record).collect();
        prop_assert_eq!(&found, &rows);
        for row in &rows {
            let shown = row.to_json().to_string();
            prop_assert_eq!(&table.row_from_json(&shown).expect("what was shown"), row);
        }
    }
}
