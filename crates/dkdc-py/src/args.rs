//! Arguments: what is not of the type that is meant is `errors.Invalid`, in words
//! that say what was meant.

use std::path::PathBuf;

use pyo3::prelude::*;

use crate::errors::raise;
use crate::value::shown;

/// The value that something given is, or [`raise`]s that it is not.
pub(crate) fn extracted<'a, 'py, T: FromPyObject<'a, 'py>>(
    given: Borrowed<'a, 'py, PyAny>,
    meant: &str,
) -> PyResult<T> {
    given.extract().map_err(|_| {
        let found = shown(&given);
        raise(given.py(), "Invalid", &format!("{meant}, not {found}"))
    })
}

macro_rules! argument {
    ($(#[$doc:meta])* $name:ident($inner:ty), $meant:literal) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(crate) $inner);

        impl<'py> FromPyObject<'_, 'py> for $name {
            type Error = PyErr;

            fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<$name> {
                extracted(given, $meant).map($name)
            }
        }
    };
}

argument!(
    /// The key of a record.
    Id(String),
    "an id is a str of UTF-8"
);
argument!(
    /// The key of a request.
    Key(String),
    "a request's key is a str of UTF-8"
);
argument!(
    /// The name of a table.
    TableName(String),
    "a table's name is a str"
);
argument!(
    /// How columns are declared: name, type, whether it is required.
    Columns(Vec<(String, String, bool)>),
    "a column's name is a str of UTF-8"
);
argument!(
    /// Names of columns to order by.
    Order(Vec<String>),
    "an order is names of columns"
);
argument!(
    /// The most records to list.
    Limit(usize),
    "a limit is a whole number, 0 or more"
);
argument!(
    /// The names of tables.
    TableNames(Vec<String>),
    "tables are named by a str or a list of them"
);
argument!(
    /// The name of a file.
    FileName(String),
    "a filename is a str of UTF-8"
);
argument!(
    /// Whose a file is, or in which path.
    Part(Option<String>),
    "a user or path is a str of UTF-8, or None"
);
argument!(
    /// A path in the lake.
    Path(String),
    "a path is a str of UTF-8"
);
argument!(
    /// What files' names are compared with.
    Pattern(String),
    "a pattern is a str"
);
argument!(
    /// Where a store is.
    StorePath(PathBuf),
    "dbpath is a str or a path"
);
argument!(
    /// Whether or not.
    Flag(bool),
    "create and read_only are True or False"
);
argument!(
    /// How durable a commit is, by its name.
    Level(String),
    "durability is \"full\" or \"relaxed\""
);
argument!(
    /// A time to wait.
    Seconds(f64),
    "busy_timeout is seconds"
);
