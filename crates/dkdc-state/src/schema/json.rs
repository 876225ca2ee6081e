//! Values from JSON and from plain text, by the type of their column.
//!
//! Owns the one rule for what a JSON value means in a column: exact or
//! refused. The shell, imports and the stored schema all come through here.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{ColumnType, TableSchema, exact};
use crate::error::{Error, Result};
use crate::record::{Idx, Value, ValueError};
use crate::state::Row;

/// The value that `json` means in a column of this type.
pub(crate) fn value_from_json(json: Json, ty: ColumnType) -> Result<Value, ValueError> {
    let value = match (json, ty) {
        (Json::Null, _) => Value::Null,
        (json, ColumnType::Json) => Value::Json(json),
        (Json::Bool(b), ColumnType::Bool) => Value::Bool(b),
        (Json::Number(n), ColumnType::Int) => match n.as_i64() {
            Some(int) => Value::Int(int),
            None if n.is_u64() => return Err(ValueError::OutOfRange(n.to_string())),
            None => return Err(ValueError::wrong_type(ty, &Value::Json(Json::Number(n)))),
        },
        (Json::Number(n), ColumnType::Float) => match (n.as_i64(), n.as_f64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(float)) if is_inexact(&n, float) => {
                return Err(ValueError::Inexact {
                    given: n.to_string(),
                    kept: format!("{float:.0}"),
                });
            }
            (None, Some(float)) => Value::Float(float),
            (None, None) => return Err(ValueError::OutOfRange(n.to_string())),
        },
        (Json::String(s), ColumnType::Text) => Value::Text(s),
        (Json::String(s), ColumnType::Float) if is_infinity(&s) => Value::Float(parse(&s, ty)?),
        (
            Json::String(s),
            ColumnType::Bytes | ColumnType::Timestamp | ColumnType::Date | ColumnType::Uuid,
        ) => value_from_text(&s, ty)?,
        (Json::Array(items), ColumnType::List(item)) => items
            .into_iter()
            .map(|json| value_from_json(json, item.as_column()))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::List)?,
        (json, ty) => {
            return Err(ValueError::WrongType {
                expected: ty.to_string(),
                found: crate::record::Value::Json(json).describe(),
            });
        }
    };
    value.check(ty)
}

/// True for a whole number, too large for an `i64`, that the float is not.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float that was made from a u64 fits a u128"
)]
fn is_inexact(number: &serde_json::Number, float: f64) -> bool {
    number
        .as_u64()
        .is_some_and(|int| float as u128 != u128::from(int))
}

fn is_infinity(text: &str) -> bool {
    matches!(text, "Infinity" | "-Infinity")
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: &str,
    ty: ColumnType,
) -> Result<T, ValueError> {
    text.parse().map_err(|error| ValueError::Malformed {
        what: format!("{:?} is no {ty}", crate::record::shorten(text)),
        why: T::Err::to_string(&error),
    })
}

impl ColumnType {
    /// The value that a plain text means in a column of this type, as in CSV: exactly,
    /// but for decimal fractions in a column of floats, where the nearest is meant.
    ///
    /// ```
    /// use dkdc_state::{ColumnType, Value, ValueError};
    /// assert_eq!(ColumnType::Float.value_of("0.1")?, Value::Float(0.1));
    /// let inexact = ColumnType::Float.value_of("9007199254740993");
    /// assert!(matches!(inexact, Err(ValueError::Inexact { .. })));
    /// # Ok::<(), ValueError>(())
    /// ```
    ///
    /// # Errors
    /// [`ValueError`]: what is no value of this type, or cannot be kept exactly.
    pub fn value_of(self, text: &str) -> Result<Value, ValueError> {
        value_from_text(text, self)
    }
}

