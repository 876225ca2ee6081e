//! Rust's errors as the exceptions of `dkdc_state.errors`.

use dkdc_state::{Error, ErrorKind, Idx};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::dicts::datetime;

/// The exception for an error of the state, with its data as attributes.
pub(crate) fn state_error(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error {
        Error::InsideTransaction => "InsideTransaction",
        Error::OutsideHistory { .. } => "OutsideHistory",
        other => class_of(other.kind()),
    };
    let made = exception(py, class, &error.to_string());
    let described = made.and_then(|exception| {
        let value = exception.value(py);
        match error {
            Error::NotFound { table, id } => {
                value.setattr("table", table)?;
                value.setattr("id", id)?;
            }
            Error::NotUnique {
                table, id, other, ..
            } => {
                value.setattr("table", table)?;
                value.setattr("id", id)?;
                value.setattr("other", other)?;
            }
            Error::AlreadyExists { table, id, idx } => {
                value.setattr("table", table)?;
                value.setattr("id", id)?;
                value.setattr("idx", number(py, *idx)?)?;
            }
            Error::Conflict {
                table,
                id,
                expected,
                actual,
            } => {
                value.setattr("table", table)?;
                value.setattr("id", id)?;
                value.setattr("expected", number(py, *expected)?)?;
                let actual = actual.map(|idx| number(py, idx)).transpose()?;
                value.setattr("actual", actual)?;
            }
            _ => {}
        }
        Ok(exception)
    });
    described.unwrap_or_else(|error| error)
}

/// A version's number as a datetime; one that is none, which only a caller can have
/// made up, in microseconds.
fn number(py: Python<'_>, idx: Idx) -> PyResult<Bound<'_, PyAny>> {
    match datetime(py, idx) {
        Ok(datetime) => Ok(datetime),
        Err(_) => Ok(idx.as_micros().into_pyobject(py)?.into_any()),
    }
}

/// The exception for an error of the lake.
pub(crate) fn lake_error(py: Python<'_>, error: &dkdc_lake::Error) -> PyErr {
    use dkdc_lake::Error as Lake;
    match error {
        Lake::State(error) => state_error(py, error),
        Lake::Disk { source, .. } | Lake::Content { source, .. } => match within(source) {
            Some(error) => state_error(py, error),
            None => raise(py, class_of(error.kind()), &error.to_string()),
        },
        error => raise(py, class_of(error.kind()), &error.to_string()),
    }
}

/// The exception for what ended the reading of content.
pub(crate) fn content_error(py: Python<'_>, error: &std::io::Error) -> PyErr {
    match within(error) {
        Some(error) => state_error(py, error),
        None => raise(py, "Failure", &error.to_string()),
    }
}

/// The state's error that whoever read content has as one of the system.
fn within(error: &std::io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// An exception of `dkdc_state.errors`, by the name of its class.
pub(crate) fn raise(py: Python<'_>, class: &str, message: &str) -> PyErr {
    exception(py, class, message).unwrap_or_else(|error| error)
}

fn exception(py: Python<'_>, class: &str, message: &str) -> PyResult<PyErr> {
    let class = py.import("dkdc_state.errors")?.getattr(class)?;
    let exception = class.call1((PyString::new(py, message),))?;
    Ok(PyErr::from_value(exception))
}

fn class_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Input => "Invalid",
        ErrorKind::NotFound => "NotFound",
        ErrorKind::AlreadyExists => "AlreadyExists",
        ErrorKind::Conflict => "Conflict",
        ErrorKind::Busy => "Busy",
        ErrorKind::Damaged => "Damaged",
        _ => "Failure",
    }
}
