//! Words in a file that DuckDB takes for times.
//!
//! Its search for types takes `epoch` and `infinity` for days, in JSON even for the
//! first of 1900, and no option of it says otherwise. A column that has such a day
//! is read again as text, and stays text if that has one of the words.

use duckdb::Connection;

use crate::query::views::quote;

/// What the words become, in any time zone.
const DAYS: &str = "1970-01-01|1969-12-31|1900-01-01|1899-12-31|infinity";
const WORDS: &str = "(^|[^a-z])(epoch|inf[a-z]*)([^a-z]|$)";

/// A column, and its type with text for times.
type Column = (String, String);

/// Gives the columns of a table their words back. `reread`: the call that reads some
/// columns as these types.
pub(super) fn stay(
    connection: &Connection,
    table: &str,
    reread: impl Fn(&[Column]) -> String,
) -> duckdb::Result<()> {
    let whole = quote(table);
    let times = times(connection, &whole)?;
    let odd = having(connection, &whole, times, DAYS)?;
    if odd.is_empty() {
        return Ok(());
    }
    let again = format!("temp.main.{}", quote(&format!("{table} as text")));
    let names = odd.iter().map(|(name, _)| quote(name));
    let names = names.collect::<Vec<_>>().join(", ");
    connection.execute_batch(&format!(
        "CREATE TEMP TABLE {again} AS SELECT {names} FROM {}",
        reread(&odd)
    ))?;
    let words = having(connection, &again, odd, WORDS)?;
    let words = words.iter().map(|(name, _)| quote(name));
    let words: Vec<String> = words.map(|name| format!("a.{name} AS {name}")).collect();
    if !words.is_empty() {
        // Both were read in the order of the file.
        connection.execute_batch(&format!(
            "CREATE OR REPLACE TABLE {whole} AS SELECT w.* REPLACE ({}) \
             FROM {whole} w POSITIONAL JOIN {again} a",
            words.join(", ")
        ))?;
    }
    connection.execute_batch(&format!("DROP TABLE {again}"))
}

/// The columns that have times, or times in them.
fn times(connection: &Connection, table: &str) -> duckdb::Result<Vec<Column>> {
    let sql = format!("SELECT column_name, column_type FROM (DESCRIBE {table})");
    let mut statement = connection.prepare(&sql)?;
    let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut found = Vec::new();
    for column in columns {
        let (name, ty): Column = column?;
        let text = as_text(&ty);
        if text != ty {
            found.push((name, text));
        }
    }
    Ok(found)
}

/// Those of the columns in which something matches.
fn having(
    connection: &Connection,
    table: &str,
    columns: Vec<Column>,
    pattern: &str,
) -> duckdb::Result<Vec<Column>> {
    let mut found = Vec::new();
    for column in columns {
        let name = quote(&column.0);
        let sql = format!(
            "SELECT coalesce(bool_or(regexp_matches(lower(CAST({name} AS VARCHAR)), \
             '{pattern}')), false) FROM {table}"
        );
        if connection.query_row(&sql, [], |row| row.get(0))? {
            found.push(column);
        }
    }
    Ok(found)
}

/// A type with text in the place of days and of days with a time.
fn as_text(ty: &str) -> String {
    let mut text = String::with_capacity(ty.len());
    for (at, part) in ty.split('"').enumerate() {
        if at > 0 {
            text.push('"');
        }
        if at % 2 == 1 {
            // A name in quotes.
            text.push_str(part);
            continue;
        }
        let part = part.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMP");
        for word in part.split_inclusive([' ', '(', ')', ',', '[']) {
            // What a space follows is a name.
            let bare = word.trim_end_matches([')', ',', '[']);
            match bare.strip_prefix("TIMESTAMP") {
                Some("" | "_S" | "_MS" | "_NS") => text.push_str("VARCHAR"),
                _ if bare == "DATE" => text.push_str("VARCHAR"),
                _ => text.push_str(bare),
            }
            text.push_str(&word[bare.len()..]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_from_names() {
        for (ty, text) in [
            ("DATE", "VARCHAR"),
            ("TIMESTAMP WITH TIME ZONE[]", "VARCHAR[]"),
            ("TIMESTAMP_NS", "VARCHAR"),
            ("TIME", "TIME"),
            (
                "STRUCT(UPDATED DATE, DATE TIMESTAMP, \"a, DATE)\" BIGINT)[]",
                "STRUCT(UPDATED VARCHAR, DATE VARCHAR, \"a, DATE)\" BIGINT)[]",
            ),
            ("MAP(VARCHAR, DATE)", "MAP(VARCHAR, VARCHAR)"),
            ("DECIMAL(18,3)", "DECIMAL(18,3)"),
        ] {
            assert_eq!(as_text(ty), text);
        }
    }
}
