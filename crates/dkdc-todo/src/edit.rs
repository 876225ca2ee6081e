//! What an edit changes: the columns that it names, and no others.

use crate::todo::Todo;

/// Changes to some columns of a todo, for [`Todos::edit`](crate::Todos::edit).
///
/// A column that is not named keeps its value. Columns that may be NULL take a
/// value or `None`.
///
/// ```
/// use dkdc_todo::Edit;
/// let edit = Edit::new().body("buy oat milk").priority(5).status(None);
/// assert!(!edit.is_empty());
/// assert!(Edit::new().is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    // The outer `None`: not named. The inner one: NULL.
    user_id: Option<Option<String>>,
    subject: Option<Option<String>>,
    body: Option<Option<String>>,
    priority: Option<i64>,
    status: Option<Option<String>>,
    description: Option<Option<String>>,
    labels: Option<Option<Vec<String>>>,
}

impl Edit {
    /// An edit that names nothing.
    #[must_use]
    pub fn new() -> Edit {
        Edit::default()
    }

    /// Names the user: a reassigned todo leaves the old user's list.
    #[must_use]
    pub fn user_id<'a>(mut self, user_id: impl Into<Option<&'a str>>) -> Edit {
        self.user_id = Some(user_id.into().map(str::to_owned));
        self
    }

    /// Names the subject.
    #[must_use]
    pub fn subject<'a>(mut self, subject: impl Into<Option<&'a str>>) -> Edit {
        self.subject = Some(subject.into().map(str::to_owned));
        self
    }

    /// Names the body.
    #[must_use]
    pub fn body<'a>(mut self, body: impl Into<Option<&'a str>>) -> Edit {
        self.body = Some(body.into().map(str::to_owned));
        self
    }

    /// Names the priority.
    #[must_use]
    pub fn priority(mut self, priority: i64) -> Edit {
        self.priority = Some(priority);
        self
    }

    /// Names the status.
    #[must_use]
    pub fn status<'a>(mut self, status: impl Into<Option<&'a str>>) -> Edit {
        self.status = Some(status.into().map(str::to_owned));
        self
    }

    /// Names the description.
    #[must_use]
    pub fn description<'a>(mut self, description: impl Into<Option<&'a str>>) -> Edit {
        self.description = Some(description.into().map(str::to_owned));
        self
    }

    /// Names the labels, all of them.
    #[must_use]
    pub fn labels(mut self, labels: impl Into<Option<Vec<String>>>) -> Edit {
        self.labels = Some(labels.into());
        self
    }

    /// True when nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Edit::default()
    }

    pub(crate) fn apply(&self, todo: &mut Todo) {
        set(&mut todo.user_id, self.user_id.as_ref());
        set(&mut todo.subject, self.subject.as_ref());
        set(&mut todo.body, self.body.as_ref());
        set(&mut todo.priority, self.priority.as_ref());
        set(&mut todo.status, self.status.as_ref());
        set(&mut todo.description, self.description.as_ref());
        set(&mut todo.labels, self.labels.as_ref());
    }
}

fn set<T: Clone>(column: &mut T, named: Option<&T>) {
    if let Some(value) = named {
        column.clone_from(value);
    }
}
