//! The handle on a store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dkdc_state::{ColumnDef, ColumnType, Durability, IndexDef, Moment, Nulls, TableDef};
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyDict, PyList};

use crate::args::{Columns, Flag, Level, Seconds, StorePath, TableName, TableNames};
use crate::changes::Changes;
use crate::dicts::datetime;
use crate::errors::{raise, state_error};
use crate::handle::Handle;
use crate::lake::Lake;
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::{self, Transaction};
use crate::value::{idx, moment_of, shown};

/// A store, open.
#[pyclass(module = "dkdc_state._core", frozen, weakref)]
pub(crate) struct State {
    handle: Arc<Handle>,
}

#[pymethods]
impl State {
    #[new]
    #[pyo3(signature = (path, *, create=Flag(true), read_only=Flag(false), durability=Level("full".to_owned()), busy_timeout=Seconds(30.0)))]
    fn new(
        py: Python<'_>,
        path: StorePath,
        create: Flag,
        read_only: Flag,
        durability: Level,
        busy_timeout: Seconds,
    ) -> PyResult<State> {
        let durability = match durability.0.as_str() {
            "full" => Durability::Full,
            "relaxed" => Durability::Relaxed,
            other => {
                let message = format!("durability is \"full\" or \"relaxed\", not {other:?}");
                return Err(raise(py, "Invalid", &message));
            }
        };
        let Ok(busy_timeout) = Duration::try_from_secs_f64(busy_timeout.0) else {
            let message = format!("busy_timeout is seconds, not {}", busy_timeout.0);
            return Err(raise(py, "Invalid", &message));
        };
        let options = dkdc_state::State::options()
            .create(create.0)
            .read_only(read_only.0)
            .durability(durability)
            .busy_timeout(busy_timeout);
        let handle = Handle::open(py, &path.0, || options.open(&path.0))?;
        Ok(State {
            handle: Arc::new(handle),
        })
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.handle.path().to_owned()
    }

    #[getter]
    fn is_open(&self) -> bool {
        self.handle.is_open()
    }

    fn close(&self, py: Python<'_>) {
        let handle = &self.handle;
        py.detach(|| handle.close());
    }

    /// The newest version or event, in microseconds.
    fn last(&self, py: Python<'_>) -> PyResult<i64> {
        Ok(self.call(py, dkdc_state::State::last)?.as_micros())
    }

    fn tables(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let tables = self.call(py, dkdc_state::State::tables)?;
        Ok(tables.iter().map(|table| table.name.clone()).collect())
    }

    /// A table's columns besides idx and id, and their types' names.
    fn schema(&self, py: Python<'_>, name: TableName) -> PyResult<Vec<(String, String)>> {
        let known = self.handle.fresh_table(py, &name.0)?;
        let columns = known.schema.columns.iter();
        let columns = columns.map(|column| (column.name.clone(), column.ty.to_string()));
        Ok(columns.collect())
    }

    #[pyo3(signature = (name, columns, defaults=None, indexes=vec![], unique=vec![]))]
    fn define(
        &self,
        py: Python<'_>,
        name: TableName,
        columns: Columns,
        defaults: Option<&Bound<'_, PyDict>>,
        indexes: Vec<Vec<String>>,
        unique: Vec<Vec<String>>,
    ) -> PyResult<()> {
        let mut def = TableDef::new(name.0);
        for (name, ty, required) in columns.0 {
            let ty: ColumnType = ty
                .parse()
                .map_err(|why| raise(py, "Invalid", &format!("column {name}: {why}")))?;
            let mut column = ColumnDef::new(&*name, ty);
            column.required = required;
            if let Some(default) = defaults
                .map(|all| all.get_item(&name))
                .transpose()?
                .flatten()
            {
                let schema = TableDef::new("defaults").column(column.clone()).to_schema();
                let schema = schema.map_err(|error| state_error(py, &error))?;
                column.default = Some(crate::value::compared(&schema, &name, &default)?);
            }
            def = def.column(column);
        }
        for columns in indexes {
            def = def.index(IndexDef::new(columns.iter().map(String::as_str)));
        }
        for columns in unique {
            let index = IndexDef::new(columns.iter().map(String::as_str));
            def = def.index(index.unique(Nulls::Distinct));
        }
        self.call(py, |state| state.define(&def).map(|_| ()))
    }

