//! Stores that this process has open, and what a fork does to them.
//!
//! SQLite must not be used, nor closed, in a child on what was opened before the
//! fork: the locks stayed with the parent. So a child's handles refuse, are
//! never dropped, and the files cannot be opened again in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use dkdc_state::{Row, State, Table, TableSchema};
use pyo3::prelude::*;

use crate::errors::{raise, state_error};

/// How many handles of a process each file has.
static OPEN: Mutex<Option<HashMap<PathBuf, Opened>>> = Mutex::new(None);

struct Opened {
    process: u32,
    handles: usize,
}

/// A state, until it is closed.
pub(crate) struct Handle {
    open: RwLock<Option<Open>>,
    path: PathBuf,
    process: u32,
}

struct Open {
    state: State,
    tables: Mutex<HashMap<String, Known>>,
}

/// A table, and its columns as this handle saw them last.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) table: Table<Row>,
    pub(crate) schema: Arc<TableSchema>,
}

impl Handle {
    pub(crate) fn open(
        py: Python<'_>,
        path: &Path,
        open: impl FnOnce() -> dkdc_state::Result<State> + Send,
    ) -> PyResult<Handle> {
        let process = std::process::id();
        let resolved = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if lock().as_ref().is_some_and(|open| {
            let opened = open.get(&resolved);
            opened.is_some_and(|opened| opened.process != process)
        }) {
            return Err(forked(py, &resolved));
        }
        let state = py.detach(open).map_err(|error| state_error(py, &error))?;
        let path = state.path().to_owned();
        let mut open = lock();
        let opened = open.get_or_insert_default().entry(path.clone());
        opened
            .or_insert(Opened {
                process,
                handles: 0,
            })
            .handles += 1;
        Ok(Handle {
            open: RwLock::new(Some(Open {
                state,
                tables: Mutex::default(),
            })),
            path,
            process,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// True in a child of the process that opened it.
    pub(crate) fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// The state, if it is open and this is the process that opened it.
    pub(crate) fn state(&self, py: Python<'_>) -> PyResult<State> {
        self.with(py, |open| Ok(open.state.clone()))
    }

    /// A table by its name.
    pub(crate) fn table(&self, py: Python<'_>, name: &str) -> PyResult<Known> {
        let cached = self.with(py, |open| Ok(open.tables().get(name).cloned()))?;
        match cached {
            Some(known) => Ok(known),
            None => self.fresh_table(py, name),
        }
    }

    /// The same with the columns that it has now.
    pub(crate) fn fresh_table(&self, py: Python<'_>, name: &str) -> PyResult<Known> {
        let state = self.state(py)?;
        let known = py.detach(|| {
            let table = state.rows(name)?;
            let schema = table.schema()?;
            Ok(Known { table, schema })
        });
        let known = known.map_err(|error| state_error(py, &error))?;
        self.with(py, |open| {
            open.tables().insert(name.to_owned(), known.clone());
            Ok(known)
        })
    }

    fn with<T>(&self, py: Python<'_>, run: impl FnOnce(&Open) -> PyResult<T>) -> PyResult<T> {
        if self.is_forked() {
            return Err(forked(py, &self.path));
        }
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = open.as_ref() else {
            let message = format!("{} was closed", self.path.display());
            return Err(raise(py, "Closed", &message));
        };
        run(open)
    }

    pub(crate) fn is_open(&self) -> bool {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.is_some()
    }

    /// Closes this handle; the file is closed with the last that uses it.
    pub(crate) fn close(&self) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = open.take() else {
            return;
        };
        if self.process != std::process::id() {
            std::mem::forget(open);
            return;
        }
        drop(open);
        if let Some(open) = lock().as_mut()
            && let Some(opened) = open.get_mut(&self.path)
        {
            opened.handles -= 1;
            if opened.handles == 0 {
                open.remove(&self.path);
            }
        }
    }
}

impl Open {
    fn tables(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

/// What keeps a store open: in a child of the process that opened it, it is
/// refused, and left alone for ever.
pub(crate) struct Kept<T> {
    kept: Option<T>,
    path: PathBuf,
    process: u32,
}

impl<T> Kept<T> {
    pub(crate) fn new(handle: &Handle, kept: T) -> Kept<T> {
        Kept {
            kept: Some(kept),
            path: handle.path.clone(),
            process: handle.process,
        }
    }

    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<&T> {
        let kept = self.kept.as_ref();
        let kept = kept.filter(|_| self.process == std::process::id());
        kept.ok_or_else(|| self.refused(py))
    }

    /// `None` in a child.
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        let kept = self.kept.as_mut();
        kept.filter(|_| self.process == std::process::id())
    }

    /// Gives it away, once; `None` in a child.
    pub(crate) fn take(&mut self) -> Option<T> {
        let own = self.process == std::process::id();
        own.then(|| self.kept.take()).flatten()
    }

    pub(crate) fn refused(&self, py: Python<'_>) -> PyErr {
        forked(py, &self.path)
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            std::mem::forget(self.kept.take());
        }
    }
}

fn lock() -> MutexGuard<'static, Option<HashMap<PathBuf, Opened>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn forked(py: Python<'_>, path: &Path) -> PyErr {
    let message = format!(
        "{} was open when this process was forked: open it in the child alone, \
         or start the child with multiprocessing's \"spawn\"",
        path.display()
    );
    raise(py, "Forked", &message)
}

/// True when this process has a store open at a path that it resolves to.
#[pyfunction]
pub(crate) fn is_open(path: PathBuf) -> bool {
    let process = std::process::id();
    let open = lock();
    let Some(open) = open.as_ref().filter(|open| !open.is_empty()) else {
        return false;
    };
    let Ok(path) = std::fs::canonicalize(path) else {
        return false;
    };
    open.get(&path)
        .is_some_and(|opened| opened.process == process)
}
