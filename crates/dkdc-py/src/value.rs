//! Values and rows that Python gives: exact, or refused.

use dkdc_state::jiff::Timestamp;
use dkdc_state::jiff::civil::{Date, DateTime};
use dkdc_state::jiff::tz::TimeZone;
use dkdc_state::{
    Column, ColumnType, Error, Idx, Row, TableSchema, Value, ValueError, serde_json, uuid::Uuid,
};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDate, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyMemoryView,
    PyString, PyTuple,
};

use crate::args::{Id, extracted};
use crate::errors::{raise, state_error};

/// The number of a version: as a datetime, or in microseconds.
pub(crate) fn idx(given: &Bound<'_, PyAny>) -> PyResult<Idx> {
    if let Ok(micros) = given.extract::<i64>() {
        return Ok(Idx::from_micros(micros));
    }
    match moment_of(given) {
        Ok(Some(time)) => Ok(Idx::from_micros(time.as_microsecond())),
        _ => {
            let message = format!("{} is no version: give its idx", shown(given));
            Err(raise(given.py(), "Invalid", &message))
        }
    }
}

/// The moment of a datetime; without a zone it is UTC. `None` for pandas' NaT.
pub(crate) fn moment_of(given: &Bound<'_, PyAny>) -> PyResult<Option<Timestamp>> {
    let given = given.cast::<PyDateTime>()?;
    if given.ne(given)? {
        return Ok(None);
    }
    let zone = given.getattr("tzinfo")?;
    let naive: DateTime = if zone.is_none() {
        given.extract()?
    } else {
        let utc = given.py().import("datetime")?.getattr("timezone")?;
        let there = given.call_method1("astimezone", (utc.getattr("utc")?,))?;
        let none = PyDict::new(given.py());
        none.set_item("tzinfo", given.py().None())?;
        there.call_method("replace", (), Some(&none))?.extract()?
    };
    let time = TimeZone::UTC.to_timestamp(naive);
    let time = time.map_err(|error| raise(given.py(), "Invalid", &error.to_string()))?;
    // What pandas has beyond a datetime.
    let nanoseconds = given.getattr("nanosecond").and_then(|n| n.extract::<i32>());
    Ok(Some(match nanoseconds {
        Ok(nanoseconds @ 1..) => {
            time + std::time::Duration::from_nanos(nanoseconds.unsigned_abs().into())
        }
        _ => time,
    }))
}

/// A value of Python's for a column of a type. What is of another type is left
/// to the state to refuse, with the names of table, record and column.
fn from_py(given: &Bound<'_, PyAny>, ty: ColumnType) -> PyResult<Result<Value, ValueError>> {
    let refused = |expected: &str| ValueError::WrongType {
        expected: expected.to_owned(),
        found: shown(given),
    };
    if given.is_none() {
        return Ok(Ok(Value::Null));
    }
    if ty == ColumnType::Json {
        return Ok(json_from_py(given, 0)?.map(Value::Json));
    }
    if let Ok(b) = given.cast::<PyBool>() {
        return Ok(Ok(Value::Bool(b.is_true())));
    }
    if let Ok(text) = given.cast::<PyString>() {
        return Ok(utf8(text).and_then(|text| match ty {
            ColumnType::Uuid => uuid_of(&text).map(Value::Uuid),
            _ => Ok(Value::Text(text)),
        }));
    }
    if let Ok(int) = given.cast::<PyInt>() {
        return Ok(int_of(int)?.map(Value::Int));
    }
    if let Ok(float) = given.cast::<PyFloat>() {
        return Ok(Ok(Value::Float(float.value())));
    }
    if let Ok(bytes) = given.cast::<PyBytes>() {
        return Ok(Ok(Value::Bytes(bytes.as_bytes().to_vec())));
    }
    if let Ok(bytes) = given.cast::<PyByteArray>() {
        return Ok(Ok(Value::Bytes(bytes.to_vec())));
    }
    if given.is_instance_of::<PyMemoryView>() {
        let bytes = given.call_method0("tobytes")?;
        return from_py(&bytes, ty);
    }
    if given.is_instance_of::<PyDateTime>() {
        let time = moment_of(given).map_err(|_| ValueError::OutOfRange(shown(given)));
        return Ok(time.map(|time| time.map_or(Value::Null, Value::Timestamp)));
    }
    if given.is_instance_of::<PyDate>() {
        return Ok(Ok(Value::Date(given.extract::<Date>()?)));
    }
    if given.is_instance_of::<PyList>() || given.is_instance_of::<PyTuple>() {
        let ColumnType::List(item) = ty else {
            return Ok(Err(refused(&ty.to_string())));
        };
        let mut items = Vec::new();
        for given in given.try_iter()? {
            match from_py(&given?, item.as_column())? {
                Ok(value) => items.push(value),
                Err(error) => return Ok(Err(error)),
            }
        }
        return Ok(Ok(Value::List(items)));
    }
    if let Ok(uuid) = given.extract::<Uuid>() {
        return Ok(Ok(Value::Uuid(uuid)));
    }
    // NumPy's scalars and arrays.
    let plain = ["item", "tolist"].into_iter().find_map(|name| {
        let method = given.getattr(name).ok()?;
        method.call0().ok().filter(|plain| !plain.is(given))
    });
    match plain {
        Some(plain) => from_py(&plain, ty),
        None => Ok(Err(refused(&ty.to_string()))),
    }
}

