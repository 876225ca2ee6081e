//! What the original packages made: which tables are theirs, and what each
//! column becomes.
//!
//! They created every table through Ibis, whose SQLite backend declares `idx`
//! as TIMESTAMP, `id` as TEXT, and the other columns by the types below. A file
//! with one table that is not so was written by something else, and is left
//! alone.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::not_adopted;
use crate::error::{Error, Result};
use crate::log::DbResult;
use crate::schema::sql::quote;
use crate::schema::{ColumnDef, ColumnType, ListItem, TableDef};

/// A table that an original package made.
pub(super) struct Original {
    /// Its name, and the log table's.
    pub(super) name: String,
    /// The name it has afterwards.
    pub(super) renamed: String,
    /// A name of SQLite's row number that no column hides.
    pub(super) rowid: &'static str,
    /// Its columns besides `idx` and `id`, in order.
    pub(super) sources: Vec<Source>,
    /// The table that it becomes: a column for each source, then those that
    /// the lake has more.
    pub(super) def: TableDef,
}

/// A column of an original table.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) take: Take,
}

/// How a column's values are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    /// As values of this type.
    As(ColumnType),
    /// Text split at its commas, as the original did when it read.
    Labels,
    /// Bytes that become the content of a blob.
    Content,
}

impl Original {
    /// True for the post's lake.
    pub(super) fn is_lake(&self) -> bool {
        self.sources
            .iter()
            .any(|source| source.take == Take::Content)
    }
}

/// A column as SQLite describes it.
struct Described {
    name: String,
    declared: String,
    not_null: bool,
}

/// Every table of the file, oldest first; or why they are not the original
/// packages'.
pub(super) fn all(conn: &Connection) -> Result<Result<Vec<Original>, String>> {
    let text = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, String>(0)).db();
    let version: i64 = conn
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .db()?;
    if version != 0 {
        return Ok(Err("it has a user_version of its own".to_owned()));
    }
    if text("PRAGMA encoding")? != "UTF-8" {
        return Ok(Err("its text is not UTF-8".to_owned()));
    }
    let mut statement = conn
        .prepare(
            "SELECT t.name, t.type, t.wr FROM sqlite_schema s \
             JOIN pragma_table_list t ON t.schema = 'main' AND t.name = s.name \
             WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
             ORDER BY s.rowid",
        )
        .db()?;
    let mut rows = statement.query([]).db()?;
    let mut originals = Vec::new();
    while let Some(row) = rows.next().db()? {
        let name: String = row.get(0).db()?;
        let (kind, without_rowid): (String, bool) = (row.get(1).db()?, row.get(2).db()?);
        if kind != "table" || without_rowid {
            return Ok(Err(format!("table {name} is no ordinary table")));
        }
        match columns(conn, &name)?.and_then(|columns| original(name, columns)) {
            Ok(original) => originals.push(original),
            Err(why) => return Ok(Err(why)),
        }
    }
    if originals.is_empty() {
        return Ok(Err("it has no tables".to_owned()));
    }
    Ok(Ok(originals))
}

fn columns(conn: &Connection, table: &str) -> Result<Result<Vec<Described>, String>> {
    let mut statement = conn
        .prepare("SELECT name, type, \"notnull\", hidden FROM pragma_table_xinfo(?1) ORDER BY cid")
        .db()?;
    let mut rows = statement.query([table]).db()?;
    let mut columns = Vec::new();
    while let Some(row) = rows.next().db()? {
        let column = Described {
            name: row.get(0).db()?,
            declared: row.get(1).db()?,
            not_null: row.get(2).db()?,
        };
        if row.get::<_, i64>(3).db()? != 0 {
            let name = column.name;
            return Ok(Err(format!("column {name} of table {table} is generated")));
        }
        columns.push(column);
    }
    Ok(Ok(columns))
}

