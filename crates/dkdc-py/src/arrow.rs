//! Versions out as Arrow, by the PyCapsule interface.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use dkdc_state::{Idx, Scan, Snapshot};
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
    path: std::path::PathBuf,
    table: String,
    rows: Rows,
    schema: SchemaRef,
    /// The scan that told of these, for the first who reads.
    begun: Mutex<Kept<Scan>>,
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
        handle: &Handle,
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
            begun: Mutex::new(Kept::new(handle, scan)),
            snapshot: Kept::new(handle, snapshot),
            path: handle.path().to_owned(),
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
            Some(scan) => Ok(scan),
            None => py.detach(|| self.rows.scan(snapshot, &self.table)),
        };
        let reader = Outgoing {
            scan: Some(scan.map_err(|error| state_error(py, &error))?),
            process: std::process::id(),
            schema: Arc::clone(&self.schema),
        };
        let stream = FFI_ArrowArrayStream::new(Box::new(reader));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }

    fn __repr__(&self) -> String {
        format!("Stream({} of {})", self.table, self.path.display())
    }
}

/// A scan as Arrow's readers are.
struct Outgoing {
    scan: Option<Scan>,
    process: u32,
    schema: SchemaRef,
}

impl Iterator for Outgoing {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.process != std::process::id() {
            let message = "the store was open when this process was forked";
            return Some(Err(ArrowError::ExternalError(message.into())));
        }
        let batch = self.scan.as_mut()?.next()?;
        Some(batch.map_err(|error| ArrowError::ExternalError(Box::new(error))))
    }
}

impl RecordBatchReader for Outgoing {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            std::mem::forget(self.scan.take());
        }
    }
}
