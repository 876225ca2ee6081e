//! Values, rows and versions, to Python and back: exact, or refused.

use dkdc_state::jiff::Timestamp;
use dkdc_state::jiff::civil::{Date, DateTime};
use dkdc_state::jiff::tz::TimeZone;
use dkdc_state::{
    Column, ColumnType, Error, Idx, Row, TableSchema, Value, ValueError, Version, Versioned,
    serde_json, uuid::Uuid,
};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDate, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyMemoryView,
    PyString, PyTuple,
};

use crate::errors::{raise, state_error};

/// A version's number as the naive UTC datetime that it is.
pub(crate) fn datetime(py: Python<'_>, idx: Idx) -> PyResult<Bound<'_, PyAny>> {
    timestamp(py, idx.timestamp())
}

/// Python's `datetime.datetime`.
static DATETIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn timestamp(py: Python<'_>, time: Timestamp) -> PyResult<Bound<'_, PyAny>> {
    let class = DATETIME.get_or_try_init(py, || {
        let class = py.import("datetime")?.getattr("datetime")?;
        Ok::<_, PyErr>(class.unbind())
    })?;
    let civil = TimeZone::UTC.to_datetime(time);
    let (date, clock) = (civil.date(), civil.time());
    class.bind(py).call1((
        date.year(),
        date.month(),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.subsec_nanosecond() / 1000,
    ))
}

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

/// A value as Python's own.
pub(crate) fn to_py<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(b) => PyBool::new(py, *b).to_owned().into_any(),
        Value::Int(i) => i.into_pyobject(py)?.into_any(),
        Value::Float(f) => PyFloat::new(py, *f).into_any(),
        Value::Text(t) => PyString::new(py, t).into_any(),
        Value::Bytes(b) => PyBytes::new(py, b).into_any(),
        Value::Blob(blob) => {
            let dict = PyDict::new(py);
            dict.set_item("hash", blob.hex())?;
            dict.set_item("size", blob.size)?;
            dict.into_any()
        }
        Value::Timestamp(t) => timestamp(py, *t)?,
        Value::Date(d) => d.into_pyobject(py)?.into_any(),
        Value::Uuid(u) => u.into_pyobject(py)?.into_any(),
        Value::Json(json) => json_to_py(py, json)?,
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_py(py, item)?)?;
            }
            list.into_any()
        }
    })
}

fn json_to_py<'py>(py: Python<'py>, json: &serde_json::Value) -> PyResult<Bound<'py, PyAny>> {
    use serde_json::Value as Json;
    Ok(match json {
        Json::Null => py.None().into_bound(py),
        Json::Bool(b) => PyBool::new(py, *b).to_owned().into_any(),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(int), _) => int.into_pyobject(py)?.into_any(),
            (None, Some(int)) => int.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, n.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Json::String(s) => PyString::new(py, s).into_any(),
        Json::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(json_to_py(py, item)?)?;
            }
            list.into_any()
        }
        Json::Object(fields) => {
            let dict = PyDict::new(py);
            for (name, value) in fields {
                dict.set_item(name, json_to_py(py, value)?)?;
            }
            dict.into_any()
        }
    })
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
        let Ok(text) = text.to_str() else {
            return Ok(Err(refused("text that is UTF-8")));
        };
        if ty == ColumnType::Uuid {
            return Ok(uuid_of(text).map(Value::Uuid));
        }
        return Ok(Ok(Value::Text(text.to_owned())));
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
        let time = moment_of(given)?;
        return Ok(Ok(time.map_or(Value::Null, Value::Timestamp)));
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
        return Ok(Ok(Json::String(text.to_str()?.to_owned())));
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
            match json_from_py(&value, depth + 1)? {
                Ok(value) => fields.insert(name.to_str()?.to_owned(), value),
                Err(error) => return Ok(Err(error)),
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
fn shown(given: &Bound<'_, PyAny>) -> String {
    let kind = given.get_type().name().map(|name| name.to_string());
    let text = given.repr().map(|text| text.to_string_lossy().into_owned());
    let text: String = text.unwrap_or_default().chars().take(40).collect();
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
    let Ok(id) = id.cast::<PyString>() else {
        let message = format!("{}: an id is a str, not {}", schema.name, shown(&id));
        return Err(raise(py, "Invalid", &message));
    };
    let mut row = Row::new(id.to_str()?);
    for (name, value) in given {
        let name = name.cast::<PyString>()?.to_str()?.to_owned();
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

/// Records as dicts, as [`record`] makes them; their names are made once.
pub(crate) fn records<'py>(
    py: Python<'py>,
    rows: &[Versioned<Row>],
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    let Some(first) = rows.first() else {
        return Ok(list);
    };
    let _paused = Paused::collector(py, rows.len())?;
    let name = |name: &str| PyString::intern(py, name);
    let (idx, id) = (name("idx"), name("id"));
    let names = first.record.fields.iter().map(|(field, _)| name(field));
    let names: Vec<_> = names.collect();
    for row in rows {
        let dict = PyDict::new(py);
        dict.set_item(&idx, datetime(py, row.version.idx)?)?;
        dict.set_item(&id, &row.record.id)?;
        // All of one list have the columns of one moment.
        for (name, (_, value)) in names.iter().zip(&row.record.fields) {
            dict.set_item(name, to_py(py, value)?)?;
        }
        list.append(dict)?;
    }
    Ok(list)
}

/// Python's cycle collector, switched off until this is dropped: it would look
/// through all that is being made, again and again, and find nothing.
struct Paused<'py>(Option<Bound<'py, PyModule>>);

impl<'py> Paused<'py> {
    /// From so many objects on it is worth it.
    const MANY: usize = 1000;

    fn collector(py: Python<'py>, count: usize) -> PyResult<Paused<'py>> {
        if count < Self::MANY {
            return Ok(Paused(None));
        }
        let gc = py.import("gc")?;
        let enabled = gc.call_method0("isenabled")?.is_truthy()?;
        if enabled {
            gc.call_method0("disable")?;
        }
        Ok(Paused(enabled.then_some(gc)))
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if let Some(gc) = &self.0
            && let Err(error) = gc.call_method0("enable")
        {
            error.write_unraisable(gc.py(), None);
        }
    }
}

/// A record as a dict: `idx`, `id`, and the columns in the table's order.
pub(crate) fn record<'py>(
    py: Python<'py>,
    version: &Version,
    row: &Row,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("idx", datetime(py, version.idx)?)?;
    dict.set_item("id", &row.id)?;
    for (name, value) in &row.fields {
        dict.set_item(name, to_py(py, value)?)?;
    }
    Ok(dict)
}

/// One version of history: the record, what made it (`op`) and what it replaced
/// (`prev`). A delete has the id, and no values.
pub(crate) fn version<'py>(
    py: Python<'py>,
    schema: &TableSchema,
    id: &str,
    versioned: &Versioned<Option<Row>>,
) -> PyResult<Bound<'py, PyDict>> {
    let version = &versioned.version;
    let dict = match &versioned.record {
        Some(row) => record(py, version, row)?,
        None => {
            let dict = PyDict::new(py);
            dict.set_item("idx", datetime(py, version.idx)?)?;
            dict.set_item("id", id)?;
            for column in &schema.columns {
                dict.set_item(&column.name, py.None())?;
            }
            dict
        }
    };
    dict.set_item("op", version.op.name())?;
    let prev = version.prev.map(|prev| datetime(py, prev)).transpose()?;
    dict.set_item("prev", prev)?;
    Ok(dict)
}
