//! Files that a caller names, to join with.
//!
//! Only the very file that was named is read, as its ending says: DuckDB would
//! take some names for patterns, and a folder's name for a column.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use duckdb::Connection;

use super::engine::refused;
use super::views;
use crate::error::{Error, Result};
use crate::log::registry;

/// Reads a file into a table.
pub(super) fn load(connection: &Connection, name: &str, path: &Path) -> Result<()> {
    let io = |error| Error::io(path, error);
    let refuse = |why: &str| Err(Error::Query(format!("{}: {why}", path.display())));
    let Some((function, options)) = reader(path) else {
        return refuse(
            "a file to join ends in .csv, .tsv, .json, .ndjson or .jsonl, perhaps with .gz \
             after it, or in .parquet",
        );
    };
    let whole = fs::canonicalize(path).map_err(io)?;
    // Whoever closes a store's file drops the locks that this process has on it.
    if registry::is_open(&whole) {
        return refuse("it is the file of an open store, and no file to join");
    }
    let Some(text) = whole.to_str() else {
        return refuse("its name is not UTF-8: give the file another one");
    };
    let dialect = if function == "read_csv" {
        dialect(&whole).map_err(io)?
    } else {
        String::new()
    };
    let read = |from: &str| {
        let table = views::quote(name);
        let file = views::literal(from);
        let sql =
            format!("CREATE TABLE {table} AS SELECT * FROM {function}({file}{options}{dialect})");
        let read = connection.execute_batch(&sql);
        read.map_err(|error| match refused(error) {
            Error::Query(words) => Error::Query(wrong(path, &words)),
            error => error,
        })
    };
    if !text.contains(['*', '?', '[']) {
        return read(text);
    }
    // A pattern to DuckDB, which has no way to quote one: by its number, then.
    let file = File::open(&whole).map_err(io)?;
    let number = by_number(&file).unwrap_or_else(|| text.to_owned());
    read(&number).map_err(|error| match error {
        Error::Query(why) => Error::Query(why.replace(&number, text)),
        error => error,
    })
}

/// DuckDB's function for files of this ending, and its options.
fn reader(path: &Path) -> Option<(&'static str, &'static str)> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    let (name, zipped) = match name.strip_suffix(".gz") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let (_, ending) = name.rsplit_once('.')?;
    let function = match ending {
        "csv" | "tsv" => "read_csv",
        "json" | "ndjson" | "jsonl" => "read_json",
        "parquet" if !zipped => return Some(("read_parquet", ", hive_partitioning = false")),
        _ => return None,
    };
    let options = if zipped {
        ", hive_partitioning = false, compression = 'gzip'"
    } else {
        ", hive_partitioning = false, compression = 'none'"
    };
    Some((function, options))
}

/// How a file's fields are parted. Left to itself, DuckDB takes lines away from the
/// beginning until the rest looks regular, or a separator that occurs in none.
fn dialect(path: &Path) -> io::Result<String> {
    const START: u64 = 65_536;
    let mut start = Vec::new();
    File::open(path)?.take(START).read_to_end(&mut start)?;
    if start.starts_with(&[0x1f, 0x8b]) {
        // Compressed: it shows no line.
        return Ok(", skip = 0".to_owned());
    }
    let line = start
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let is_tsv = path.to_string_lossy().to_lowercase().contains(".tsv");
    let candidates: &[u8] = if is_tsv { b"\t" } else { b",;|\t" };
    let separator = candidates.iter().find(|separator| line.contains(separator));
    let separator = char::from(*separator.unwrap_or(&candidates[0]));
    Ok(format!(
        ", delim = '{separator}', quote = '\"', escape = '\"', skip = 0"
    ))
}

/// What is wrong with a file, of what DuckDB says at length.
fn wrong(path: &Path, words: &str) -> String {
    if words.contains("Error when sniffing file") {
        return format!(
            "{}: its lines do not have as many fields as the first, or a quote does not end",
            path.display()
        );
    }
    let advice = |line: &&str| {
        let line = line.trim_start();
        ["Possible ", "LINE 1:"]
            .iter()
            .all(|start| !line.starts_with(start))
    };
    let lines: Vec<&str> = words.lines().take_while(advice).collect();
    lines.join("\n").trim_end().to_owned()
}

/// A name for an open file that is no pattern.
#[cfg(unix)]
fn by_number(file: &File) -> Option<String> {
    use std::os::fd::AsRawFd;
    Some(format!("/dev/fd/{}", file.as_raw_fd()))
}

#[cfg(not(unix))]
fn by_number(_file: &File) -> Option<String> {
    None
}
