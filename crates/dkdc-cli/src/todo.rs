//! `dkdc todo`: the list of `dkdc-todo`, for people and scripts.

use clap::{Args, Subcommand, ValueEnum};
use dkdc_state::{Idx, Versioned};
use dkdc_todo::{DEFAULT_PRIORITY, Edit, Todo, TodoFilter, Todos};

use crate::cli::{AsOf, parse_idx};
use crate::exit::{Failure, Result};
use crate::output::Output;
use crate::records::{self, Restore, say_deleted};
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
Example:
  dkdc todo add 'do your homework' --priority 1 --label school
  dkdc todo ls
  dkdc todo done x7k        (any beginning of an id that only one todo has)";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Add a todo
    #[command(
        after_help = "Example:\n  dkdc todo add 'buy milk' --user ann --label home --label shop"
    )]
    Add(Add),
    /// List todos, the most urgent first
    #[command(after_help = "Example:\n  dkdc todo ls --status done --as-of 'yesterday 14:00'")]
    Ls(Ls),
    /// Show one todo
    #[command(after_help = "Example:\n  dkdc todo show x7k")]
    Show {
        /// Its id, or how that begins
        id: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Change just what is named
    #[command(
        override_usage = "dkdc todo edit [OPTIONS] <ID>",
        after_help = "Example:\n  dkdc todo edit x7k --body 'buy oat milk' --null status"
    )]
    Edit(Edits),
    /// Set a todo's status to done
    #[command(after_help = "Example:\n  dkdc todo done x7k")]
    Done {
        /// Its id, or how that begins
        id: String,
    },
    /// Delete a todo; its history stays
    #[command(after_help = "Example:\n  dkdc todo rm x7k")]
    Rm {
        /// Its id, or how that begins
        id: String,
    },
    /// Every version of a todo, oldest first
    #[command(after_help = "Example:\n  dkdc todo history x7k")]
    History {
        /// Its id, or how that begins; deleted todos count, too
        id: String,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Bring back an earlier version, as a new one
    #[command(
        after_help = "Example:\n  dkdc todo restore x7k --version '2026-11-22 10:00:00.123456'"
    )]
    Restore {
        /// Its id, or how that begins; deleted todos count, too
        id: String,
        /// The idx of the version, as history shows it
        #[arg(long, value_name = "IDX", value_parser = parse_idx)]
        version: Idx,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// What is to be done
    body: String,
    /// Its id [default: five letters and digits of its own]
    #[arg(long)]
    id: Option<String>,
    /// Whose todo it is
    #[arg(long)]
    user: Option<String>,
    /// What it belongs to
    #[arg(long)]
    subject: Option<String>,
    /// A smaller number comes first
    #[arg(long, default_value_t = DEFAULT_PRIORITY, allow_negative_numbers = true)]
    priority: i64,
    /// Any word
    #[arg(long)]
    status: Option<String>,
    /// Whatever else is to be said
    #[arg(long)]
    description: Option<String>,
    /// A label; may be given again
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Ls {
    /// Only this user's
    #[arg(long)]
    user: Option<String>,
    /// Only those with this status
    #[arg(long)]
    status: Option<String>,
    /// Only those with this label
    #[arg(long)]
    label: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<usize>,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Edits {
    /// Its id, or how that begins
    id: String,
    #[command(flatten)]
    changes: Changes,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Changes {
    /// What is to be done
    #[arg(long)]
    body: Option<String>,
    /// Whose todo it is
    #[arg(long)]
    user: Option<String>,
    /// What it belongs to
    #[arg(long)]
    subject: Option<String>,
    /// A smaller number comes first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i64>,
    /// Any word
    #[arg(long)]
    status: Option<String>,
    /// Whatever else is to be said
    #[arg(long)]
    description: Option<String>,
    /// A label, in place of those it has; may be given again
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// What is to be NULL; may be given again
    #[arg(long, value_name = "COLUMN")]
    null: Vec<Nullable>,
}

/// Columns of a todo that may be NULL.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Nullable {
    Body,
    User,
    Subject,
    Status,
    Description,
    Labels,
}

pub(crate) fn run(command: Command, stores: &Stores, output: &mut Output) -> Result<()> {
    match command {
        Command::Add(add) => {
            let todos = Todos::on(&stores.of_app(STORE)?)?;
            one(output, add.to(&todos)?)
        }
        Command::Ls(ls) => list(find(stores)?, ls, output),
        Command::Show { id, as_of } => one(output, show(&having(stores, &id)?, &id, &as_of)?),
        Command::Edit(Edits { id, changes }) => {
            changes.check()?;
            let todos = having(stores, &id)?;
            let id = todos.resolve(&id)?;
            one(output, todos.edit(&id, &changes.into_edit())?)
        }
        Command::Done { id } => {
            let todos = having(stores, &id)?;
            let id = todos.resolve(&id)?;
            one(output, todos.done(&id)?)
        }
        Command::Rm { id } => {
            let todos = having(stores, &id)?;
            let id = todos.resolve(&id)?;
            let deleted = todos.delete(&id)?;
            let restore = Restore::new(stores, "todo", &[&id]);
            let what = format!("todo {id}");
            say_deleted(output, &what, ("id", &id), &restore, &deleted)
        }
        Command::History { id, as_of } => {
            let todos = having(stores, &id)?;
            let id = todos.resolve_with_deleted(&id)?;
            let versions = match as_of.as_of {
                Some(when) => todos.at(when)?.history(&id)?,
                None => todos.history(&id)?,
            };
            output.sheet(records::history(Some(&id), versions))
        }
        Command::Restore { id, version } => {
            let todos = having(stores, &id)?;
            let id = todos.resolve_with_deleted(&id)?;
            one(output, todos.restore(&id, version)?)
        }
    }
}

/// Where todos are when nobody says where.
const STORE: &str = "todo.db";

/// The list, if there is one.
fn find(stores: &Stores) -> Result<Option<Todos>> {
    match stores.of_app_if_there(STORE)? {
        Some(state) => Ok(Todos::find_on(&state)?),
        None => Ok(None),
    }
}

/// The list, which must be there to have this todo.
fn having(stores: &Stores, id: &str) -> Result<Todos> {
    let missing = || dkdc_todo::Error::NotFound { id: id.to_owned() };
    Ok(find(stores)?.ok_or_else(missing)?)
}

fn one(output: &mut Output, todo: Versioned<Todo>) -> Result<()> {
    output.sheet(records::sheet(vec![todo]))
}

fn show(todos: &Todos, id: &str, as_of: &AsOf) -> Result<Versioned<Todo>> {
    Ok(match as_of.as_of {
        Some(when) => {
            let then = todos.at(when)?;
            then.get(&then.resolve(id)?)?
        }
        None => todos.get(&todos.resolve(id)?)?,
    })
}

fn list(todos: Option<Todos>, ls: Ls, output: &mut Output) -> Result<()> {
    let Some(todos) = todos else {
        return output.sheet(records::sheet::<Todo>(Vec::new()));
    };
    let unlimited = ls.limit.is_none();
    let filter = TodoFilter {
        user: ls.user,
        status: ls.status,
        label: ls.label,
        limit: ls.limit.or(output.enough()),
    };
    let mut sheet = match ls.as_of.as_of {
        Some(when) => records::sheet(todos.at(when)?.select(&filter)?),
        None => records::streamed(todos.iter(&filter)?),
    };
    if unlimited {
        // What was fetched need not be all there is.
        sheet.total = None;
    }
    output.sheet(sheet)
}

impl Add {
    fn to(self, todos: &Todos) -> Result<Versioned<Todo>> {
        let named = self.id.is_some();
        let todo = Todo {
            user_id: self.user,
            subject: self.subject,
            priority: self.priority,
            status: self.status,
            description: self.description,
            labels: (!self.labels.is_empty()).then_some(self.labels),
            ..Todo::new(self.id.unwrap_or_default(), self.body)
        };
        // An empty id that was given is refused, not replaced by a good one.
        Ok(if named {
            todos.append(todo)?
        } else {
            todos.add(todo)?
        })
    }
}

impl Changes {
    /// Refuses to give a column a value and take it at once.
    fn check(&self) -> Result<()> {
        let both = |column: &Nullable| match column {
            Nullable::Body => self.body.is_some(),
            Nullable::User => self.user.is_some(),
            Nullable::Subject => self.subject.is_some(),
            Nullable::Status => self.status.is_some(),
            Nullable::Description => self.description.is_some(),
            Nullable::Labels => !self.labels.is_empty(),
        };
        if self.null.iter().any(both) {
            return Err(Failure::usage(
                "--null names a column that is given a value",
            ));
        }
        Ok(())
    }

    fn into_edit(self) -> Edit {
        let mut edit = Edit::new();
        if let Some(body) = &self.body {
            edit = edit.body(body.as_str());
        }
        if let Some(user) = &self.user {
            edit = edit.user_id(user.as_str());
        }
        if let Some(subject) = &self.subject {
            edit = edit.subject(subject.as_str());
        }
        if let Some(priority) = self.priority {
            edit = edit.priority(priority);
        }
        if let Some(status) = &self.status {
            edit = edit.status(status.as_str());
        }
        if let Some(description) = &self.description {
            edit = edit.description(description.as_str());
        }
        if !self.labels.is_empty() {
            edit = edit.labels(self.labels);
        }
        self.null
            .into_iter()
            .fold(edit, |edit, column| match column {
                Nullable::Body => edit.body(None),
                Nullable::User => edit.user_id(None),
                Nullable::Subject => edit.subject(None),
                Nullable::Status => edit.status(None),
                Nullable::Description => edit.description(None),
                Nullable::Labels => edit.labels(None),
            })
    }
}
