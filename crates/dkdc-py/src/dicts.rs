//! Values, records and versions as Python's own objects.
//!
//! Lists of records can be long, and a microsecond a record is felt: names are
//! made once, and dicts have their room from the beginning.

use std::sync::mpsc::channel;

use dkdc_state::jiff::Timestamp;
use dkdc_state::jiff::tz::TimeZone;
use dkdc_state::{
    Idx, Listed, ListedValue, Result as StateResult, Row, TableSchema, Value, Version, Versioned,
    serde_json,
};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyList, PyString};

use crate::errors::{raise, state_error};

/// A version's number as the naive UTC datetime that it is.
pub(crate) fn datetime(py: Python<'_>, idx: Idx) -> PyResult<Bound<'_, PyAny>> {
    timestamp(py, idx.timestamp())
}

/// Python's `datetime.datetime`.
struct Datetime {
    class: Py<PyAny>,
    /// It takes the ten bytes that it is pickled as: a third of the time that its
    /// seven numbers take.
    packed: bool,
}

static DATETIME: PyOnceLock<Datetime> = PyOnceLock::new();

impl Datetime {
    fn import(py: Python<'_>) -> PyResult<Datetime> {
        let class = py.import("datetime")?.getattr("datetime")?;
        let there = class.call1((2026, 11, 22, 10, 30, 59, 999_999))?;
        let packed = [0x07, 0xea, 11, 22, 10, 30, 59, 0x0f, 0x42, 0x3f];
        let again = class.call1((PyBytes::new(py, &packed),));
        Ok(Datetime {
            packed: again.is_ok_and(|again| again.eq(&there).unwrap_or(false)),
            class: class.unbind(),
        })
    }
}

fn timestamp(py: Python<'_>, time: Timestamp) -> PyResult<Bound<'_, PyAny>> {
    let datetime = DATETIME.get_or_try_init(py, || Datetime::import(py))?;
    let class = datetime.class.bind(py);
    let civil = TimeZone::UTC.to_datetime(time);
    let (date, clock) = (civil.date(), civil.time());
    let Ok(year @ 1..) = u16::try_from(date.year()) else {
        let message = format!("{civil}Z is no datetime of Python's: they begin with year 1");
        return Err(raise(py, "Invalid", &message));
    };
    let fields = [
        date.month(),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
    ]
    .map(i8::cast_unsigned);
    let [month, day, hour, minute, second] = fields;
    let micros = clock.subsec_nanosecond().cast_unsigned() / 1000;
    if datetime.packed {
        let ([high, low], [_, m1, m2, m3]) = (year.to_be_bytes(), micros.to_be_bytes());
        let packed = [high, low, month, day, hour, minute, second, m1, m2, m3];
        class.call1((PyBytes::new(py, &packed),))
    } else {
        class.call1((year, month, day, hour, minute, second, micros))
    }
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
            let items = items.iter().map(|item| to_py(py, item));
            PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any()
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
            let items = items.iter().map(|item| json_to_py(py, item));
            PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any()
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

/// Records as dicts, as [`record`] makes them, while another thread reads on.
pub(crate) fn records<'py>(
    py: Python<'py>,
    read: impl FnOnce(&mut dyn FnMut(Listed)) -> StateResult<Vec<usize>> + Send,
) -> PyResult<Bound<'py, PyList>> {
    let _paused = Paused::collector(py)?;
    let mut dicts = Vec::new();
    let (send, mut parts) = channel();
    let order = std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            // Who makes the dicts may have failed.
            read(&mut |part| drop(send.send(part)))
        });
        loop {
            let parts = &mut parts;
            let Ok(part) = py.detach(move || parts.recv()) else {
                break;
            };
            add_records(py, &part, &mut dicts)?;
        }
        let order = py.detach(|| reading.join());
        let order = order.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        order.map_err(|error| state_error(py, &error))
    })?;
    PyList::new(py, order.iter().map(|at| &dicts[*at]))
}

fn add_records<'py>(
    py: Python<'py>,
    part: &Listed,
    dicts: &mut Vec<Bound<'py, PyDict>>,
) -> PyResult<()> {
    let (idx, id) = (intern!(py, "idx"), intern!(py, "id"));
    let columns = part.schema().columns.iter();
    let names: Vec<_> = columns.map(|c| PyString::intern(py, &c.name)).collect();
    // A copy has its names, and the room for them, at once.
    let none = PyDict::new(py);
    for name in [idx, id].into_iter().chain(&names) {
        none.set_item(name, py.None())?;
    }
    for (version, key, values) in part.records() {
        let dict = none.copy()?;
        dict.set_item(idx, datetime(py, version.idx)?)?;
        dict.set_item(id, key)?;
        for (name, value) in names.iter().zip(values) {
            match value {
                ListedValue::Null => {}
                ListedValue::Bool(b) => dict.set_item(name, b)?,
                ListedValue::Int(i) => dict.set_item(name, i)?,
                ListedValue::Float(f) => dict.set_item(name, f)?,
                ListedValue::Text(t) => dict.set_item(name, t)?,
                ListedValue::Bytes(b) => dict.set_item(name, PyBytes::new(py, b))?,
                ListedValue::Other(other) => dict.set_item(name, to_py(py, other)?)?,
            }
        }
        dicts.push(dict);
    }
    Ok(())
}

/// Python's cycle collector, switched off until this is dropped: it would look
/// through all that is being made, again and again, and find nothing.
struct Paused<'py>(Option<Bound<'py, PyModule>>);

impl<'py> Paused<'py> {
    fn collector(py: Python<'py>) -> PyResult<Paused<'py>> {
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
