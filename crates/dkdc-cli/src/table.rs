//! `dkdc table`: tables declared from the shell.

use clap::Subcommand;
use dkdc_state::{
    ColumnDef, ColumnType, Error, IndexDef, Nulls, Row, TableDef, TableSchema, Transaction,
    TxTable, ValueError,
};

use crate::exit::{Code, Failure, Result};
use crate::output::{Cell, Column, Output, Sheet, say};
use crate::records::in_shell;
use crate::store::Stores;
use crate::value;

pub(crate) const EXAMPLE: &str = "\
Example:
  dkdc --db data.db table new people name:text! born:date 'tags:list<text>'
  dkdc table schema people";

const TYPES: &str = "\
Types:
  text, int, float, bool, bytes, blob, timestamp, date, uuid, json,
  list<...> of a type other than bytes, blob and list

Example:
  dkdc table new people name:text! born:date 'tags:list<text>' --index born";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Declare a table; every table has an id, and an idx for each version
    #[command(after_help = TYPES)]
    New {
        /// Its name
        name: String,
        /// Columns as name:type; name:type! is required, name:type=x has a default
        #[arg(value_name = "COL:TYPE", value_parser = parse_column)]
        columns: Vec<ColumnDef>,
        /// An index, as in priority,-idx; may be given again
        #[arg(long = "index", value_name = "COLS", allow_hyphen_values = true)]
        indexes: Vec<String>,
        /// Columns that no two records share; NULLs may repeat; may be given again
        #[arg(long = "unique", value_name = "COLS")]
        uniques: Vec<String>,
    },
    /// List the tables, the oldest first
    #[command(after_help = "Example:\n  dkdc table ls")]
    Ls,
    /// The columns and indexes of a table
    #[command(after_help = "Example:\n  dkdc table schema people")]
    Schema {
        /// The table
        name: String,
    },
    /// Add a column to a table
    #[command(
        after_help = "Example:\n  dkdc table add-column people email:text\n  dkdc table add-column people 'score:int!=0'"
    )]
    AddColumn {
        /// The table
        table: String,
        /// The column as name:type, perhaps required, with a default: name:type!=x
        #[arg(value_name = "COL:TYPE", value_parser = parse_column)]
        column: ColumnDef,
    },
    /// Rename a column; its history stays with it
    #[command(after_help = "Example:\n  dkdc table rename-column people born birthday")]
    RenameColumn {
        /// The table
        table: String,
        /// The column's name now
        from: String,
        /// Its new name
        to: String,
    },
}

pub(crate) fn run(command: Command, stores: &Stores, output: &mut Output) -> Result<()> {
    match command {
        Command::New {
            name,
            columns,
            indexes,
            uniques,
        } => {
            let mut def = TableDef::new(name);
            def.columns = columns;
            let indexes = indexes.iter().map(|columns| index(columns));
            let uniques = uniques
                .iter()
                .map(|columns| index(columns).unique(Nulls::Distinct));
            def.indexes = indexes.chain(uniques).collect();
            new(&def, stores, output)
        }
        Command::Ls => list(stores, output),
        Command::Schema { name } => {
            let table = stores.existing()?.rows(&name)?;
            output.sheet(schema(&*table.schema()?))
        }
        Command::AddColumn { table, column } => {
            let state = stores.existing()?;
            let known = state.rows(&table)?.schema()?;
            refuse_known(&known, &column.name)?;
            let table = state.define(&known.to_def().column(column))?;
            output.sheet(schema(&*table.schema()?))
        }
        Command::RenameColumn { table, from, to } => {
            let state = stores.existing()?;
            let known = state.rows(&table)?.schema()?;
            if !from.eq_ignore_ascii_case(&to) {
                refuse_known(&known, &to)?;
            }
            state.rename_column(&table, &from, &to)?;
            output.sheet(schema(&*state.rows(&table)?.schema()?))
        }
    }
}

/// Refuses a name that a column had: it means that column for good.
fn refuse_former(table: &TableSchema, column: &str) -> Result<()> {
    let had = |known: &&dkdc_state::Column| {
        let mut former = known.former.iter();
        former.any(|name| name.eq_ignore_ascii_case(column))
    };
    match table.columns.iter().find(had) {
        None => Ok(()),
        Some(known) => Err(Failure::usage(format!(
            "table {}: the column {} was called {column} before, and programs may still know it \
             by that name: take another",
            table.name, known.name
        ))),
    }
}

/// Refuses a name that a column has, or one that only looks different.
fn refuse_known(table: &TableSchema, column: &str) -> Result<()> {
    let mut columns = table.columns.iter();
    let Some(known) = columns.find(|known| known.name.eq_ignore_ascii_case(column)) else {
        return refuse_former(table, column);
    };
    let has = format!("table {} has a column {:?}", table.name, known.name);
    Err(if known.name == column {
        Failure::new(Code::AlreadyExists, format!("{has} already"))
    } else {
        Failure::usage(format!("{has}, which differs only in case"))
    })
}

