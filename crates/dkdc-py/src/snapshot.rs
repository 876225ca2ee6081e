//! The state at one version.

use std::sync::Arc;

use dkdc_state::{Idx, Row};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::args::{Id, Limit, Order, TableName};
use crate::arrow::{Rows, Stream};
use crate::dicts::{self, datetime, record};
use crate::errors::state_error;
use crate::handle::{Handle, Kept};
use crate::table::select;

/// The state at one version.
#[pyclass(module = "dkdc_state._core", frozen)]
pub(crate) struct Snapshot {
    snapshot: Kept<dkdc_state::Snapshot>,
}

impl Snapshot {
    pub(crate) fn new(handle: &Arc<Handle>, snapshot: dkdc_state::Snapshot) -> Snapshot {
        let snapshot = Kept::new(handle, snapshot);
        Snapshot { snapshot }
    }

    fn stream(&self, py: Python<'_>, table: &str, rows: Rows) -> PyResult<Stream> {
        let snapshot = dkdc_state::Snapshot::clone(&*self.snapshot.get(py)?);
        Stream::new(py, self.snapshot.handle(), snapshot, table.to_owned(), rows)
    }
}

#[pymethods]
impl Snapshot {
    /// The newest version or event that it includes.
    #[getter]
    fn idx<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, self.snapshot.get(py)?.idx())
    }

    /// The same in microseconds.
    #[getter]
    fn micros(&self, py: Python<'_>) -> PyResult<i64> {
        Ok(self.snapshot.get(py)?.idx().as_micros())
    }

    fn table(&self, py: Python<'_>, name: TableName) -> PyResult<SnapshotTable> {
        let TableName(name) = name;
        let snapshot = self.snapshot.get(py)?;
        let table = py.detach(|| snapshot.rows(&name));
        let table = table.map_err(|error| state_error(py, &error))?;
        Ok(SnapshotTable {
            table: Kept::new(self.snapshot.handle(), table),
            name,
        })
    }

    /// The versions of a table after one, as Arrow.
    fn scan(&self, py: Python<'_>, name: &str, after: i64) -> PyResult<Stream> {
        self.stream(py, name, Rows::After(Idx::from_micros(after)))
    }

    /// The current records of a table, as Arrow.
    fn current(&self, py: Python<'_>, name: &str) -> PyResult<Stream> {
        self.stream(py, name, Rows::Current)
    }
}

/// A table at one version of the state.
#[pyclass(module = "dkdc_state._core", frozen)]
pub(crate) struct SnapshotTable {
    table: Kept<dkdc_state::SnapshotTable<Row>>,
    name: String,
}

#[pymethods]
impl SnapshotTable {
    fn get<'py>(&self, py: Python<'py>, id: Id) -> PyResult<Option<Bound<'py, PyDict>>> {
        let table = self.table.get(py)?;
        let found = py.detach(|| table.get(&id.0));
        let found = found.map_err(|error| state_error(py, &error))?;
        let found = found.map(|found| record(py, &found.version, &found.record));
        found.transpose()
    }

    fn contains(&self, py: Python<'_>, id: Id) -> PyResult<bool> {
        let table = self.table.get(py)?;
        py.detach(|| table.contains(&id.0))
            .map_err(|error| state_error(py, &error))
    }

    fn count(&self, py: Python<'_>) -> PyResult<u64> {
        let table = self.table.get(py)?;
        py.detach(|| table.count())
            .map_err(|error| state_error(py, &error))
    }

    #[pyo3(signature = (equal, order, limit=None))]
    fn list<'py>(
        &self,
        py: Python<'py>,
        equal: &Bound<'py, PyDict>,
        order: Order,
        limit: Option<Limit>,
    ) -> PyResult<Bound<'py, PyList>> {
        let known = self.table.handle().table(py, &self.name)?;
        let select = select(&known, equal, order, limit)?;
        let table = self.table.get(py)?;
        dicts::records(py, |take| table.list_parts(&select, take))
    }

    fn history<'py>(&self, py: Python<'py>, id: Id) -> PyResult<Bound<'py, PyList>> {
        let known = self.table.handle().fresh_table(py, &self.name)?;
        let table = self.table.get(py)?;
        let versions = py.detach(|| table.history(&id.0));
        let list = PyList::empty(py);
        for version in &versions.map_err(|error| state_error(py, &error))? {
            list.append(dicts::version(py, &known.schema, &id.0, version)?)?;
        }
        Ok(list)
    }
}
