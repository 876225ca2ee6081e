//! Whether a declaration's names and indexes make sense together.
//!
//! The store judges the same when a table is opened; here a mistake is found
//! earlier, and underlined.

use std::collections::HashMap;

use proc_macro2::TokenStream;

use crate::parse::{Declaration, Index, Name};
use crate::refuse::{Errors, refuse};

/// The longest name of a table or column, in bytes.
const NAME_LIMIT: usize = 128;

/// Refuses what no table can have.
pub(crate) fn declaration(declared: &Declaration) -> syn::Result<()> {
    let mut errors = Errors::default();
    errors.keep(table_name(&declared.table));
    column_names(declared, &mut errors);
    former_names(declared, &mut errors);
    for index in &declared.indexes {
        errors.keep(index_columns(index, declared));
    }
    errors.finish(Ok(()))
}

fn table_name(name: &Name) -> syn::Result<()> {
    name_length("table", name)?;
    let text = &name.text;
    if text.starts_with('_') || text.to_lowercase().starts_with("sqlite_") {
        let why = format!("table {text}: names that begin with _ or sqlite_ are reserved");
        return Err(refuse(&name.at, why));
    }
    Ok(())
}

fn name_length(what: &str, name: &Name) -> syn::Result<()> {
    let length = name.text.len();
    if length == 0 || length > NAME_LIMIT {
        let why = format!("a {what} name has 1 to {NAME_LIMIT} bytes, this one has {length}");
        return Err(refuse(&name.at, why));
    }
    if name.text.contains('\0') {
        return Err(refuse(&name.at, format!("a {what} name cannot hold a NUL")));
    }
    Ok(())
}

fn column_names(declared: &Declaration, errors: &mut Errors) {
    // SQLite and DuckDB tell names apart without case.
    let mut seen: HashMap<String, &str> = HashMap::new();
    for column in &declared.columns {
        let name = &column.name;
        errors.keep(column_name(name));
        match seen.get(&name.text.to_lowercase()) {
            Some(first) if *first == name.text => {
                errors.push(refuse(
                    &name.at,
                    format!("column {first} is declared twice"),
                ));
            }
            Some(first) => errors.push(refuse(
                &name.at,
                format!("columns {first} and {} differ in case only", name.text),
            )),
            None => {
                seen.insert(name.text.to_lowercase(), &name.text);
            }
        }
    }
}

fn column_name(name: &Name) -> syn::Result<()> {
    name_length("column", name)?;
    let text = &name.text;
    let why = if text.starts_with('_') {
        "names that begin with _ are dkdc's own; use `rename`"
    } else if ["id", "idx", "op", "prev"]
        .iter()
        .any(|own| text.eq_ignore_ascii_case(own))
    {
        "every table has it already; use `rename`"
    } else {
        return Ok(());
    };
    Err(refuse(&name.at, format!("column {text}: {why}")))
}

fn former_names(declared: &Declaration, errors: &mut Errors) {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for column in &declared.columns {
        let Some(was) = &column.was else { continue };
        if was.text == column.name.text {
            let why = format!("`was` gives another name: column {} is {0} now", was.text);
            errors.push(refuse(&was.at, why));
        }
        if let Some(first) = seen.insert(&was.text, &column.name.text) {
            let why = format!("column {first} was {} already", was.text);
            errors.push(refuse(&was.at, why));
        }
    }
}

fn index_columns(index: &Index, declared: &Declaration) -> syn::Result<()> {
    let mut errors = Errors::default();
    if index.parts.is_empty() {
        errors.push(refuse(&index.key, "an index needs at least one column"));
    }
    let mut seen = Vec::new();
    for part in &index.parts {
        let Name { text, at } = &part.column;
        errors.keep(index_column(text, at, index, declared));
        if seen.contains(&text) {
            errors.push(refuse(
                at,
                format!("column {text} is in this index already"),
            ));
        }
        seen.push(text);
    }
    errors.finish(Ok(()))
}

fn index_column(
    name: &str,
    at: &TokenStream,
    index: &Index,
    declared: &Declaration,
) -> syn::Result<()> {
    let why = match declared.columns.iter().find(|c| c.name.text == name) {
        Some(column) if column.json => format!("column {name} is JSON, which has no order"),
        Some(_) => return Ok(()),
        None if name == "id" => return Ok(()),
        None if name == "idx" && index.unique.is_none() => return Ok(()),
        None if name == "idx" => "every version has its own idx: leave it out".to_owned(),
        None => {
            let known = declared.columns.iter().map(|c| c.name.text.as_str());
            let known: Vec<_> = known.chain(["id", "idx"]).collect();
            format!("there is no column {name}; there are {}", known.join(", "))
        }
    };
    Err(refuse(at, why))
}
