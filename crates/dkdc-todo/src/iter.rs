//! A list that is read as it is walked through: a page in memory at a time, as
//! long as nobody writes.
//!
//! What must hold: the todos are those of one moment. Pages are read by the
//! index of the current todos as long as nobody writes; once somebody has, the
//! rest comes from a snapshot at once, which takes no index but does not move.

use std::vec::IntoIter;

use dkdc_state::{Idx, Select, Snapshot, Versioned};

use crate::error::Result;
use crate::read::{Source, TodoFilter};
use crate::todo::Todo;
use crate::todos::Todos;

/// Todos that are read at a time.
const PAGE: usize = 1000;

/// The todos that pass a filter, in order; made by [`Todos::iter`].
#[derive(Debug)]
pub struct Iter {
    todos: Todos,
    snapshot: Snapshot,
    filter: TodoFilter,
    /// How many are still to be read; `None`: all that there are.
    left: Option<usize>,
    /// Where the last one read stands in the order.
    after: Option<(i64, Idx)>,
    page: IntoIter<Versioned<Todo>>,
    done: bool,
}

impl Iter {
    pub(crate) fn new(todos: Todos, filter: &TodoFilter) -> Result<Iter> {
        Ok(Iter {
            snapshot: todos.state().snapshot()?,
            todos,
            filter: TodoFilter {
                limit: None,
                ..filter.clone()
            },
            left: filter.limit,
            after: None,
            page: Vec::new().into_iter(),
            done: false,
        })
    }

    /// Reads on; what is read is no longer to be read.
    fn read(&mut self) -> Result<()> {
        let wanted = self.left.map_or(PAGE, |left| left.min(PAGE));
        let mut page = self.from(self.todos.table(), Some(wanted))?;
        self.done = page.len() < wanted || wanted == 0;
        if self.todos.state().last()? != self.snapshot.idx() {
            page = self.from(&self.snapshot.table::<Todo>()?, self.left)?;
            self.done = true;
        }
        if let Some(last) = page.last() {
            self.after = Some((last.priority, last.idx()));
        }
        self.left = self.left.map(|left| left - page.len());
        self.page = page.into_iter();
        Ok(())
    }

    /// At most so many of those that come next: first the rest of the priority
    /// last read, then what comes behind it.
    fn from(&self, source: &impl Source, limit: Option<usize>) -> Result<Vec<Versioned<Todo>>> {
        let limited = |select: Select, read: usize| match limit {
            Some(limit) => select.limit(limit - read),
            None => select,
        };
        let Some((priority, idx)) = self.after else {
            return Ok(source.many(&limited(self.filter.select(), 0))?);
        };
        let rest = self.filter.select().eq("priority", priority);
        let rest = rest.lt("idx", idx.as_micros());
        let mut page = source.many(&limited(rest, 0))?;
        if let Some(next) = priority.checked_add(1)
            && limit.is_none_or(|limit| page.len() < limit)
        {
            let behind = self.filter.select().ge("priority", next);
            page.extend(source.many(&limited(behind, page.len()))?);
        }
        Ok(page)
    }
}

impl Iterator for Iter {
    type Item = Result<Versioned<Todo>>;

    fn next(&mut self) -> Option<Result<Versioned<Todo>>> {
        loop {
            if let Some(todo) = self.page.next() {
                return Some(Ok(todo));
            }
            if self.done {
                return None;
            }
            if let Err(error) = self.read() {
                self.done = true;
                return Some(Err(error));
            }
        }
    }
}