/// The text, unless it has a surrogate.
fn utf8(text: &Bound<'_, PyString>) -> Result<String, ValueError> {
    let utf8 = text.to_str().map(str::to_owned);
    utf8.map_err(|_| ValueError::WrongType {
        expected: "text that is UTF-8".to_owned(),
        found: shown(text),
    })
}

fn uuid_of(text: &str) -> Result<Uuid, ValueError> {
    text.parse().map_err(|why| ValueError::Malformed {
        what: format!("UUID {text:?}"),
        why: format!("{why}"),
    })
}

fn int_of(int: &Bound<'_, PyInt>) -> PyResult<Result<i64, ValueError>> {
    match int.extract::<i64>() {
        Ok(int) => Ok(Ok(int)),
        Err(error) if error.is_instance_of::<PyOverflowError>(int.py()) => {
            Ok(Err(ValueError::OutOfRange(shown(int))))
        }
        Err(error) => Err(error),
    }
}

/// Levels of JSON that are followed: the state refuses far fewer.
const DEEP: usize = 120;

fn json_from_py(
    given: &Bound<'_, PyAny>,
    depth: usize,
) -> PyResult<Result<serde_json::Value, ValueError>> {
    use serde_json::Value as Json;
    if depth > DEEP {
        return Ok(Err(ValueError::TooDeep { limit: 100 }));
    }
    if given.is_none() {
        return Ok(Ok(Json::Null));
    }
    if let Ok(b) = given.cast::<PyBool>() {
        return Ok(Ok(Json::Bool(b.is_true())));
    }
    if let Ok(text) = given.cast::<PyString>() {
        return Ok(utf8(text).map(Json::String));
    }
    if let Ok(int) = given.cast::<PyInt>() {
        if let Ok(int) = int.extract::<u64>() {
            return Ok(Ok(Json::from(int)));
        }
        return Ok(int_of(int)?.map(Json::from));
    }
    if let Ok(float) = given.cast::<PyFloat>() {
        let number = serde_json::Number::from_f64(float.value());
        let refused = || ValueError::OutOfRange(shown(given));
        return Ok(number.map(Json::Number).ok_or_else(refused));
    }
    if let Ok(dict) = given.cast::<PyDict>() {
        let mut fields = serde_json::Map::new();
        for (name, value) in dict {
            let Ok(name) = name.cast::<PyString>() else {
                return Ok(Err(ValueError::WrongType {
                    expected: "a name that is text".to_owned(),
                    found: shown(&name),
                }));
            };
            match (utf8(name), json_from_py(&value, depth + 1)?) {
                (Ok(name), Ok(value)) => fields.insert(name, value),
                (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
            };
        }
        return Ok(Ok(Json::Object(fields)));
    }
    if given.is_instance_of::<PyList>() || given.is_instance_of::<PyTuple>() {
        let mut items = Vec::new();
        for item in given.try_iter()? {
            match json_from_py(&item?, depth + 1)? {
                Ok(item) => items.push(item),
                Err(error) => return Ok(Err(error)),
            }
        }
        return Ok(Ok(Json::Array(items)));
    }
    Ok(Err(ValueError::WrongType {
        expected: "json".to_owned(),
        found: shown(given),
    }))
}

/// The type and the beginning of a value, for messages.
pub(crate) fn shown(given: &Bound<'_, PyAny>) -> String {
    let kind = given.get_type().name().map(|name| name.to_string());
    let text = given.repr().map(|text| text.to_string_lossy().into_owned());
    let text = text.unwrap_or_default();
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(plain).take(40).collect();
    format!("{} {text}", kind.unwrap_or_default())
}

/// The row that a dict means; `idx` in it is passed over: the state gives it.
pub(crate) fn row(schema: &TableSchema, given: &Bound<'_, PyDict>) -> PyResult<Row> {
    let py = given.py();
    let id = given.get_item("id")?.filter(|id| !id.is_none());
    let Some(id) = id else {
        let why = "a record needs an id".to_owned();
        let table = schema.name.clone();
        return Err(state_error(py, &Error::InvalidRow { table, why }));
    };
    let Id(id) = id.extract()?;
    let mut row = Row::new(id);
    row.fields.reserve(given.len());
    for (name, value) in given {
        let name: String = extracted(name.as_borrowed(), "a column's name is a str of UTF-8")?;
        if name == "id" || name == "idx" {
            continue;
        }
        // A name that is unknown here is refused, or known by then, in the state.
        let ty = column(schema, &name).map_or(ColumnType::Text, |column| column.ty);
        match from_py(&value, ty)? {
            Ok(value) => row.fields.push((name, value)),
            Err(source) => {
                let error = Error::InvalidValue {
                    table: schema.name.clone(),
                    id: row.id,
                    source: source.in_column(&name),
                };
                return Err(state_error(py, &error));
            }
        }
    }
    Ok(row)
}

/// A value to compare a column with.
pub(crate) fn compared(
    schema: &TableSchema,
    name: &str,
    given: &Bound<'_, PyAny>,
) -> PyResult<Value> {
    let ty = match column(schema, name).map(|column| column.ty) {
        Some(ty) => ty,
        None if name == "idx" => ColumnType::Timestamp,
        None => ColumnType::Text,
    };
    from_py(given, ty)?.map_err(|why| raise(given.py(), "Invalid", &format!("{name}: {why}")))
}

fn column<'s>(schema: &'s TableSchema, name: &str) -> Option<&'s Column> {
    schema.columns.iter().find(|column| column.name == name)
}