/// The table, if an original package can have made it.
fn original(name: String, described: Vec<Described>) -> Result<Original, String> {
    for (key, expected) in [("idx", ColumnType::Timestamp), ("id", ColumnType::Text)] {
        let Some(column) = described.iter().find(|column| column.name == key) else {
            return Err(format!("table {name} has no column {key}"));
        };
        if column_type(&column.declared) != Some(expected) {
            return Err(format!(
                "table {name} has a column {key} of another type than {expected}"
            ));
        }
    }
    let Some(rowid) = row_number(described.iter().map(|column| column.name.as_str())) else {
        return Err(format!("table {name} hides its row numbers"));
    };
    let names: Vec<&str> = described
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let is_todos = name == "todos" && names == TODOS;
    let is_lake = name == "lake" && names == LAKE;
    let mut def = TableDef::new(&name);
    let mut sources = Vec::new();
    for column in described {
        if column.name == "idx" || column.name == "id" {
            continue;
        }
        let Some(ty) = column_type(&column.declared) else {
            return Err(format!(
                "column {} of table {name} is of type {:?}",
                column.name, column.declared
            ));
        };
        let mut becomes = ColumnDef::new(&column.name, ty);
        becomes.required = column.not_null;
        let take = if is_todos || is_lake {
            posts_column(&mut becomes)
        } else {
            Take::As(ty)
        };
        def = def.column(becomes);
        sources.push(Source {
            name: column.name,
            take,
        });
    }
    if is_lake {
        def = def
            .column(ColumnDef::new("size", ColumnType::Int).required())
            .column(ColumnDef::new("hash", ColumnType::Text).required())
            .column(ColumnDef::new("mode", ColumnType::Int))
            .column(ColumnDef::new("mtime", ColumnType::Timestamp));
    }
    match def.check() {
        Ok(()) => Ok(Original {
            renamed: format!("{name}_original"),
            name,
            rowid,
            sources,
            def,
        }),
        Err(Error::InvalidSchema { why, .. }) => Err(format!("table {name}: {why}")),
        Err(other) => Err(other.to_string()),
    }
}

/// A name of SQLite's row number that no column hides.
pub(in crate::log) fn row_number<'c>(
    columns: impl Iterator<Item = &'c str> + Clone,
) -> Option<&'static str> {
    let free = |alias: &&str| !columns.clone().any(|name| name.eq_ignore_ascii_case(alias));
    ["rowid", "_rowid_", "oid"].into_iter().find(free)
}

/// The columns of the post's two tables.
const TODOS: [&str; 9] = [
    "idx",
    "id",
    "user_id",
    "subject",
    "body",
    "priority",
    "status",
    "description",
    "labels",
];
const LAKE: [&str; 11] = [
    "idx",
    "id",
    "user_id",
    "path",
    "filename",
    "filetype",
    "data",
    "version",
    "status",
    "description",
    "labels",
];

/// Makes a column of one of the post's tables what dkdc-todo and dkdc-lake
/// declare, and says how its values are taken over. One whose type the user
/// changed stays as it is, and those crates say what is different.
fn posts_column(column: &mut ColumnDef) -> Take {
    match (column.name.as_str(), column.ty) {
        ("labels", ColumnType::Text) => {
            column.ty = ColumnType::List(ListItem::Text);
            return Take::Labels;
        }
        ("data", ColumnType::Bytes) => {
            column.ty = ColumnType::Blob;
            column.required = true;
            return Take::Content;
        }
        ("filename", ColumnType::Text) => column.required = true,
        ("priority", ColumnType::Int) => {
            column.required = true;
            column.default = Some(100.into());
        }
        _ => {}
    }
    Take::As(column.ty)
}