fn new(def: &TableDef, stores: &Stores, output: &mut Output) -> Result<()> {
    // What cannot be declared is refused before a store is made.
    def.to_schema()?;
    let state = stores.or_new()?;
    let is_new = state.transaction(|tx| Ok::<_, Failure>(create(tx, def)?.is_some()))?;
    if !is_new {
        let message = format!(
            "there is a table {:?} already; see {} table schema {}",
            def.name,
            stores.dkdc(),
            in_shell(&def.name)
        );
        return Err(Failure::new(Code::AlreadyExists, message));
    }
    let table = state.rows(&def.name)?;
    output.sheet(schema(&*table.schema()?))?;
    say(&format!(
        "table {} is in {}",
        def.name,
        state.path().display()
    ));
    Ok(())
}

/// Makes a table; `None`: there is one of its name.
pub(crate) fn create<'t, 'w, 'x>(
    tx: &'x Transaction<'t, 'w>,
    def: &TableDef,
) -> Result<Option<TxTable<'x, 't, 'w, Row>>> {
    match tx.rows(&def.name) {
        Err(Error::UnknownTable { .. }) => Ok(Some(tx.define(def)?)),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(None),
    }
}

fn list(stores: &Stores, output: &mut Output) -> Result<()> {
    let state = stores.existing()?;
    let rows = state.tables()?.into_iter().map(|schema| {
        let columns = Cell::from(schema.columns.len() as u64);
        let records = Cell::from(state.rows(&schema.name)?.count()?);
        Ok(vec![Cell::from(schema.name.as_str()), columns, records])
    });
    let columns = vec![
        Column::new("table", "string"),
        Column::new("columns", "int64"),
        Column::new("records", "int64"),
    ];
    let rows: Vec<Vec<Cell>> = rows.collect::<Result<_>>()?;
    output.sheet(Sheet::of(columns, rows))
}

/// Columns first, then indexes.
fn schema(schema: &TableSchema) -> Sheet<'static> {
    let row = |kind: &str, name: Cell, ty: Cell, required: Cell, default: Cell| {
        vec![Cell::from(kind), name, ty, required, default]
    };
    let none = || Cell::Null;
    let mut rows = vec![row("id", "id".into(), "text".into(), true.into(), none())];
    for column in &schema.columns {
        let default = column
            .default
            .clone()
            .map_or(Cell::Null, |value| Cell::Text(value.to_json().to_string()));
        rows.push(row(
            "column",
            column.name.as_str().into(),
            column.ty.to_string().into(),
            column.required.into(),
            default,
        ));
    }
    for index in schema.to_def().indexes {
        let kind = match index.unique {
            None => "index",
            Some(Nulls::Distinct) => "unique",
            Some(Nulls::Equal) => "unique, NULLs equal",
        };
        let names = index.columns.iter().map(|column| {
            let sign = if column.descending { "-" } else { "" };
            format!("{sign}{}", column.name)
        });
        let names = names.collect::<Vec<_>>().join(",");
        rows.push(row(kind, names.into(), none(), none(), none()));
    }
    let columns = ["kind", "name", "type", "required", "default"].map(|name| {
        Column::new(
            name,
            if name == "required" {
                "boolean"
            } else {
                "string"
            },
        )
    });
    Sheet::of(columns.into(), rows)
}

fn index(columns: &str) -> IndexDef {
    IndexDef::new(columns.split(',').map(str::trim))
}

/// `name:type`, with `!` if it is required and `=x` if it has a default.
fn parse_column(text: &str) -> Result<ColumnDef, String> {
    let (declared, default) = match text.split_once('=') {
        Some((declared, default)) => (declared, Some(default)),
        None => (text, None),
    };
    let Some((name, ty)) = declared.rsplit_once(':') else {
        return Err("write it as name:type, such as born:date".to_owned());
    };
    let (ty, required) = match ty.strip_suffix('!') {
        Some(ty) => (ty, true),
        None => (ty, false),
    };
    let ty: ColumnType = ty.parse().map_err(|error: ValueError| error.to_string())?;
    let mut column = ColumnDef::new(name, ty);
    column.required = required;
    column.default = default.map(|text| value::of_text(text, ty)).transpose()?;
    Ok(column)
}

#[cfg(test)]
mod tests {
    use dkdc_state::ListItem;

    use super::*;

    #[test]
    fn columns_are_a_name_a_type_and_perhaps_a_mark() {
        let born = ColumnDef::new("born", ColumnType::Date);
        assert_eq!(parse_column("born:date"), Ok(born.clone()));
        assert_eq!(parse_column("born:date!"), Ok(born.required()));
        let tags = ColumnDef::new("a:b", ColumnType::List(ListItem::Text));
        assert_eq!(parse_column("a:b:list<text>"), Ok(tags));
        let n = ColumnDef::new("n", ColumnType::Int).default(-1);
        assert_eq!(parse_column("n:int=-1"), Ok(n.clone()));
        assert_eq!(parse_column("n:int!=-1"), Ok(n.required()));
        let at = parse_column("at:timestamp=2026-11-22T10:00:00Z").expect("a column");
        assert_eq!((at.name.as_str(), at.default.is_some()), ("at", true));
        for text in [
            "born",
            "born:",
            "born:day",
            "born:!",
            "tags:list<bytes>",
            "n:int=x",
        ] {
            assert!(parse_column(text).is_err(), "{text}");
        }
    }
}
