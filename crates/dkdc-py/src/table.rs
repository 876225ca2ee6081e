//! A table's records: written, read, and taken in by the million.

use std::sync::Arc;

use dkdc_state::{Error, Idx, Result as StateResult, Row, Select, Table as RustTable};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::args::{Id, Limit, Order, extracted};
use crate::dicts::{self, datetime, record};
use crate::errors::state_error;
use crate::handle::{Handle, Known};
use crate::incoming::{Incoming, Mode};
use crate::transaction;
use crate::value::{self, compared, idx};

/// A table of a store.
#[pyclass(module = "dkdc_state._core", frozen)]
pub(crate) struct Table {
    handle: Arc<Handle>,
    #[pyo3(get)]
    name: String,
}

impl Table {
    pub(crate) fn new(py: Python<'_>, handle: Arc<Handle>, name: String) -> PyResult<Table> {
        handle.table(py, &name)?;
        Ok(Table { handle, name })
    }

    fn known(&self, py: Python<'_>) -> PyResult<Known> {
        transaction::refuse_inside(py, &self.handle)?;
        self.handle.table(py, &self.name)
    }

    /// The row that a dict means; columns that this handle does not know may
    /// be new.
    fn row(&self, given: &Bound<'_, PyDict>) -> PyResult<(Known, Row)> {
        let py = given.py();
        let mut known = self.known(py)?;
        if !knows(&known, given) {
            known = self.handle.fresh_table(py, &self.name)?;
        }
        let row = value::row(&known.schema, given)?;
        Ok((known, row))
    }

    /// Writes one record and returns it as it is now.
    fn put<'py>(
        &self,
        given: &Bound<'py, PyDict>,
        write: impl FnOnce(&RustTable<Row>, &Row) -> StateResult<dkdc_state::Version> + Send,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = given.py();
        let (known, row) = self.row(given)?;
        let written = py.detach(|| {
            let version = write(&known.table, &row)?;
            written(&known.table, &row.id, version.idx)
        });
        let (version, row) = written.map_err(|error| state_error(py, &error))?;
        record(py, &version, &row)
    }

    fn read<T: Send>(
        &self,
        py: Python<'_>,
        read: impl FnOnce(&Known) -> StateResult<T> + Send,
    ) -> PyResult<T> {
        let known = self.known(py)?;
        py.detach(|| read(&known))
            .map_err(|error| state_error(py, &error))
    }
}

fn knows(known: &Known, given: &Bound<'_, PyDict>) -> bool {
    let known = &known.schema.columns;
    given.iter().all(|(name, _)| {
        let name = name.cast::<PyString>().ok();
        let name = name.and_then(|name| name.to_str().ok());
        name.is_some_and(|name| {
            name == "id" || name == "idx" || known.iter().any(|column| column.name == name)
        })
    })
}

/// The version just written, as the store has it: defaults and what an update
/// kept included.
fn written(table: &RustTable<Row>, id: &str, idx: Idx) -> StateResult<(dkdc_state::Version, Row)> {
    let found = table.version(id, idx)?;
    let found = found.and_then(|found| Some((found.version, found.record?)));
    found.ok_or_else(|| Error::NoSuchVersion {
        table: table.name().to_owned(),
        id: id.to_owned(),
        idx,
    })
}

#[pymethods]
impl Table {
    /// The columns' names, as the store has them now.
    fn columns(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let known = self.handle.fresh_table(py, &self.name)?;
        let columns = known.schema.columns.iter();
        Ok(columns.map(|column| column.name.clone()).collect())
    }

    fn append<'py>(&self, given: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        self.put(given, RustTable::append)
    }

    fn update<'py>(&self, given: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        self.put(given, RustTable::update)
    }

    fn upsert<'py>(&self, given: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        self.put(given, RustTable::upsert)
    }

    fn update_if<'py>(
        &self,
        given: &Bound<'py, PyDict>,
        expected: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let expected = idx(expected)?;
        self.put(given, |table, row| table.update_if(row, expected))
    }

    fn delete<'py>(&self, py: Python<'py>, id: Id) -> PyResult<Bound<'py, PyAny>> {
        let version = self.read(py, |known| known.table.delete(&id.0))?;
        datetime(py, version.idx)
    }

    fn restore<'py>(
        &self,
        py: Python<'py>,
        id: Id,
        version: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let version = idx(version)?;
        let (version, row) = self.read(py, |known| {
            let restored = known.table.restore(&id.0, version)?;
            written(&known.table, &id.0, restored.idx)
        })?;
        record(py, &version, &row)
    }

    /// Writes a stream of Arrow batches, all of it or nothing: how many rows.
    fn put_arrow(&self, py: Python<'_>, data: &Bound<'_, PyAny>, mode: &str) -> PyResult<u64> {
        transaction::refuse_inside(py, &self.handle)?;
        let mode = Mode::parse(py, mode)?;
        let known = self.handle.fresh_table(py, &self.name)?;
        let incoming = Incoming::new(data, &known.schema)?;
        let state = self.handle.state(py)?;
        incoming.write(py, &state, &self.name, mode)
    }

    fn get<'py>(&self, py: Python<'py>, id: Id) -> PyResult<Option<Bound<'py, PyDict>>> {
        let found = self.read(py, |known| known.table.get(&id.0))?;
        let found = found.map(|found| record(py, &found.version, &found.record));
        found.transpose()
    }

    fn contains(&self, py: Python<'_>, id: Id) -> PyResult<bool> {
        self.read(py, |known| known.table.contains(&id.0))
    }

    fn count(&self, py: Python<'_>) -> PyResult<u64> {
        self.read(py, |known| known.table.count())
    }

    /// Current records whose columns equal these values, in an order.
    #[pyo3(signature = (equal, order, limit=None))]
    fn list<'py>(
        &self,
        py: Python<'py>,
        equal: &Bound<'py, PyDict>,
        order: Order,
        limit: Option<Limit>,
    ) -> PyResult<Bound<'py, PyList>> {
        let known = self.known(py)?;
        let select = select(&known, equal, order, limit)?;
        dicts::records(py, |take| known.table.list_parts(&select, take))
    }

    fn history<'py>(&self, py: Python<'py>, id: Id) -> PyResult<Bound<'py, PyList>> {
        let (schema, versions) = self.read(py, |known| {
            Ok((known.table.schema()?, known.table.history(&id.0)?))
        })?;
        let list = PyList::empty(py);
        for version in &versions {
            list.append(dicts::version(py, &schema, &id.0, version)?)?;
        }
        Ok(list)
    }
}

/// The selection that equalities and an order name; `-name` is descending.
pub(crate) fn select(
    known: &Known,
    equal: &Bound<'_, PyDict>,
    Order(order): Order,
    limit: Option<Limit>,
) -> PyResult<Select> {
    let mut select = Select::new();
    for (name, given) in equal {
        let name: String = extracted(name.as_borrowed(), "a column's name is a str of UTF-8")?;
        select = select.eq(&name, compared(&known.schema, &name, &given)?);
    }
    for name in &order {
        select = match name.strip_prefix('-') {
            Some(name) => select.order_desc(name),
            None => select.order(name),
        };
    }
    Ok(match limit {
        Some(Limit(limit)) => select.limit(limit),
        None => select,
    })
}