/// What a declared type means. Close to SQLite's affinities, without the one
/// that takes anything.
fn column_type(declared: &str) -> Option<ColumnType> {
    let upper = declared.to_ascii_uppercase();
    let base = upper.split('(').next().unwrap_or_default().trim();
    let has = |parts: &[&str]| parts.iter().any(|part| base.contains(part));
    Some(if has(&["TIMESTAMP", "DATETIME"]) {
        ColumnType::Timestamp
    } else if base == "DATE" {
        ColumnType::Date
    } else if base == "JSON" {
        ColumnType::Json
    } else if base == "UUID" {
        ColumnType::Uuid
    } else if has(&["BOOL"]) {
        ColumnType::Bool
    } else if has(&["INTERVAL", "POINT"]) {
        return None;
    } else if has(&["INT"]) {
        ColumnType::Int
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        ColumnType::Text
    } else if has(&["BLOB", "BINARY"]) {
        ColumnType::Bytes
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        ColumnType::Float
    } else {
        return None;
    })
}

/// Refuses what would go on about the old tables under their new names, and
/// names that are taken.
pub(super) fn refuse_dependents(
    conn: &Connection,
    path: &Path,
    originals: &[Original],
) -> Result<()> {
    let dependent: Option<(String, String)> = conn
        .query_row(
            "SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'trigger') LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .db()?;
    if let Some((kind, name)) = dependent {
        let why = format!("the file has the {kind} {name}, made for the old tables: drop it first");
        return Err(not_adopted(path, &originals[0], 0, why));
    }
    for original in originals {
        let taken = conn
            .prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE")
            .and_then(|mut s| s.exists([&original.renamed]))
            .db()?;
        if taken {
            let why = format!(
                "its new name, {}, is taken: rename that first",
                original.renamed
            );
            return Err(not_adopted(path, original, 0, why));
        }
        refuse_made_ids(conn, path, original)?;
    }
    Ok(())
}

/// The id of a record that has none.
pub(super) fn made_id(row: i64) -> String {
    format!("original-{row}")
}

/// A record without an id must not become part of another one's history.
fn refuse_made_ids(conn: &Connection, path: &Path, original: &Original) -> Result<()> {
    let rowid = original.rowid;
    let table = quote(&original.name);
    let clash: Option<(i64, String)> = conn
        .query_row(
            &format!(
                "SELECT n.{rowid}, c.id FROM {table} c \
                 CROSS JOIN {table} n ON n.{rowid} = CAST(substr(c.id, 10) AS INTEGER) \
                 WHERE c.id GLOB 'original-*' AND n.id IS NULL \
                 AND c.id = 'original-' || n.{rowid} LIMIT 1"
            ),
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .db()?;
    match clash {
        None => Ok(()),
        Some((row, id)) => {
            let why = format!("its id is NULL, and would become {id}, which another row has");
            Err(not_adopted(path, original, row, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_are_those_that_ibis_declares() {
        for (declared, ty) in [
            ("TIMESTAMP", Some(ColumnType::Timestamp)),
            ("TIMESTAMP(6)", Some(ColumnType::Timestamp)),
            ("TIMESTAMPTZ", Some(ColumnType::Timestamp)),
            ("datetime", Some(ColumnType::Timestamp)),
            ("DATE", Some(ColumnType::Date)),
            ("TEXT", Some(ColumnType::Text)),
            ("VARCHAR(20)", Some(ColumnType::Text)),
            ("INTEGER", Some(ColumnType::Int)),
            ("BIGINT", Some(ColumnType::Int)),
            ("UBIGINT", Some(ColumnType::Int)),
            ("BOOLEAN", Some(ColumnType::Bool)),
            ("REAL", Some(ColumnType::Float)),
            ("REAL(10, 2)", Some(ColumnType::Float)),
            ("DOUBLE PRECISION", Some(ColumnType::Float)),
            ("BLOB", Some(ColumnType::Bytes)),
            ("VARBINARY(8)", Some(ColumnType::Bytes)),
            ("JSON", Some(ColumnType::Json)),
            ("UUID", Some(ColumnType::Uuid)),
            ("INTERVAL SECOND", None),
            ("TIME", None),
            ("NUMERIC", None),
            ("", None),
        ] {
            assert_eq!(column_type(declared), ty, "{declared:?}");
        }
    }
}
