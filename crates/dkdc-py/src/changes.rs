//! The feed of changes.

use std::sync::{Arc, Mutex, PoisonError};

use dkdc_state::{Change, ChangeKind};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::dicts::{datetime, record};
use crate::errors::state_error;
use crate::handle::{Handle, Kept};

/// Every version and event of every table after a point, in order.
#[pyclass(module = "dkdc_state._core", frozen)]
pub(crate) struct Changes {
    changes: Kept<Mutex<dkdc_state::Changes>>,
}

impl Changes {
    pub(crate) fn new(handle: &Arc<Handle>, changes: dkdc_state::Changes) -> Changes {
        Changes {
            changes: Kept::new(handle, Mutex::new(changes)),
        }
    }
}

#[pymethods]
impl Changes {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        // Another thread may hold the lock and want Python's: both are waited
        // for in that order.
        let changes = self.changes.get(py)?;
        let next = py.detach(move || {
            let mut changes = changes.lock().unwrap_or_else(PoisonError::into_inner);
            changes.next()
        });
        let next = next.transpose().map_err(|error| state_error(py, &error))?;
        let Some(change) = next else {
            return Ok(None);
        };
        shown(py, &change).map(Some)
    }
}

fn shown<'py>(py: Python<'py>, change: &Change) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("idx", datetime(py, change.idx)?)?;
    dict.set_item("resume", datetime(py, change.resume)?)?;
    match &change.kind {
        ChangeKind::Version {
            table,
            id,
            version,
            row,
        } => {
            dict.set_item("table", table)?;
            dict.set_item("op", version.op.name())?;
            dict.set_item("id", id)?;
            let row = row.as_ref().map(|row| record(py, version, row));
            dict.set_item("record", row.transpose()?)?;
        }
        ChangeKind::Event(event) => {
            dict.set_item("table", event.table.as_deref())?;
            dict.set_item("op", event.kind.to_string())?;
            dict.set_item("id", py.None())?;
            dict.set_item("record", py.None())?;
        }
    }
    Ok(dict)
}
