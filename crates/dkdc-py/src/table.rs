//! A table's records: written, read, and taken in by the million.

use std::sync::Arc;

use dkdc_state::{Error, Idx, Result as StateResult, Row, Select, Table as RustTable};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::args::{Id, Key, Limit, Order, extracted};
use crate::bulk::{self, PIECE, Target};
use crate::dicts::{self, datetime, record};
use crate::errors::state_error;
use crate::handle::{Handle, Known};
use crate::incoming::Incoming;
use crate::transaction;
use crate::value::{self, compared, idx};

/// A table of a store.
#[pyclass(module = "dkdc_state._core", frozen)]
pub(crate) struct Table {
    handle: Arc<Handle>,
    #[pyo3(get)]
    name: String,
    /// The key of the one write that this is for.
    request: Option<String>,
}

impl Table {
    pub(crate) fn new(py: Python<'_>, handle: Arc<Handle>, name: String) -> PyResult<Table> {
        handle.table(py, &name)?;
        Ok(Table {
            handle,
            name,
            request: None,
        })
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

    /// The same, to be written to.
    fn to_write(&self, known: Known) -> Known {
        match &self.request {
            Some(key) => Known {
                table: known.table.request(key),
                ..known
            },
            None => known,
        }
    }

    /// Writes many records, all of them or none.
    fn put_all(
        &self,
        py: Python<'_>,
        known: &Known,
        write: impl FnOnce(&Target<'_>) -> PyResult<u64>,
    ) -> PyResult<u64> {
        write(&Target {
            state: &self.handle.state(py)?,
            table: &known.table,
            request: self.request.as_deref(),
        })
    }

    /// Writes one record and returns it as it is now.
    fn put<'py>(
        &self,
        given: &Bound<'py, PyDict>,
        write: impl FnOnce(&RustTable<Row>, &Row) -> StateResult<dkdc_state::Version> + Send,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = given.py();
        let (known, row) = self.row(given)?;
        let known = self.to_write(known);
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
        let known = self.to_write(self.known(py)?);
        let version = py.detach(|| known.table.delete(&id.0));
        let version = version.map_err(|error| state_error(py, &error))?;
        datetime(py, version.idx)
    }

    fn restore<'py>(
        &self,
        py: Python<'py>,
        id: Id,
        version: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let version = idx(version)?;
        let known = self.to_write(self.known(py)?);
        let written = py.detach(|| {
            let restored = known.table.restore(&id.0, version)?;
            written(&known.table, &id.0, restored.idx)
        });
        let (version, row) = written.map_err(|error| state_error(py, &error))?;
        record(py, &version, &row)
    }

    /// The same table, for one write that may be tried again.
    fn request(&self, key: Key) -> Table {
        Table {
            handle: Arc::clone(&self.handle),
            name: self.name.clone(),
            request: Some(key.0),
        }
    }

    /// Writes records, all of them or none: how many.
    fn put_rows(&self, py: Python<'_>, given: &Bound<'_, PyList>, mode: &str) -> PyResult<u64> {
        let mode = bulk::mode(py, mode)?;
        let mut known = self.known(py)?;
        let mut rows = Vec::with_capacity(given.len());
        for (at, given) in given.iter().enumerate() {
            let given = given.cast::<PyDict>()?;
            if !knows(&known, given) {
                known = self.handle.fresh_table(py, &self.name)?;
            }
            rows.push(value::row(&known.schema, given)?);
            if at % PIECE == 0 {
                py.check_signals()?;
            }
        }
        self.put_all(py, &known, |to| bulk::write_rows(py, to, mode, rows))
    }

    /// Writes a stream of Arrow batches, all of it or nothing: how many rows.
    fn put_arrow(&self, py: Python<'_>, data: &Bound<'_, PyAny>, mode: &str) -> PyResult<u64> {
        transaction::refuse_inside(py, &self.handle)?;
        let mode = bulk::mode(py, mode)?;
        let known = self.handle.fresh_table(py, &self.name)?;
        let incoming = Incoming::new(data, &known.schema)?;
        self.put_all(py, &known, |to| incoming.write(py, to, mode))
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