    /// Declares the todo list's table.
    fn define_todos(&self, py: Python<'_>) -> PyResult<()> {
        let state = self.handle.state(py)?;
        let done = py.detach(|| dkdc_todo::Todos::on(&state).map(|_| ()));
        done.map_err(|error| match error {
            dkdc_todo::Error::State(error) => state_error(py, &error),
            error => raise(py, "Failure", &error.to_string()),
        })
    }

    /// The file lake, declared.
    fn lake(&self, py: Python<'_>) -> PyResult<Lake> {
        Lake::on(py, &self.handle)
    }

    fn table(&self, py: Python<'_>, name: TableName) -> PyResult<Table> {
        Table::new(py, Arc::clone(&self.handle), name.0)
    }

    fn clear(&self, py: Python<'_>, tables: TableNames) -> PyResult<()> {
        let names: Vec<&str> = tables.0.iter().map(String::as_str).collect();
        self.call(py, |state| state.clear(&names).map(|_| ()))
    }

    /// The state as it is now.
    fn snapshot(&self, py: Python<'_>) -> PyResult<Snapshot> {
        let snapshot = self.call(py, dkdc_state::State::snapshot)?;
        Ok(Snapshot::new(&self.handle, snapshot))
    }

    /// The state at a moment: text, a datetime, or an idx in microseconds.
    fn at(&self, py: Python<'_>, when: &Bound<'_, PyAny>) -> PyResult<Snapshot> {
        let moment = moment(when)?;
        let snapshot = self.call(py, |state| state.at(moment))?;
        Ok(Snapshot::new(&self.handle, snapshot))
    }

    /// Every version and event after a version, up to now.
    fn changes(&self, py: Python<'_>, after: &Bound<'_, PyAny>) -> PyResult<Changes> {
        let after = idx(after)?;
        let changes = self.call(py, |state| state.changes(after))?;
        Ok(Changes::new(&self.handle, changes))
    }

    /// A transaction that has begun.
    fn transaction(&self, py: Python<'_>) -> PyResult<Transaction> {
        Transaction::begin(py, &self.handle)
    }

    /// What `check` finds wrong: nothing, or a line each.
    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let report = self.call(py, dkdc_state::State::check)?;
        let tables = report.tables.iter().flat_map(|table| &table.damage);
        PyList::new(py, report.damage.iter().chain(tables))
    }

    /// Content, by its hash in hexadecimal, of a size.
    fn blob<'py>(&self, py: Python<'py>, hash: &str, size: u64) -> PyResult<Bound<'py, PyAny>> {
        crate::lake::content(py, &self.handle, hash, size)
    }

    /// The time as versions have it.
    #[staticmethod]
    fn idx_of<'py>(py: Python<'py>, micros: i64) -> PyResult<Bound<'py, PyAny>> {
        datetime(py, dkdc_state::Idx::from_micros(micros))
    }
}

/// A moment: text, a datetime, or an idx in microseconds.
pub(crate) fn moment(when: &Bound<'_, PyAny>) -> PyResult<Moment> {
    let py = when.py();
    if let Ok(text) = when.extract::<String>() {
        return text.parse().map_err(|error| state_error(py, &error));
    }
    if when.is_instance_of::<PyDateTime>() {
        let time = moment_of(when).ok().flatten();
        let none = || format!("{} is no time that can be kept", shown(when));
        return Ok(Moment::Time(
            time.ok_or_else(|| raise(py, "Invalid", &none()))?,
        ));
    }
    Ok(Moment::Idx(idx(when)?))
}

impl State {
    /// Does something with the state, while other threads run.
    fn call<T: Send>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&dkdc_state::State) -> dkdc_state::Result<T> + Send,
    ) -> PyResult<T> {
        transaction::refuse_inside(py, &self.handle)?;
        let state = self.handle.state(py)?;
        py.detach(|| run(&state))
            .map_err(|error| state_error(py, &error))
    }
}
