//! A type that derives `Record` loses nothing on its way into values and back.
//!
//! The failure to prevent: a field lands in its neighbour's column, a default
//! or a constraint that was declared is not the table's, or a value that does
//! not fit is cut until it does.

use std::collections::BTreeMap;
use std::fmt::Debug;

use dkdc_state::{
    BlobRef, ColumnDef, ColumnType, Field, IndexDef, ListItem, Nulls, Record, TableDef, Value,
    ValueError, Values,
};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One field of every type that a field may have.
#[derive(Record, Clone, Debug, PartialEq)]
struct EveryType {
    text: String,
    maybe_text: Option<String>,
    flag: bool,
    // The id need not come first.
    #[record(id)]
    key: String,
    int8: i8,
    int16: i16,
    int32: i32,
    int64: i64,
    unsigned8: u8,
    unsigned16: u16,
    unsigned32: u32,
    unsigned64: u64,
    size: usize,
    float: f64,
    bytes: Vec<u8>,
    blob: BlobRef,
    moment: Timestamp,
    day: Date,
    uuid: Uuid,
    json: serde_json::Value,
    maybe_int: Option<i64>,
    texts: Vec<String>,
    flags: Vec<bool>,
    ints: Vec<i64>,
    floats: Vec<f64>,
    moments: Vec<Timestamp>,
    days: Vec<Date>,
    uuids: Vec<Uuid>,
    maybe_texts: Option<Vec<String>>,
    #[record(json)]
    place: Place,
    #[record(json)]
    maybe_place: Option<Place>,
    #[record(json)]
    counts: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    street: String,
    floor: Option<i32>,
}

fn every_type() -> EveryType {
    let place = Place {
        street: "Main".into(),
        floor: Some(-1),
    };
    EveryType {
        text: "caf\u{e9}".into(),
        maybe_text: Some(String::new()),
        flag: true,
        key: "k/1".into(),
        int8: i8::MIN,
        int16: i16::MIN,
        int32: i32::MIN,
        int64: i64::MIN,
        unsigned8: u8::MAX,
        unsigned16: u16::MAX,
        unsigned32: u32::MAX,
        unsigned64: i64::MAX as u64,
        size: 7,
        float: 0.1,
        bytes: vec![0, 255],
        blob: BlobRef {
            hash: [7; 32],
            size: 1 << 40,
        },
        moment: Timestamp::from_microsecond(1_732_730_565_321_529).expect("in range"),
        day: date(2024, 2, 29),
        uuid: Uuid::from_u128(0x1234),
        json: serde_json::json!({"a": [1, null]}),
        maybe_int: Some(0),
        texts: vec!["a,b".into(), String::new()],
        flags: vec![true, false],
        ints: vec![i64::MAX, 0],
        floats: vec![1.5],
        moments: vec![Timestamp::UNIX_EPOCH],
        days: vec![date(1970, 1, 1)],
        uuids: vec![Uuid::nil()],
        maybe_texts: Some(vec!["x".into()]),
        place: place.clone(),
        maybe_place: Some(place),
        counts: BTreeMap::from([("n".into(), 3)]),
    }
}

#[track_caller]
fn comes_back<R: Record + Debug + PartialEq>(record: &R) {
    let values = record.to_values().expect("values that can be kept");
    assert_eq!(values.len(), R::table().columns.len());
    for (column, value) in R::table().columns.iter().zip(&values) {
        assert!(
            !(column.required && value.is_null()),
            "{} has no value",
            column.name
        );
    }
    let back = R::from_values(record.id().into_owned(), &mut Values::new(values));
    assert_eq!(back.as_ref(), Ok(record));
}

#[test]
fn every_field_type_comes_back_as_it_was() {
    comes_back(&every_type());
}

#[test]
fn what_is_absent_comes_back_absent() {
    comes_back(&EveryType {
        maybe_text: None,
        maybe_int: None,
        texts: Vec::new(),
        maybe_texts: None,
        maybe_place: None,
        ..every_type()
    });
}

#[test]
fn every_column_has_the_type_of_its_field() {
    let table = EveryType::table();
    assert_eq!(table.name, "every_type");
    let types: Vec<String> = table
        .columns
        .iter()
        .map(|c| format!("{} {}{}", c.name, c.ty, if c.required { "" } else { "?" }))
        .collect();
    let expected = "text text, maybe_text text?, flag bool, int8 int, int16 int, int32 int, \
                    int64 int, unsigned8 int, unsigned16 int, unsigned32 int, unsigned64 int, \
                    size int, float float, bytes bytes, blob blob, moment timestamp, day date, \
                    uuid uuid, json json, maybe_int int?, texts list<text>, flags list<bool>, \
                    ints list<int>, floats list<float>, moments list<timestamp>, \
                    days list<date>, uuids list<uuid>, maybe_texts list<text>?, place json, \
                    maybe_place json?, counts json";
    assert_eq!(types.join(", "), expected);
}

const STARRED: &str = "star";

