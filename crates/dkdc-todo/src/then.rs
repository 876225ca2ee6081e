//! The list as it was: every read of [`Todos`](crate::Todos), for one moment.

use dkdc_state::{Idx, Snapshot, SnapshotTable, Versioned};

use crate::error::Result;
use crate::read::{self, TodoFilter};
use crate::todo::Todo;

/// Todos as of one moment; made by [`Todos::at`](crate::Todos::at).
///
/// What is written later does not change what it answers.
#[derive(Debug)]
pub struct TodosAt {
    snapshot: Snapshot,
    table: SnapshotTable<Todo>,
}

impl TodosAt {
    pub(crate) fn new(snapshot: Snapshot) -> Result<TodosAt> {
        let table = snapshot.table::<Todo>()?;
        Ok(TodosAt { snapshot, table })
    }

    /// The newest version that this reads: what the moment resolved to.
    #[must_use]
    pub fn idx(&self) -> Idx {
        self.snapshot.idx()
    }

    /// The whole snapshot, for other tables and for SQL at the same moment.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// As [`Todos::get`](crate::Todos::get).
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there was none then.
    pub fn get(&self, id: &str) -> Result<Versioned<Todo>> {
        read::get(&self.table, id)
    }

    /// As [`Todos::find`](crate::Todos::find).
    ///
    /// # Errors
    /// The state's errors.
    pub fn find(&self, id: &str, user: Option<&str>) -> Result<Option<Versioned<Todo>>> {
        read::find(&self.table, id, user)
    }

    /// As [`Todos::contains`](crate::Todos::contains).
    ///
    /// # Errors
    /// The state's errors.
    pub fn contains(&self, id: &str, user: Option<&str>) -> Result<bool> {
        Ok(self.find(id, user)?.is_some())
    }

    /// As [`Todos::list`](crate::Todos::list).
    ///
    /// # Errors
    /// The state's errors.
    pub fn list(&self, user: Option<&str>) -> Result<Vec<Versioned<Todo>>> {
        read::list(&self.table, user)
    }

    /// As [`Todos::select`](crate::Todos::select).
    ///
    /// # Errors
    /// The state's errors.
    pub fn select(&self, filter: &TodoFilter) -> Result<Vec<Versioned<Todo>>> {
        read::select(&self.table, filter)
    }

    /// As [`Todos::history`](crate::Todos::history), up to this moment.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there was no such todo
    /// until then.
    pub fn history(&self, id: &str) -> Result<Vec<Versioned<Option<Todo>>>> {
        read::history(&self.table, id)
    }

    /// As [`Todos::resolve`](crate::Todos::resolve), among the todos of this
    /// moment.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound),
    /// [`Error::Ambiguous`](crate::Error::Ambiguous).
    pub fn resolve(&self, prefix: &str) -> Result<String> {
        read::resolve(&self.table, prefix)
    }
}
