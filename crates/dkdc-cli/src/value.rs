//! Values of columns, from text that a person types and from cells of a file.
//!
//! What does not fit its column is handed on as it is: the store refuses it in
//! its own words.

use std::fmt::Display;
use std::str::FromStr;

use dkdc_state::uuid::Uuid;
use dkdc_state::{ColumnType, Moment, Value};

use crate::output::Cell;

/// The value that a text means in a column of this type.
pub(crate) fn of_text(text: &str, ty: ColumnType) -> Result<Value, String> {
    Ok(match ty {
        ColumnType::Text => Value::Text(text.to_owned()),
        ColumnType::Int => Value::Int(parsed(text, ty)?),
        ColumnType::Float => ty.value_of(text).map_err(|error| error.to_string())?,
        ColumnType::Bool => Value::Bool(parsed(text, ty)?),
        ColumnType::Date => Value::Date(parsed(text, ty)?),
        ColumnType::Uuid => Value::Uuid(parsed::<Uuid>(text, ty)?),
        ColumnType::Json => Value::Json(json(text)?),
        ColumnType::Timestamp => match text.parse() {
            Ok(Moment::Time(time)) => Value::Timestamp(time),
            Ok(Moment::Idx(_)) => return Err(format!("{text:?} is no {ty}")),
            Err(error) => return Err(error.to_string()),
        },
        ColumnType::List(_) => of_json(json(text)?, ty)?,
        ColumnType::Bytes | ColumnType::Blob => return Err(format!("{ty} is not typed as text")),
    })
}

fn of_json(json: serde_json::Value, ty: ColumnType) -> Result<Value, String> {
    use serde_json::Value as Json;
    match (json, ty) {
        (Json::Null, _) => Ok(Value::Null),
        (json, ColumnType::Json) => Ok(Value::Json(json)),
        (Json::Array(items), ColumnType::List(item)) => {
            let items = items
                .into_iter()
                .map(|json| of_json(json, item.as_column()));
            items.collect::<Result<_, _>>().map(Value::List)
        }
        (Json::String(text), ty) => of_text(&text, ty),
        (json, ty) => of_text(&json.to_string(), ty),
    }
}

fn json(text: &str) -> Result<serde_json::Value, String> {
    dkdc_state::parse_json(text).map_err(|error| error.to_string())
}

fn parsed<T: FromStr<Err: Display>>(text: &str, ty: ColumnType) -> Result<T, String> {
    text.parse()
        .map_err(|error| format!("{text:?} is no {ty}: {error}"))
}

/// The value that a cell means in a column of this type; `None`: there is no
/// such column.
pub(crate) fn of_cell(cell: Cell, ty: Option<ColumnType>) -> Result<Value, String> {
    Ok(match (cell, ty) {
        (Cell::Null, _) => Value::Null,
        (Cell::Text(text), Some(ty @ (ColumnType::Date | ColumnType::Uuid | ColumnType::Json))) => {
            of_text(&text, ty)?
        }
        (Cell::Digits(digits), Some(ty @ (ColumnType::Float | ColumnType::Int))) => {
            of_text(&digits, ty)?
        }
        (Cell::Bytes(bytes), Some(ColumnType::Uuid)) => match Uuid::from_slice(&bytes) {
            Ok(uuid) => Value::Uuid(uuid),
            Err(_) => Value::Bytes(bytes),
        },
        (Cell::List(items), Some(ColumnType::List(item))) => {
            let items = items
                .into_iter()
                .map(|cell| of_cell(cell, Some(item.as_column())));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        (cell @ (Cell::List(_) | Cell::Struct(_)), _) => of_text(&cell.plain(), ColumnType::Json)?,
        (Cell::Bool(bool), _) => Value::Bool(bool),
        (Cell::Int(int), _) => Value::Int(int),
        (Cell::Float(float), _) => Value::Float(float),
        (Cell::Digits(text) | Cell::Text(text), _) => Value::Text(text),
        (Cell::Bytes(bytes), _) => Value::Bytes(bytes),
        (Cell::Timestamp(time), _) => Value::Timestamp(time),
        (Cell::Idx(idx), _) => Value::Timestamp(idx.timestamp()),
        (Cell::Json(json), _) => Value::Json(json),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_means_what_its_column_says() {
        for (text, ty, json) in [
            ("1", "text", "\"1\""),
            ("-1", "int", "-1"),
            ("0.5", "float", "0.5"),
            ("true", "bool", "true"),
            ("2026-11-22", "date", "\"2026-11-22\""),
            ("2026-11-22 10:00", "timestamp", "\"2026-11-22T10:00:00Z\""),
            ("{\"a\":1}", "json", "{\"a\":1}"),
            ("[\"a\",null]", "list<text>", "[\"a\",null]"),
            ("[1,2]", "list<int>", "[1,2]"),
        ] {
            let value = of_text(text, ty.parse().expect("a type"));
            assert_eq!(
                value.map(|value| value.to_json().to_string()),
                Ok(json.to_owned())
            );
        }
        for (text, ty) in [
            ("x", "int"),
            ("", "date"),
            ("1732730565321529", "timestamp"),
            ("00", "bytes"),
        ] {
            assert!(
                of_text(text, ty.parse().expect("a type")).is_err(),
                "{text} {ty}"
            );
        }
    }

    #[test]
    fn cells_keep_their_values() {
        let uuid = Uuid::from_u128(7);
        for (cell, ty, value) in [
            (
                Cell::Bytes(uuid.as_bytes().to_vec()),
                "uuid",
                Value::Uuid(uuid),
            ),
            (Cell::Digits("42".to_owned()), "int", Value::Int(42)),
            (
                Cell::Digits("1.05".to_owned()),
                "text",
                Value::Text("1.05".to_owned()),
            ),
            (Cell::Int(1), "text", Value::Int(1)),
            (
                Cell::List(vec![Cell::Null]),
                "list<text>",
                Value::List(vec![Value::Null]),
            ),
        ] {
            assert_eq!(of_cell(cell, ty.parse().ok()), Ok(value), "{ty}");
        }
    }
}
