//! The list: every write, and every read of what is current.

use std::path::Path;

use dkdc_state::{Idx, Moment, State, Table, Version, Versioned};

use crate::edit::Edit;
use crate::error::{Error, Result};
use crate::id;
use crate::iter::Iter;
use crate::read::{self, TodoFilter};
use crate::then::TodosAt;
use crate::todo::{DONE, Todo};

/// A todo list in a store. Cloning it is cheap; clones share the store.
///
/// Every write is durable when it returns. All errors not named are the
/// state's, as [`Error::State`].
#[derive(Clone, Debug)]
pub struct Todos {
    state: State,
    table: Table<Todo>,
}

impl Todos {
    /// Opens the list in the store at `path`; a store that is not there yet is
    /// made, its folder is not.
    ///
    /// # Errors
    /// The state's errors: a file that is no store, a folder without write
    /// permission, a table `todos` of another shape.
    pub fn open(path: impl AsRef<Path>) -> Result<Todos> {
        Todos::on(&State::open(path)?)
    }

    /// The list in a store that is open already, beside whatever else it holds.
    ///
    /// ```
    /// use dkdc_todo::{State, Todo, Todos};
    /// # let folder = tempfile::tempdir()?;
    /// let state = State::open(folder.path().join("data.db"))?;
    /// let todos = Todos::on(&state)?;
    /// todos.append(Todo::new("test", "do your homework"))?;
    /// assert_eq!(state.tables()?[0].name, "todos");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors, as for [`Todos::open`].
    pub fn on(state: &State) -> Result<Todos> {
        Ok(Todos {
            state: state.clone(),
            table: state.table::<Todo>()?,
        })
    }

    /// The list in a store that is open already, if it has one: for those who
    /// only read, since nothing is declared.
    ///
    /// ```
    /// use dkdc_todo::{State, Todos};
    /// # let folder = tempfile::tempdir()?;
    /// let state = State::open(folder.path().join("data.db"))?;
    /// assert!(Todos::find_on(&state)?.is_none());
    /// assert!(state.tables()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors: a table `todos` of another shape.
    pub fn find_on(state: &State) -> Result<Option<Todos>> {
        let table = state.find_table::<Todo>()?;
        Ok(table.map(|table| Todos {
            state: state.clone(),
            table,
        }))
    }

    /// The store.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The table `todos`, for what this handle has no words for.
    #[must_use]
    pub fn table(&self) -> &Table<Todo> {
        &self.table
    }

    /// Appends a todo that is not there yet.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when a current todo has the id.
    pub fn append(&self, todo: Todo) -> Result<Versioned<Todo>> {
        let version = self.table.append(&todo)?;
        Ok(Versioned {
            version,
            record: todo,
        })
    }