#[derive(Record)]
#[record(table = "All Notes", index(priority, idx desc))]
#[record(index(id), unique(path, "is starred" desc), unique(type, nulls = equal))]
#[record(unique(added, nulls = distinct))]
struct Note {
    #[record(id)]
    id: String,
    #[record(was = "file")]
    path: Option<String>,
    #[record(rename = "is starred", default = STARRED)]
    starred: String,
    #[record(default = 60 * 2)]
    priority: u64,
    #[record(default = -1.5)]
    weight: Option<f64>,
    #[record(default = "plain")]
    r#type: std::option::Option<std::string::String>,
    #[record(default = vec!["inbox".to_owned()])]
    labels: Vec<String>,
    links: Vec<String>,
    #[record(default = Timestamp::UNIX_EPOCH)]
    added: Timestamp,
    #[record(json, default = { let street = "Main".to_owned(); Place { street, floor: None } })]
    place: Place,
    #[record(json, default = Default::default())]
    counts: Option<BTreeMap<String, u64>>,
}

#[test]
fn the_table_is_as_declared() {
    let list = ColumnType::List(ListItem::Text);
    let place = serde_json::json!({"street": "Main", "floor": null});
    let expected = TableDef::new("All Notes")
        .column(ColumnDef::new("path", ColumnType::Text).was("file"))
        .column(
            ColumnDef::new("is starred", ColumnType::Text)
                .required()
                .default("star"),
        )
        .column(
            ColumnDef::new("priority", ColumnType::Int)
                .required()
                .default(120),
        )
        .column(ColumnDef::new("weight", ColumnType::Float).default(-1.5))
        .column(ColumnDef::new("type", ColumnType::Text).default("plain"))
        .column(
            ColumnDef::new("labels", list)
                .required()
                .default(vec!["inbox"]),
        )
        .column(
            ColumnDef::new("links", list)
                .required()
                .default(Value::List(Vec::new())),
        )
        .column(
            ColumnDef::new("added", ColumnType::Timestamp)
                .required()
                .default(Timestamp::UNIX_EPOCH),
        )
        .column(
            ColumnDef::new("place", ColumnType::Json)
                .required()
                .default(place),
        )
        .column(ColumnDef::new("counts", ColumnType::Json).default(serde_json::json!({})))
        .index(IndexDef::new(["priority", "-idx"]))
        .index(IndexDef::new(["id"]))
        .index(IndexDef::new(["path", "-is starred"]).unique(Nulls::Distinct))
        .index(IndexDef::new(["type"]).unique(Nulls::Equal))
        .index(IndexDef::new(["added"]).unique(Nulls::Distinct));
    assert_eq!(Note::table(), expected);
}

#[test]
fn a_value_that_cannot_be_kept_names_its_column() {
    let record = EveryType {
        unsigned64: u64::MAX,
        ..every_type()
    };
    let error = record.to_values().unwrap_err();
    assert_eq!(
        error,
        ValueError::OutOfRange(u64::MAX.to_string()).in_column("unsigned64")
    );
}

#[test]
fn a_value_that_does_not_fit_names_its_column() {
    let error_with = |column: &str, value: Value| {
        let mut values = every_type().to_values().unwrap();
        let columns = EveryType::table().columns;
        values[columns.iter().position(|c| c.name == column).unwrap()] = value;
        EveryType::from_values("k".into(), &mut Values::new(values)).unwrap_err()
    };
    let out_of_range = ValueError::OutOfRange("300".into());
    assert_eq!(
        error_with("unsigned8", Value::Int(300)),
        out_of_range.in_column("unsigned8")
    );
    assert_eq!(
        error_with("text", Value::Null),
        ValueError::Missing.in_column("text")
    );
    assert_eq!(
        error_with("place", Value::Null),
        ValueError::Missing.in_column("place")
    );
    let message = error_with("place", Value::Json(serde_json::json!({"floor": 1}))).to_string();
    assert!(message.starts_with("column place: "), "{message}");
}

#[derive(Record, Debug, PartialEq)]
struct Measured<T, const N: usize = 1>
where
    T: Field + Clone,
{
    #[record(id)]
    id: String,
    value: T,
    before: Option<T>,
    #[record(default = [0; N].len())]
    places: usize,
}

#[test]
fn a_generic_record_has_the_columns_of_its_type() {
    comes_back(&Measured::<f64> {
        id: "a".into(),
        value: 1.5,
        before: None,
        places: 1,
    });
    let columns = Measured::<String, 3>::table().columns;
    assert_eq!(columns[0].ty, ColumnType::Text);
    assert_eq!(columns[2].default, Some(Value::Int(3)));
}

#[derive(Record, Debug, PartialEq)]
struct OnlyAnId {
    #[record(id)]
    name: String,
}

#[test]
fn a_record_may_be_its_id_alone() {
    comes_back(&OnlyAnId { name: "a".into() });
}

#[derive(Record)]
struct TooGreat {
    #[record(id)]
    id: String,
    #[record(default = u64::MAX)]
    size: u64,
}

#[test]
#[should_panic(expected = "the default of column size cannot be kept: 18446744073709551615")]
fn a_default_that_cannot_be_kept_is_a_bug_in_the_program() {
    let _ = TooGreat::table();
}
