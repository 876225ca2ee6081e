//! Versions out as Arrow, by the PyCapsule interface.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use dkdc_state::{Error, Idx, Scan, Snapshot};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::errors::state_error;
use crate::handle::{Handle, Kept};

/// Which rows of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows {
    /// Every version after one.
    After(Idx),
    /// The current records.
    Current,
}

impl Rows {
    fn scan(self, snapshot: &Snapshot, table: &str) -> dkdc_state::Result<Scan> {
        match self {
            Rows::After(idx) => snapshot.scan(table, idx),
            Rows::Current => snapshot.current(table),
        }
    }
}

/// Rows of a table, for whatever reads Arrow; they may be read again.
#[pyclass(module = "dkdc_state._core", frozen)]
pub(crate) struct Stream {
    snapshot: Kept<Snapshot>,
    table: String,
    rows: Rows,
    schema: SchemaRef,
    /// The scan that told of these, for the first who reads.
    begun: Mutex<Option<Kept<Mutex<Scan>>>>,
    /// What ended a reading: who reads has it as text only.
    failed: Arc<Mutex<Option<Error>>>,
    /// The table's own columns, and their types' names.
    #[pyo3(get)]
    columns: Vec<(String, String)>,
    /// The newest event: after another, what was read is read again.
    #[pyo3(get)]
    event: i64,
}

impl Stream {
    pub(crate) fn new(
        py: Python<'_>,
        handle: &Arc<Handle>,
        snapshot: Snapshot,
        table: String,
        rows: Rows,
    ) -> PyResult<Stream> {
        let scan = py.detach(|| rows.scan(&snapshot, &table));
        let scan = scan.map_err(|error| state_error(py, &error))?;
        let columns = scan.table().columns.iter();
        Ok(Stream {
            schema: scan.schema(),
            columns: columns
                .map(|c| (c.name.clone(), c.ty.to_string()))
                .collect(),
            event: scan.event().as_micros(),
            begun: Mutex::new(Some(Kept::new(handle, Mutex::new(scan)))),
            failed: Arc::default(),
            snapshot: Kept::new(handle, snapshot),
            table,
            rows,
        })
    }
}

#[pymethods]
impl Stream {
    /// The capsule that the Arrow PyCapsule interface asks for.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A wish that the interface allows to be passed over.
        let _ = requested_schema;
        let snapshot = self.snapshot.get(py)?;
        let begun = self
            .begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let scan = match begun {
            Some(scan) => scan,
            None => {
                let scan = py.detach(|| self.rows.scan(&snapshot, &self.table));
                let scan = scan.map_err(|error| state_error(py, &error))?;
                Kept::new(self.snapshot.handle(), Mutex::new(scan))
            }
        };
        let reader = Outgoing {
            scan,
            schema: Arc::clone(&self.schema),
            failed: Arc::clone(&self.failed),
        };
        let stream = FFI_ArrowArrayStream::new(Box::new(reader));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }

    /// The exception for what ended a reading, once.
    fn failure(&self, py: Python<'_>) -> Option<PyErr> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match failed.take() {
            Some(error) => Some(state_error(py, &error)),
            None => self.snapshot.get(py).err(),
        }
    }

    fn __repr__(&self) -> String {
        let path = self.snapshot.handle().path();
        format!("Stream({} of {})", self.table, path.display())
    }
}

/// A scan as Arrow's readers are.
struct Outgoing {
    scan: Kept<Mutex<Scan>>,
    schema: SchemaRef,
    failed: Arc<Mutex<Option<Error>>>,
}

impl Iterator for Outgoing {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(scan) = self.scan.there() else {
            let message = match self.scan.handle().is_forked() {
                true => "the store was open when this process was forked",
                false => "the store was closed",
            };
            return Some(Err(ArrowError::ExternalError(message.into())));
        };
        let batch = scan.lock().unwrap_or_else(PoisonError::into_inner).next()?;
        Some(batch.map_err(|error| {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            *failed = Some(error.clone());
            ArrowError::ExternalError(Box::new(error))
        }))
    }
}

impl RecordBatchReader for Outgoing {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