/// The value that a plain text means in a column of this type, as in CSV.
pub(crate) fn value_from_text(text: &str, ty: ColumnType) -> Result<Value, ValueError> {
    let value = match ty {
        ColumnType::Text => Value::Text(text.to_owned()),
        ColumnType::Int => Value::Int(parse(text, ty)?),
        ColumnType::Float => match parse(text, ty)? {
            // Infinity has no digits.
            float if !text.contains(|c: char| c.is_ascii_digit()) => Value::Float(float),
            _ => Value::Float(exact::float(text)?),
        },
        ColumnType::Bool => match text {
            "true" | "TRUE" | "True" | "1" => Value::Bool(true),
            "false" | "FALSE" | "False" | "0" => Value::Bool(false),
            _ => Value::Bool(parse(text, ty)?),
        },
        ColumnType::Bytes => Value::Bytes(unhex(text)?),
        ColumnType::Timestamp => {
            Value::Timestamp(crate::time::parse_timestamp(text).map_err(|why| {
                ValueError::Malformed {
                    what: format!("{:?} is no timestamp", crate::record::shorten(text)),
                    why,
                }
            })?)
        }
        ColumnType::Date => Value::Date(date(text)?),
        ColumnType::Uuid => Value::Uuid(parse(text, ty)?),
        ColumnType::Json => Value::Json(exact::parse_json(text)?),
        ColumnType::List(_) => exact::value(text, ty)?,
        ColumnType::Blob => {
            return Err(ValueError::WrongType {
                expected: "blob".to_owned(),
                found: "text; blobs are put as files".to_owned(),
            });
        }
    };
    value.check(ty)
}

/// A day, and nothing finer: that would be lost.
fn date(text: &str) -> Result<jiff::civil::Date, ValueError> {
    if text.contains(['T', 't', ' ', ':']) && text.parse::<jiff::civil::Date>().is_ok() {
        return Err(ValueError::Malformed {
            what: format!("{:?} is no date", crate::record::shorten(text)),
            why: "it has a time of day, which a date does not keep".to_owned(),
        });
    }
    parse(text, ColumnType::Date)
}

fn unhex(text: &str) -> Result<Vec<u8>, ValueError> {
    let malformed = || ValueError::Malformed {
        what: format!("{:?} is no bytes", crate::record::shorten(text)),
        why: "expected an even number of hexadecimal digits".to_owned(),
    };
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return Err(malformed());
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| malformed()))
        .collect()
}

const EXAMPLE: &str = "such as {\"id\": \"a\"}";

