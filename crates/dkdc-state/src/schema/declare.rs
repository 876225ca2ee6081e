//! Tables as a caller declares them, and what no table can have.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::json::default_reads_back;
use super::{ColumnType, TableSchema};
use crate::error::{Error, Result};
use crate::record::Value;

/// A column, as a caller declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ColumnType,
    /// True when every live record must have a value.
    pub required: bool,
    /// What a record has that was written without this column. A column that is
    /// in the store already keeps the default it was made with.
    pub default: Option<Value>,
    /// An earlier name: a stored column with it is renamed.
    pub was: Option<String>,
}

impl ColumnDef {
    /// An optional column without a default.
    #[must_use]
    pub fn new(name: impl Into<String>, ty: ColumnType) -> ColumnDef {
        ColumnDef {
            name: name.into(),
            ty,
            required: false,
            default: None,
            was: None,
        }
    }

    /// The same column, required.
    #[must_use]
    pub fn required(mut self) -> ColumnDef {
        self.required = true;
        self
    }

    /// The same column with a default.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> ColumnDef {
        self.default = Some(value.into());
        self
    }

    /// The same column, renamed from `name`.
    #[must_use]
    pub fn was(mut self, name: impl Into<String>) -> ColumnDef {
        self.was = Some(name.into());
        self
    }
}

/// An index over current records, as a caller declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDef {
    /// The columns, in order; `id` and `idx` may be among them.
    pub columns: Vec<IndexColumn>,
    /// `None`: not unique.
    pub unique: Option<Nulls>,
}

/// One column of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexColumn {
    /// The column's name.
    pub name: String,
    /// True when the index orders it from the greatest to the least.
    pub descending: bool,
}

/// How a unique constraint treats NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nulls {
    /// NULLs may repeat, as in SQL.
    Distinct,
    /// NULL is a value as any other.
    Equal,
}

impl IndexDef {
    /// An index over `columns`; a name that begins with `-` is descending.
    ///
    /// ```
    /// use dkdc_state::IndexDef;
    /// let index = IndexDef::new(["priority", "-idx"]);
    /// assert!(index.columns[1].descending);
    /// ```
    pub fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> IndexDef {
        let columns = columns
            .into_iter()
            .map(|name| IndexColumn {
                name: name.strip_prefix('-').unwrap_or(name).to_owned(),
                descending: name.starts_with('-'),
            })
            .collect();
        IndexDef {
            columns,
            unique: None,
        }
    }

    /// The same columns, unique over current records.
    #[must_use]
    pub fn unique(mut self, nulls: Nulls) -> IndexDef {
        self.unique = Some(nulls);
        self
    }
}

/// A table, as a caller declares it.
///
/// ```
/// use dkdc_state::{ColumnDef, ColumnType, IndexDef, TableDef};
/// let table = TableDef::new("people")
///     .column(ColumnDef::new("name", ColumnType::Text).required())
///     .column(ColumnDef::new("born", ColumnType::Date))
///     .index(IndexDef::new(["born"]));
/// assert_eq!(table.columns.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TableDef {
    /// The table's name.
    pub name: String,
    /// The columns besides the id.
    pub columns: Vec<ColumnDef>,
    /// The indexes and unique constraints.
    pub indexes: Vec<IndexDef>,
}

impl TableDef {
    /// A table without columns.
    #[must_use]
    pub fn new(name: impl Into<String>) -> TableDef {
        TableDef {
            name: name.into(),
            columns: Vec::new(),
            indexes: Vec::new(),
        }
    }

    /// The same table with one more column.
    #[must_use]
    pub fn column(mut self, column: ColumnDef) -> TableDef {
        self.columns.push(column);
        self
    }

    /// The same table with one more index.
    #[must_use]
    pub fn index(mut self, index: IndexDef) -> TableDef {
        self.indexes.push(index);
        self
    }

    /// The table as a store would have it right after its creation.
    ///
    /// # Errors
    /// [`Error::InvalidSchema`] for a declaration that no table can have.
    pub fn to_schema(&self) -> Result<TableSchema> {
        super::evolve::create(0, self)
    }

    /// Refuses names, types and defaults that no table can have.
    pub(crate) fn check(&self) -> Result<()> {
        check_table_name(&self.name)?;
        let refuse = |why: String| {
            Err(Error::InvalidSchema {
                table: self.name.clone(),
                why,
            })
        };
        if self.columns.len() > MOST_COLUMNS {
            return refuse(format!(
                "{} columns are too many: a table has at most {MOST_COLUMNS}",
                self.columns.len()
            ));
        }
        let mut seen = HashSet::new();
        for column in &self.columns {
            if let Err(why) = check_column_name(&column.name) {
                return refuse(why);
            }
            // SQLite and DuckDB tell names apart without case.
            if !seen.insert(column.name.to_lowercase()) {
                return refuse(format!("column {} is declared twice", column.name));
            }
            if let Some(default) = &column.default {
                let why = match default.clone().check(column.ty) {
                    Ok(default) if default_reads_back(&default) => continue,
                    Ok(default) => format!("{} cannot be one", default.describe()),
                    Err(error) => error.to_string(),
                };
                return refuse(format!("the default of column {}: {why}", column.name));
            }
        }
        for index in &self.indexes {
            if index.columns.is_empty() {
                return refuse("an index needs at least one column".to_owned());
            }
            for (at, IndexColumn { name, .. }) in index.columns.iter().enumerate() {
                if index.columns[..at]
                    .iter()
                    .any(|before| before.name == *name)
                {
                    return refuse(format!("an index names column {name} twice"));
                }
                let declared = self.columns.iter().find(|c| c.name == *name);
                match declared.map(|column| column.ty) {
                    None if name == "id" || (name == "idx" && index.unique.is_none()) => {}
                    None => return refuse(format!("the index names no column: {name}")),
                    Some(ColumnType::Json | ColumnType::List(_)) => {
                        return refuse(format!("column {name} is of a type without an order"));
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// SQLite's 2,000, less what the log itself has in every table.
const MOST_COLUMNS: usize = 1990;

/// Names the log itself uses in every table.
pub(crate) const RESERVED: [&str; 4] = ["id", "idx", "op", "prev"];

fn check_column_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 128 {
        return Err(format!("column name {name:?} must have 1 to 128 bytes"));
    }
    if name.contains('\0') {
        return Err(format!("column name {name:?} holds a NUL"));
    }
    if name.starts_with('_') {
        return Err(format!(
            "column {name}: names that begin with _ are dkdc's own"
        ));
    }
    if RESERVED.iter().any(|r| r.eq_ignore_ascii_case(name)) {
        return Err(format!("column {name}: every table has it already"));
    }
    Ok(())
}

pub(crate) fn check_table_name(name: &str) -> Result<()> {
    let why = if name.is_empty() || name.len() > 128 {
        "a table name must have 1 to 128 bytes"
    } else if name.contains('\0') {
        "a table name cannot hold a NUL"
    } else if name.starts_with('_') || name.to_lowercase().starts_with("sqlite_") {
        "table names that begin with _ or sqlite_ are reserved"
    } else if name.eq_ignore_ascii_case("json_each") {
        "it would hide the function of SQLite's that lists are searched with"
    } else {
        return Ok(());
    };
    Err(Error::InvalidSchema {
        table: name.to_owned(),
        why: why.to_owned(),
    })
}
