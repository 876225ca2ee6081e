//! Stores that this process has open, and what a fork does to them.
//!
//! SQLite must not be used, nor closed, in a child on what was opened before the
//! fork: the locks stayed with the parent. So a child's handles refuse, are
//! never dropped, and the files cannot be opened again in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use dkdc_state::{Row, State, Table, TableSchema};
use pyo3::prelude::*;

use crate::errors::{raise, state_error};

/// How many handles of a process each file has: with none, what was made of them may
/// still have it open.
static OPEN: Mutex<Option<HashMap<PathBuf, Opened>>> = Mutex::new(None);

struct Opened {
    process: u32,
    handles: usize,
}

/// A state, until it is closed.
pub(crate) struct Handle {
    open: RwLock<Option<Open>>,
    /// What else keeps the store open.
    kept: Mutex<Vec<Weak<dyn Release>>>,
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
        if open_in_parent(&resolved, process) {
            return Err(forked(py, &resolved));
        }
        let state = py.detach(open).map_err(|error| state_error(py, &error))?;
        let path = state.path().to_owned();
        let mut open = lock();
        let opened = open.get_or_insert_default().entry(path.clone());
        let none = Opened {
            process,
            handles: 0,
        };
        opened.or_insert(none).handles += 1;
        Ok(Handle {
            kept: Mutex::default(),
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
        match open.as_ref() {
            Some(open) => run(open),
            None => Err(closed(py, &self.path)),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.is_some()
    }

    /// Closes this handle and all that was made of it; the file is closed with the last
    /// that uses it.
    pub(crate) fn close(&self) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = open.take() else {
            return;
        };
        if self.is_forked() {
            std::mem::forget(open);
            return;
        }
        let kept = std::mem::take(&mut *self.kept());
        for kept in kept.iter().filter_map(Weak::upgrade) {
            kept.release();
        }
        drop(open);
        if let Some(open) = lock().as_mut()
            && let Some(opened) = open.get_mut(&self.path)
        {
            opened.handles -= 1;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Weak<dyn Release>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn will_release(&self, kept: Weak<dyn Release>) {
        let mut all = self.kept();
        if all.len() == all.capacity() {
            all.retain(|kept| kept.strong_count() > 0);
        }
        all.push(kept);
        drop(all);
        if !self.is_open() {
            // It was closed meanwhile.
            let kept = std::mem::take(&mut *self.kept());
            kept.iter()
                .filter_map(Weak::upgrade)
                .for_each(|kept| kept.release());
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

/// What keeps a store open, until its handle is closed. In a child of the process
/// that opened it, it is refused, and left alone for ever.
pub(crate) struct Kept<T> {
    slot: Arc<Slot<T>>,
    handle: Arc<Handle>,
}

type Slot<T> = Mutex<Option<Arc<T>>>;

/// What can be let go of.
trait Release: Send + Sync {
    fn release(&self);
}

impl<T: Send + Sync> Release for Slot<T> {
    fn release(&self) {
        let kept = self.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever uses it just now drops it.
        drop(kept);
    }
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(crate) fn new(handle: &Arc<Handle>, kept: T) -> Kept<T> {
        let slot = Arc::new(Mutex::new(Some(Arc::new(kept))));
        handle.will_release(Arc::<Slot<T>>::downgrade(&slot));
        Kept {
            slot,
            handle: Arc::clone(handle),
        }
    }

    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<Arc<T>> {
        let path = &self.handle.path;
        if self.handle.is_forked() {
            return Err(forked(py, path));
        }
        self.there().ok_or_else(|| closed(py, path))
    }

    /// The same without Python: `None` when it is refused.
    pub(crate) fn there(&self) -> Option<Arc<T>> {
        if self.handle.is_forked() {
            return None;
        }
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone()
    }
}

impl<T> Kept<T> {
    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        if self.handle.is_forked() {
            std::mem::forget(Arc::clone(&self.slot));
        }
    }
}

fn lock() -> MutexGuard<'static, Option<HashMap<PathBuf, Opened>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// True when the process that this is a child of had a store open when it was forked.
fn open_in_parent(path: &Path, process: u32) -> bool {
    let mut open = lock();
    let Some(open) = open.as_mut() else {
        return false;
    };
    match open.get(path) {
        Some(opened) if opened.process != process => {
            let is_open = opened.handles > 0 || is_used(path);
            if !is_open {
                open.remove(path);
            }
            is_open
        }
        _ => false,
    }
}

/// True while anything has a store open.
fn is_used(path: &Path) -> bool {
    State::open_files().iter().any(|file| file == path)
}

fn closed(py: Python<'_>, path: &Path) -> PyErr {
    raise(py, "Closed", &format!("{} was closed", path.display()))
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
    let mut open = lock();
    let Some(open) = open.as_mut().filter(|open| !open.is_empty()) else {
        return false;
    };
    let Ok(path) = std::fs::canonicalize(path) else {
        return false;
    };
    match open.get(&path) {
        Some(opened) if opened.process == process => {
            let is_open = opened.handles > 0 || is_used(&path);
            if !is_open {
                open.remove(&path);
            }
            is_open
        }
        _ => false,
    }
}
