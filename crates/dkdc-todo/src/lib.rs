//! A todo list that keeps every version of every todo, on
//! [`dkdc_state`]'s public API only.
//!
//! [`Todos`] is the list, a [`Todo`] is one entry. Whatever is written stays:
//! an update, an edit and a delete are versions, [`Todos::history`] shows them,
//! [`Todos::restore`] brings one back, and [`Todos::at`] reads the list as it
//! was. Calls block; a [`Todos`] may be cloned and shared among threads.
//!
//! ```
//! use dkdc_todo::{Edit, Todo, Todos};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("data.db");
//! let todos = Todos::open(path)?;
//! todos.append(Todo::new("test", "do your homework"))?;
//! todos.update(Todo::new("test", "do your homework!"))?;
//!
//! let list = todos.list(None)?;
//! assert_eq!(list.len(), 1); // the latest version only ...
//! assert_eq!(list[0].body.as_deref(), Some("do your homework!"));
//! assert_eq!(todos.history("test")?.len(), 2); // ... but both are kept
//!
//! // An edit changes just what it names; `add` finds an id.
//! todos.edit("test", &Edit::new().priority(1).labels(vec!["school".to_owned()]))?;
//! let milk = todos.add(Todo::draft("buy milk"))?;
//! todos.done(&milk.id)?;
//! assert_eq!(todos.list(None)?[0].id, "test"); // priority 1 comes before 100
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The records are plain records of a [`State`]: the same file may hold other
//! tables, [`Todos::state`] and [`Todos::table`] lead to everything that
//! `dkdc-state` can do, SQL included.

mod edit;
mod error;
mod id;
mod iter;
mod read;
mod then;
mod todo;
mod todos;

pub use dkdc_state::{ErrorKind, Idx, Moment, Op, State, Table, Version, Versioned};

pub use edit::Edit;
pub use error::{Error, Result};
pub use iter::Iter;
pub use read::TodoFilter;
pub use then::TodosAt;
pub use todo::{DEFAULT_PRIORITY, DONE, Todo};
pub use todos::Todos;
