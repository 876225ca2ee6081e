//! The record: one todo, with the post's columns in the post's order.

use dkdc_state::Record;

/// The table that holds todos.
pub(crate) const TABLE: &str = "todos";

/// The priority of a todo that names none; a smaller number comes first.
pub const DEFAULT_PRIORITY: i64 = 100;

/// The status that [`Todos::done`](crate::Todos::done) sets.
pub const DONE: &str = "done";

/// One todo. `None` is SQL's NULL.
///
/// ```
/// use dkdc_todo::Todo;
/// let todo = Todo {
///     subject: Some("school".to_owned()),
///     ..Todo::new("test", "do your homework")
/// };
/// assert_eq!(todo.priority, 100);
/// assert_eq!(todo.status, None);
/// ```
#[derive(Record, Clone, Debug, PartialEq, Eq)]
#[record(
    table = "todos",
    index(priority, idx desc),
    index(user_id, priority, idx desc),
    index(status, priority, idx desc)
)]
pub struct Todo {
    /// The key: 1 byte to 1 KiB. Empty in a [draft](Todo::draft) only.
    #[record(id)]
    pub id: String,
    /// Whose todo it is.
    pub user_id: Option<String>,
    /// What it belongs to.
    pub subject: Option<String>,
    /// What is to be done.
    pub body: Option<String>,
    /// A smaller number comes first.
    #[record(default = DEFAULT_PRIORITY)]
    pub priority: i64,
    /// Any word; [`DONE`] is the only one that this crate writes.
    pub status: Option<String>,
    /// Whatever else is to be said.
    pub description: Option<String>,
    /// Any labels, commas and all.
    pub labels: Option<Vec<String>>,
}

impl Todo {
    /// A todo with this id and body, the default priority, and nothing else.
    #[must_use]
    pub fn new(id: impl Into<String>, body: impl Into<String>) -> Todo {
        Todo {
            id: id.into(),
            user_id: None,
            subject: None,
            body: Some(body.into()),
            priority: DEFAULT_PRIORITY,
            status: None,
            description: None,
            labels: None,
        }
    }

    /// A todo without an id, for [`Todos::add`](crate::Todos::add), which makes
    /// one.
    #[must_use]
    pub fn draft(body: impl Into<String>) -> Todo {
        Todo::new("", body)
    }
}