/// One JSON object as keys and the texts of their values, in order; a key given
/// twice is an error, not the last one.
struct Object(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "an object, {EXAMPLE}")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
                let mut pairs: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if pairs.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom(exact::twice(&key)));
                    }
                    pairs.push((key, value));
                }
                Ok(Object(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

/// The row that one JSON object means in this table. `idx` is
/// passed over, so that what the shell prints can be read back. `key`: what is
/// the id, if not `id`; there, it may also be a whole number.
pub(crate) fn row_from_json(schema: &TableSchema, text: &str, key: Option<&str>) -> Result<Row> {
    let invalid = |why: String| Error::InvalidRow {
        table: schema.name.clone(),
        why,
    };
    let Object(pairs) = serde_json::from_str(text).map_err(|error| {
        invalid(match error.classify() {
            Category::Data if text.trim_start().starts_with('{') => error.to_string(),
            Category::Data => format!("it is no JSON object, {EXAMPLE}"),
            _ => format!("it is no JSON object: {}", exact::mistake(&error)),
        })
    })?;
    let id_key = key.unwrap_or("id");
    let mut id = None;
    let mut fields = Vec::with_capacity(pairs.len());
    for (name, json) in pairs {
        if name == id_key {
            id = Some(id_from_json(json.get(), key.is_some()).map_err(invalid)?);
        } else if !is_log_column(&name) {
            fields.push((name, json));
        }
    }
    let id = id.ok_or_else(|| invalid(format!("the row has no {id_key:?}")))?;
    let fields = fields
        .into_iter()
        .map(|(name, json)| {
            let (_, column) = schema.column(&name)?;
            match exact::value(json.get(), column.ty) {
                Ok(value) => Ok((name, value)),
                Err(error) => Err(Error::InvalidValue {
                    table: schema.name.clone(),
                    id: id.clone(),
                    source: error.in_column(&name),
                }),
            }
        })
        .collect::<Result<_>>()?;
    Ok(Row { id, fields })
}

fn id_from_json(text: &str, may_be_number: bool) -> Result<String, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if may_be_number && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    match serde_json::from_str(text) {
        Ok(Json::String(id)) => Ok(id),
        Ok(_) => Err(format!(
            "the id must be a string, not {}",
            crate::record::shorten(text)
        )),
        Err(error) => Err(format!("the id: {error}")),
    }
}

/// The row that these texts mean; `None` is NULL.
pub(crate) fn row_from_text(schema: &TableSchema, pairs: &[(&str, Option<&str>)]) -> Result<Row> {
    let invalid = |why: &str| Error::InvalidRow {
        table: schema.name.clone(),
        why: why.to_owned(),
    };
    let id = pairs.iter().find(|(key, _)| *key == "id");
    let id = id.and_then(|(_, text)| *text);
    let id = id.ok_or_else(|| invalid("the row has no id"))?;
    let mut fields = Vec::with_capacity(pairs.len());
    for (key, text) in pairs {
        if *key == "id" || is_log_column(key) {
            continue;
        }
        let (_, column) = schema.column(key)?;
        let value = match text {
            None => Value::Null,
            Some(text) => {
                value_from_text(text, column.ty).map_err(|error| Error::InvalidValue {
                    table: schema.name.clone(),
                    id: id.to_owned(),
                    source: error.in_column(key),
                })?
            }
        };
        fields.push(((*key).to_owned(), value));
    }
    Ok(Row {
        id: id.to_owned(),
        fields,
    })
}

/// The version's number, which reads show beside the user's columns.
fn is_log_column(key: &str) -> bool {
    key == "idx"
}

/// A default in the stored schema, with its type, so that it reads back as is.
#[derive(Serialize, Deserialize)]
struct TypedDefault {
    #[serde(rename = "type")]
    ty: ColumnType,
    value: Json,
}

/// Writes a column's default.
pub(crate) fn default_out<S: Serializer>(
    default: &Option<Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let typed = default.as_ref().map(|value| TypedDefault {
        ty: type_of(value),
        value: value.to_json(),
    });
    typed.serialize(serializer)
}

/// Reads a column's default.
pub(crate) fn default_in<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Value>, D::Error> {
    let typed = Option::<TypedDefault>::deserialize(deserializer)?;
    typed
        .map(|typed| value_from_json(typed.value, typed.ty))
        .transpose()
        .map_err(serde::de::Error::custom)
}

/// True when a default reads back from the stored schema as it was written.
pub(crate) fn default_reads_back(default: &Value) -> bool {
    let read = value_from_json(default.to_json(), type_of(default));
    read.is_ok_and(|read| read == *default)
}

fn type_of(value: &Value) -> ColumnType {
    use super::ListItem;
    match value {
        Value::Bool(_) => ColumnType::Bool,
        Value::Int(_) => ColumnType::Int,
        Value::Float(_) => ColumnType::Float,
        Value::Null | Value::Text(_) => ColumnType::Text,
        Value::Bytes(_) => ColumnType::Bytes,
        Value::Blob(_) => ColumnType::Blob,
        Value::Timestamp(_) => ColumnType::Timestamp,
        Value::Date(_) => ColumnType::Date,
        Value::Uuid(_) => ColumnType::Uuid,
        Value::Json(_) => ColumnType::Json,
        Value::List(items) => {
            let mut items = items.iter().filter(|item| !item.is_null());
            let item = items.next().map(type_of).and_then(ListItem::of);
            ColumnType::List(item.unwrap_or(ListItem::Json))
        }
    }
}

/// `Idx` as a number in the stored schema.
pub(crate) mod idx {
    use super::{Deserialize, Deserializer, Idx, Serializer};

    pub(crate) fn serialize<S: Serializer>(idx: &Idx, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(idx.as_micros())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Idx, D::Error> {
        i64::deserialize(d).map(Idx::from_micros)
    }
}
