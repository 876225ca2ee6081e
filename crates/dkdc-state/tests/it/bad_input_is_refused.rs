//! What cannot be an id or a row is refused with its reason; what can be is
//! taken byte by byte.
//!
//! The failure to prevent: two ids that look alike become one record, or a line
//! of JSON with a key given twice is taken by its last word.

use dkdc_state::{ColumnDef, ColumnType, Error, Select, TableDef, Value};

use crate::support::{Place, assert_sound, note, notes, refusal};

#[test]
fn ids_are_bytes() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let longest = "x".repeat(1024);
    let wide = "\u{1f600}".repeat(256);
    let ids = [
        "a",
        "A",
        "a\0",
        "\0",
        "..",
        "'",
        "\"",
        "\u{1f600}",
        "e\u{301}",
        "\u{e9}",
        " a",
        "a ",
        "%",
        "1",
        "1.0",
        "NULL",
        &longest,
        &wide,
    ];
    for (n, id) in (0i64..).zip(ids) {
        table.append(&note(id, n)).expect(id);
    }
    for (n, id) in (0i64..).zip(ids) {
        let found = table.get(id).expect("a read").expect("there");
        assert_eq!((found.id.as_str(), found.get("n")), (id, Some(&n.into())));
        let listed = table.list(&Select::new().eq("id", id)).expect("a list");
        assert_eq!(listed.len(), 1, "{id:?}");
        assert!(
            table
                .ids(id, 99)
                .expect("ids")
                .iter()
                .all(|found| found.starts_with(id))
        );
    }
    assert_eq!(table.count().expect("a count"), ids.len() as u64);
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    assert_eq!(table.ids("", 99).expect("ids"), sorted);
    for (id, len) in [
        ("", 0),
        (&"x".repeat(1025), 1025),
        (&"\u{e9}".repeat(513), 1026),
    ] {
        let refused = table.append(&note(id, 1)).expect_err("no id");
        assert!(matches!(refused, Error::InvalidId { len: found, .. } if found == len));
        assert_eq!(refusal(table.upsert(&note(id, 1))), "InvalidId");
        assert_eq!(refusal(table.delete(id)), "InvalidId");
        assert!(!table.contains(id).expect("a read"));
        assert!(table.history(id).expect("a read").is_empty());
    }
    assert_sound(&state);
}

#[test]
fn rows_from_json_are_exact_or_refused() {
    use ColumnType::{Float, Int, Json};
    let place = Place::new();
    let def = TableDef::new("t")
        .column(ColumnDef::new("i", Int))
        .column(ColumnDef::new("f", Float))
        .column(ColumnDef::new("j", Json))
        .column(ColumnDef::new("when", ColumnType::Timestamp));
    let table = place.open().define(&def).expect("a table");
    for (text, refused) in [
        ("", "InvalidRow"),
        ("[]", "InvalidRow"),
        ("{\"i\": 1}", "InvalidRow"),
        ("{\"id\": 1}", "InvalidRow"),
        ("{\"id\": null}", "InvalidRow"),
        ("{\"id\": \"a\", \"id\": \"b\"}", "InvalidRow"),
        ("{\"id\": \"a\", \"i\": 1, \"i\": 1}", "InvalidRow"),
        ("{\"id\": \"a\"} x", "InvalidRow"),
        ("{\"id\": \"\\ud800\"}", "InvalidRow"),
        ("{\"id\": \"a\", \"f\": 1e400}", "InvalidValue"),
        ("{\"id\": \"a\", \"f\": 1e-400}", "InvalidValue"),
        (
            "{\"id\": \"a\", \"f\": 18446744073709551617}",
            "InvalidValue",
        ),
        (
            "{\"id\": \"a\", \"i\": -9223372036854775809}",
            "InvalidValue",
        ),
        (
            "{\"id\": \"a\", \"j\": [18446744073709551616]}",
            "InvalidValue",
        ),
        (
            "{\"id\": \"a\", \"j\": 0.10000000000000001}",
            "InvalidValue",
        ),
        (
            "{\"id\": \"a\", \"j\": {\"b\": [{\"c\": 1, \"c\": 2}]}}",
            "InvalidValue",
        ),
        ("{\"id\": \"a\", \"f\": NaN}", "InvalidRow"),
        ("{\"id\": \"a\", \"m\": 1}", "UnknownColumn"),
        ("{\"id\": \"a\", \"I\": 1}", "UnknownColumn"),
        ("{\"id\": \"a\", \"op\": \"x\"}", "UnknownColumn"),
        ("{\"id\": \"a\", \"i\": 1.0}", "InvalidValue"),
        (
            "{\"id\": \"a\", \"i\": 9223372036854775808}",
            "InvalidValue",
        ),
        (
            "{\"id\": \"a\", \"i\": 18446744073709551615}",
            "InvalidValue",
        ),
        ("{\"id\": \"a\", \"i\": \"1\"}", "InvalidValue"),
        ("{\"id\": \"a\", \"f\": 9007199254740993}", "InvalidValue"),
        (
            "{\"id\": \"a\", \"f\": 9223372036854775809}",
            "InvalidValue",
        ),
        ("{\"id\": \"a\", \"f\": \"NaN\"}", "InvalidValue"),
        (
            "{\"id\": \"a\", \"when\": \"2026-11-22T10:00:00.0000001Z\"}",
            "InvalidValue",
        ),
        ("{\"id\": \"a\", \"when\": 5}", "InvalidValue"),
    ] {
        assert_eq!(refusal(table.row_from_json(text)), refused, "{text}");
    }
    for (text, column, value) in [
        (
            "{\"id\": \"a\", \"i\": -9223372036854775808}",
            "i",
            Value::Int(i64::MIN),
        ),
        (
            "{\"id\": \"a\", \"f\": 9007199254740992}",
            "f",
            Value::Float((1i64 << 53) as f64),
        ),
        (
            "{\"id\": \"a\", \"f\": 9223372036854775808}",
            "f",
            Value::Float(2f64.powi(63)),
        ),
        (
            "{\"id\": \"a\", \"f\": \"-Infinity\"}",
            "f",
            Value::Float(f64::NEG_INFINITY),
        ),
        (
            "{\"id\": \"a\", \"f\": 0.1, \"idx\": 5}",
            "f",
            Value::Float(0.1),
        ),
        (
            "{\"id\": \"a\", \"f\": 18446744073709551616}",
            "f",
            Value::Float(2f64.powi(64)),
        ),
        (
            "{\"id\": \"a\", \"f\": 0.10000000000000001}",
            "f",
            Value::Float(0.1),
        ),
        (
            "{\"id\": \"a\", \"j\": [18446744073709551615, 1.50]}",
            "j",
            Value::Json(dkdc_state::serde_json::json!([u64::MAX, 1.5])),
        ),
        ("{\"id\": \"a\", \"j\": null}", "j", Value::Null),
    ] {
        let row = table.row_from_json(text).expect(text);
        table.upsert(&row).expect(text);
        let found = table.get("a").expect("a read").expect("there");
        assert_eq!(found.get(column), Some(&value), "{text}");
    }
}
