//! What the file consists of: the tables, columns and guards that there should
//! be, and nothing of other programs on them.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::log::catalog::Catalog;
use crate::log::{DbResult, format};

pub(super) fn check(conn: &Connection, catalog: &Catalog, damage: &mut Vec<String>) -> Result<()> {
    let tables = tables(catalog);
    for name in &tables {
        if text(conn, "table", name)?.is_none() {
            damage.push(format!("the table {name} is gone"));
            continue;
        }
        for action in format::GUARDED {
            let guard = format::guard_name(action, name);
            match text(conn, "trigger", &guard)? {
                None => damage.push(format!("the trigger {guard} is gone")),
                Some(text) if text != format::guard(action, name) => {
                    damage.push(format!("another program changed the trigger {guard}"));
                }
                Some(_) => {}
            }
        }
    }
    columns(conn, catalog, damage)?;
    strangers(conn, &tables, damage)
}

/// Every table of ours.
fn tables(catalog: &Catalog) -> Vec<String> {
    let mut tables: Vec<String> = format::STORE_TABLE_NAMES.map(str::to_owned).to_vec();
    for meta in &catalog.tables {
        tables.push(meta.name().to_owned());
        tables.push(format::head_name(meta.name()));
        let indexes = meta.schema.indexes.iter();
        tables.extend(indexes.map(|index| format::index_name(meta.name(), index.number)));
    }
    tables
}

/// The text that made something; `None` when it is not there.
fn text(conn: &Connection, kind: &str, name: &str) -> Result<Option<String>> {
    conn.prepare_cached("SELECT sql FROM sqlite_schema WHERE type = ?1 AND name = ?2")
        .and_then(|mut s| s.query_row((kind, name), |row| row.get(0)).optional())
        .db()
}

fn columns(conn: &Connection, catalog: &Catalog, damage: &mut Vec<String>) -> Result<()> {
    let mut statement = conn
        .prepare("SELECT name FROM pragma_table_info(?1)")
        .db()?;
    for meta in &catalog.tables {
        let names = statement
            .query_map([meta.name()], |row| row.get::<_, String>(0))
            .db()?;
        let there: Vec<String> = names.collect::<rusqlite::Result<_>>().db()?;
        if there.is_empty() {
            continue; // The table is gone: said already.
        }
        let own = ["idx", "id", "_prev", "_op", "_seal", "_hash"];
        let declared = meta.schema.columns.iter().map(|column| &*column.name);
        let expected: Vec<&str> = own.into_iter().chain(declared).collect();
        for name in &expected {
            if !there.iter().any(|column| column == name) {
                damage.push(format!("table {} has no column {name}", meta.name()));
            }
        }
        for name in there
            .iter()
            .filter(|name| !expected.contains(&name.as_str()))
        {
            damage.push(format!(
                "another program put the column {name} into table {}",
                meta.name()
            ));
        }
    }
    Ok(())
}

/// Triggers and indexes of other programs on tables of ours.
fn strangers(conn: &Connection, tables: &[String], damage: &mut Vec<String>) -> Result<()> {
    let mut statement = conn
        .prepare(
            "SELECT type, name, tbl_name FROM sqlite_schema WHERE type IN ('trigger', 'index')",
        )
        .db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let (kind, name, on): (String, String, String) =
            (row.get(0).db()?, row.get(1).db()?, row.get(2).db()?);
        let ours = name.starts_with("_dkdc_") || name.starts_with("sqlite_autoindex_");
        if !ours && tables.contains(&on) {
            damage.push(format!(
                "another program put the {kind} {name} on table {on}"
            ));
        }
    }
    Ok(())
}

/// Waypoints of tables that there never were.
pub(super) fn stray_waypoints(
    conn: &Connection,
    catalog: &Catalog,
    damage: &mut Vec<String>,
) -> Result<()> {
    let known = i64::try_from(catalog.tables.len()).unwrap_or(i64::MAX);
    let stray: i64 = conn
        .query_row(
            "SELECT count(*) FROM _dkdc_waypoints WHERE \"table\" NOT BETWEEN 1 AND ?1",
            [known],
            |row| row.get(0),
        )
        .db()?;
    if stray > 0 {
        damage.push(format!("{stray} waypoints belong to no table"));
    }
    Ok(())
}