    /// Appends a todo, with an id of its own making when it has none
    /// ([`Todo::draft`]).
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when an id is given and a current todo has it.
    pub fn add(&self, mut todo: Todo) -> Result<Versioned<Todo>> {
        if !todo.id.is_empty() {
            return self.append(todo);
        }
        loop {
            todo.id = self.new_id()?;
            match self.table.append(&todo).map_err(Error::from) {
                Ok(version) => {
                    return Ok(Versioned {
                        version,
                        record: todo,
                    });
                }
                // Somebody took the id just now: another one.
                Err(Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A random id that no todo has or had: five digits and letters, none that
    /// look alike. (One more, once short ids have become rare.)
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let todos = dkdc_todo::Todos::open(folder.path().join("data.db"))?;
    /// assert_eq!(todos.new_id()?.len(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn new_id(&self) -> Result<String> {
        let mut clashes = 0;
        loop {
            let id = id::random(id::length_after(clashes))?;
            // Deleted ones too: a new todo does not continue another's history.
            if self.table.history(&id)?.is_empty() {
                return Ok(id);
            }
            clashes += 1;
        }
    }

    /// Replaces the whole todo: what is `None` becomes NULL. To change just
    /// some of it, [`edit`](Todos::edit).
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current todo has the id.
    pub fn update(&self, todo: Todo) -> Result<Versioned<Todo>> {
        let version = self.table.update(&todo)?;
        Ok(Versioned {
            version,
            record: todo,
        })
    }

    /// Changes just what the edit names. When nothing changes by it, nothing
    /// is written, and the current version is returned.
    ///
    /// ```
    /// use dkdc_todo::{Edit, Todo, Todos};
    /// # let folder = tempfile::tempdir()?;
    /// # let todos = Todos::open(folder.path().join("data.db"))?;
    /// todos.append(Todo { priority: 1, ..Todo::new("milk", "buy milk") })?;
    /// let edited = todos.edit("milk", &Edit::new().body("buy oat milk"))?;
    /// assert_eq!(edited.priority, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current todo has the id.
    pub fn edit(&self, id: &str, edit: &Edit) -> Result<Versioned<Todo>> {
        loop {
            let current = self.get(id)?;
            let mut record = current.record.clone();
            edit.apply(&mut record);
            if record == current.record {
                return Ok(current);
            }
            match self.table.update_if(&record, current.idx()) {
                Ok(version) => return Ok(Versioned { version, record }),
                // Somebody wrote since it was read: the same edit on top.
                Err(dkdc_state::Error::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sets the status to [`DONE`]; a todo that is done stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current todo has the id.
    pub fn done(&self, id: &str) -> Result<Versioned<Todo>> {
        self.edit(id, &Edit::new().status(DONE))
    }

    /// Deletes a todo; its history stays.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current todo has the id.
    pub fn delete(&self, id: &str) -> Result<Version> {
        Ok(self.table.delete(id)?)
    }

    /// Gives a todo, current or deleted, the values of one of its earlier
    /// versions: a new version.
    ///
    /// ```
    /// use dkdc_todo::{Todo, Todos};
    /// # let folder = tempfile::tempdir()?;
    /// # let todos = Todos::open(folder.path().join("data.db"))?;
    /// let first = todos.append(Todo::new("milk", "buy milk"))?;
    /// todos.delete("milk")?;
    /// todos.restore("milk", first.idx())?;
    /// assert_eq!(todos.get("milk")?.body.as_deref(), Some("buy milk"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there never was such a todo,
    /// [`dkdc_state::Error::NoSuchVersion`] when it has no such version.
    pub fn restore(&self, id: &str, idx: Idx) -> Result<Versioned<Todo>> {
        self.history(id)?;
        let version = self.table.restore(id, idx)?;
        let restored = self.table.version(id, version.idx)?;
        restored
            .and_then(|restored| restored.record)
            .map(|record| Versioned { version, record })
            .ok_or_else(|| Error::NotFound { id: id.to_owned() })
    }

    /// The current version of a todo.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no current todo has the id.
    pub fn get(&self, id: &str) -> Result<Versioned<Todo>> {
        read::get(&self.table, id)
    }

    /// The current version of a todo, if there is one and it is this user's;
    /// `None`: anyone's.
    ///
    /// # Errors
    /// The state's errors.
    pub fn find(&self, id: &str, user: Option<&str>) -> Result<Option<Versioned<Todo>>> {
        read::find(&self.table, id, user)
    }

    /// True when there is such a todo now and it is this user's; `None`:
    /// anyone's.
    ///
    /// # Errors
    /// The state's errors.
    pub fn contains(&self, id: &str, user: Option<&str>) -> Result<bool> {
        Ok(self.find(id, user)?.is_some())
    }

    /// This user's current todos, or everyone's: by priority, ascending, and
    /// the newest version first among equals.
    ///
    /// # Errors
    /// The state's errors.
    pub fn list(&self, user: Option<&str>) -> Result<Vec<Versioned<Todo>>> {
        read::list(&self.table, user)
    }

    /// The current todos that pass a filter, in the same order as
    /// [`list`](Todos::list).
    ///
    /// ```
    /// use dkdc_todo::{Todo, TodoFilter, Todos};
    /// # let folder = tempfile::tempdir()?;
    /// # let todos = Todos::open(folder.path().join("data.db"))?;
    /// todos.append(Todo::new("milk", "buy milk"))?;
    /// todos.append(Todo::new("bread", "buy bread"))?;
    /// todos.done("milk")?;
    /// let done = TodoFilter {
    ///     status: Some("done".to_owned()),
    ///     ..TodoFilter::default()
    /// };
    /// assert_eq!(todos.select(&done)?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors.
    pub fn select(&self, filter: &TodoFilter) -> Result<Vec<Versioned<Todo>>> {
        read::select(&self.table, filter)
    }

    /// The same, read as it is walked through: memory does not grow with the
    /// list, unless somebody writes to the store meanwhile. The todos are those
    /// of the moment of this call.
    ///
    /// ```
    /// use dkdc_todo::{Todo, TodoFilter, Todos};
    /// # let folder = tempfile::tempdir()?;
    /// # let todos = Todos::open(folder.path().join("data.db"))?;
    /// todos.append(Todo::new("milk", "buy milk"))?;
    /// for todo in todos.iter(&TodoFilter::default())? {
    ///     assert_eq!(todo?.id, "milk");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The state's errors, here and in the items.
    pub fn iter(&self, filter: &TodoFilter) -> Result<Iter> {
        Iter::new(self.clone(), filter)
    }

    /// Every version of a todo, oldest first; a delete holds no record.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there never was such a todo.
    pub fn history(&self, id: &str) -> Result<Vec<Versioned<Option<Todo>>>> {
        read::history(&self.table, id)
    }

    /// The id of the one current todo whose id begins with `prefix`. An id
    /// given in full always means itself, even when longer ones begin with it.
    ///
    /// ```
    /// use dkdc_todo::{Todo, Todos};
    /// # let folder = tempfile::tempdir()?;
    /// # let todos = Todos::open(folder.path().join("data.db"))?;
    /// todos.append(Todo::new("milk", "buy milk"))?;
    /// assert_eq!(todos.resolve("m")?, "milk");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ambiguous`] with the candidates;
    /// [`dkdc_state::Error::InvalidId`] for an empty prefix.
    pub fn resolve(&self, prefix: &str) -> Result<String> {
        read::resolve(&self.table, prefix)
    }

    /// The same over current and deleted todos: for
    /// [`history`](Todos::history) and [`restore`](Todos::restore).
    ///
    /// # Errors
    /// As [`resolve`](Todos::resolve).
    pub fn resolve_with_deleted(&self, prefix: &str) -> Result<String> {
        read::resolve_with_deleted(&self.table, prefix)
    }

    /// The list as it was at a moment, for reading.
    ///
    /// ```
    /// use dkdc_todo::{Moment, Todo, Todos};
    /// # let folder = tempfile::tempdir()?;
    /// # let todos = Todos::open(folder.path().join("data.db"))?;
    /// let first = todos.append(Todo::new("milk", "buy milk"))?;
    /// todos.delete("milk")?;
    /// assert!(todos.at(Moment::Idx(first.idx()))?.contains("milk", None)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`dkdc_state::Error::OutsideHistory`] for a moment before the list, or
    /// after both now and the last version.
    pub fn at(&self, when: Moment) -> Result<TodosAt> {
        TodosAt::new(self.state.at(when)?)
    }
}
