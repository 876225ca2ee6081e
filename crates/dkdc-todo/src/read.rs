//! Reading todos, now or as of a moment, by the same code.
//!
//! Every filter here is about current records, so it comes after "latest": a
//! todo that was reassigned is in nobody's list but its new user's.

use dkdc_state::{Select, SnapshotTable, Table, Versioned};

use crate::error::{Error, Result};
use crate::todo::Todo;

/// Which todos to list; the default is all of them.
///
/// ```
/// use dkdc_todo::TodoFilter;
/// let filter = TodoFilter {
///     user: Some("ann".to_owned()),
///     limit: Some(20),
///     ..TodoFilter::default()
/// };
/// # assert_eq!(filter.status, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TodoFilter {
    /// Only this user's; `None`: everyone's.
    pub user: Option<String>,
    /// Only those with this status; `None`: whatever their status.
    pub status: Option<String>,
    /// Only those that have this label among theirs.
    pub label: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl TodoFilter {
    /// Ordered as the post orders todos: an index serves it, with or without a
    /// user.
    pub(crate) fn select(&self) -> Select {
        let mut select = Select::new().order("priority").order_desc("idx");
        if let Some(user) = &self.user {
            select = select.eq("user_id", user);
        }
        if let Some(status) = &self.status {
            select = select.eq("status", status);
        }
        if let Some(label) = &self.label {
            select = select.has("labels", label);
        }
        if let Some(limit) = self.limit {
            select = select.limit(limit);
        }
        select
    }
}

/// Where todos are read: the table as it is, or a snapshot of it.
pub(crate) trait Source {
    fn one(&self, id: &str) -> dkdc_state::Result<Option<Versioned<Todo>>>;
    fn many(&self, select: &Select) -> dkdc_state::Result<Vec<Versioned<Todo>>>;
    fn versions(&self, id: &str) -> dkdc_state::Result<Vec<Versioned<Option<Todo>>>>;
    fn beginning(&self, prefix: &str, limit: usize) -> dkdc_state::Result<Vec<String>>;
}

macro_rules! source {
    ($table:ty) => {
        impl Source for $table {
            fn one(&self, id: &str) -> dkdc_state::Result<Option<Versioned<Todo>>> {
                self.get(id)
            }

            fn many(&self, select: &Select) -> dkdc_state::Result<Vec<Versioned<Todo>>> {
                self.list(select)
            }

            fn versions(&self, id: &str) -> dkdc_state::Result<Vec<Versioned<Option<Todo>>>> {
                self.history(id)
            }

            fn beginning(&self, prefix: &str, limit: usize) -> dkdc_state::Result<Vec<String>> {
                self.ids(prefix, limit)
            }
        }
    };
}

source!(Table<Todo>);
source!(SnapshotTable<Todo>);

pub(crate) fn find(
    source: &impl Source,
    id: &str,
    user: Option<&str>,
) -> Result<Option<Versioned<Todo>>> {
    let found = source.one(id)?;
    Ok(found.filter(|todo| user.is_none() || todo.user_id.as_deref() == user))
}

pub(crate) fn get(source: &impl Source, id: &str) -> Result<Versioned<Todo>> {
    source.one(id)?.ok_or_else(|| not_found(id))
}

pub(crate) fn select(source: &impl Source, filter: &TodoFilter) -> Result<Vec<Versioned<Todo>>> {
    Ok(source.many(&filter.select())?)
}

pub(crate) fn list(source: &impl Source, user: Option<&str>) -> Result<Vec<Versioned<Todo>>> {
    let filter = TodoFilter {
        user: user.map(str::to_owned),
        ..TodoFilter::default()
    };
    select(source, &filter)
}

pub(crate) fn history(source: &impl Source, id: &str) -> Result<Vec<Versioned<Option<Todo>>>> {
    let versions = source.versions(id)?;
    if versions.is_empty() {
        return Err(not_found(id));
    }
    Ok(versions)
}

pub(crate) fn resolve(source: &impl Source, prefix: &str) -> Result<String> {
    check_prefix(prefix)?;
    if source.one(prefix)?.is_some() {
        return Ok(prefix.to_owned());
    }
    only_one(prefix, source.beginning(prefix, ENOUGH)?)
}

/// The same over current and deleted todos.
pub(crate) fn resolve_with_deleted(table: &Table<Todo>, prefix: &str) -> Result<String> {
    check_prefix(prefix)?;
    if !table.history(prefix)?.is_empty() {
        return Ok(prefix.to_owned());
    }
    let mut ids = table.ids(prefix, ENOUGH)?;
    // Ids that begin with the prefix are the first that are not below it.
    let from_prefix = Select::new().ge("id", prefix).order("id").limit(ENOUGH);
    let deleted = table.list_deleted(&from_prefix)?.into_iter();
    let deleted = deleted.map(|todo| todo.record.id);
    ids.extend(deleted.filter(|id| id.starts_with(prefix)));
    ids.sort_unstable();
    only_one(prefix, ids)
}

/// How many ids an ambiguous prefix lists at most.
const CANDIDATES: usize = 10;

/// One more, to know whether there are more.
const ENOUGH: usize = CANDIDATES + 1;

/// Every id begins with nothing; a forgotten argument must not mean the only
/// todo there is.
fn check_prefix(prefix: &str) -> Result<()> {
    if prefix.is_empty() {
        return Err(Error::State(dkdc_state::Error::InvalidId {
            table: crate::todo::TABLE.to_owned(),
            len: 0,
        }));
    }
    Ok(())
}

fn only_one(prefix: &str, mut ids: Vec<String>) -> Result<String> {
    match (ids.pop(), ids.is_empty()) {
        (None, _) => Err(not_found(prefix)),
        (Some(id), true) => Ok(id),
        (Some(last), false) => {
            ids.push(last);
            let more = ids.len() > CANDIDATES;
            ids.truncate(CANDIDATES);
            Err(Error::Ambiguous {
                prefix: prefix.to_owned(),
                candidates: ids,
                more,
            })
        }
    }
}

fn not_found(id: &str) -> Error {
    Error::NotFound { id: id.to_owned() }
}
