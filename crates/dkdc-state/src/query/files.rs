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

mod words;

/// Reads a file into a table.
pub(super) fn load(connection: &Connection, name: &str, path: &Path) -> Result<()> {
    let io = |error| Error::io(path, error);
    let Some(reader) = Reader::of(path) else {
        let why = "a file to join ends in .csv, .tsv, .json, .ndjson or .jsonl, perhaps with \
                   .gz after it, or in .parquet";
        return Err(refusal(path, why));
    };
    let whole = fs::canonicalize(path).map_err(io)?;
    // Whoever closes a store's file drops the locks that this process has on it.
    if registry::is_open(&whole) {
        let why = "it is the file of an open store, and no file to join";
        return Err(refusal(path, why));
    }
    let Some(whole) = whole.to_str() else {
        let why = "its name is not UTF-8: give the file another one";
        return Err(refusal(path, why));
    };
    let dialect = reader.dialect(connection, path, whole)?;
    let named = Named::new(whole).map_err(io)?;
    let from = reader.from(&named, &dialect);
    let sql = format!(
        "CREATE TABLE {} AS SELECT * FROM {from})",
        views::quote(name)
    );
    let read = connection.execute_batch(&sql);
    let read = read.and_then(|()| reader.words_stay(connection, name, &from));
    read.map_err(|error| match refused(error) {
        Error::Query(words) => Error::Query(wrong(path, &words).replace(&named.name, whole)),
        error => error,
    })
}

fn refusal(path: &Path, why: &str) -> Error {
    Error::Query(format!("{}: {why}", path.display()))
}

/// A name by which DuckDB reads this very file, as long as it is there.
struct Named {
    name: String,
    _open: Option<File>,
}

impl Named {
    fn new(whole: &str) -> io::Result<Named> {
        // A pattern to DuckDB, which has no way to quote one: by its number, then.
        let open = match whole.contains(['*', '?', '[']) {
            true => Some(File::open(whole)?),
            false => None,
        };
        let number = open.as_ref().and_then(by_number);
        Ok(Named {
            name: number.unwrap_or_else(|| whole.to_owned()),
            _open: open,
        })
    }
}

/// How DuckDB reads a file of some ending.
struct Reader {
    function: &'static str,
    options: &'static str,
    zipped: bool,
    /// Tabs part its fields: its ending says so.
    tabs: bool,
}

impl Reader {
    fn of(path: &Path) -> Option<Reader> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        let (name, zipped) = match name.strip_suffix(".gz") {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        let (_, ending) = name.rsplit_once('.')?;
        let function = match ending {
            "csv" | "tsv" => "read_csv",
            "json" | "ndjson" | "jsonl" => "read_json",
            "parquet" if !zipped => "read_parquet",
            _ => return None,
        };
        let options = match (ending, zipped) {
            ("parquet", _) => ", hive_partitioning = false",
            (_, true) => ", hive_partitioning = false, compression = 'gzip'",
            (_, false) => ", hive_partitioning = false, compression = 'none'",
        };
        Some(Reader {
            function,
            options,
            zipped,
            tabs: ending == "tsv",
        })
    }

    /// The call of DuckDB's function, still open for options.
    fn from(&self, named: &Named, dialect: &str) -> String {
        let file = views::literal(&named.name);
        format!("{}({file}{}{dialect}", self.function, self.options)
    }

    /// Reads the words that DuckDB took for times again, as the text that they are.
    fn words_stay(&self, connection: &Connection, table: &str, from: &str) -> duckdb::Result<()> {
        let option = match self.function {
            "read_parquet" => return Ok(()),
            "read_csv" => "types",
            _ => "columns",
        };
        words::stay(connection, table, |columns| {
            let columns = columns.iter().map(|(name, ty)| {
                let (name, ty) = (views::literal(name), views::literal(ty));
                format!("{name}: {ty}")
            });
            let columns = columns.collect::<Vec<_>>().join(", ");
            format!("{from}, {option} = {{{columns}}})")
        })
    }

    /// How a file's fields are parted. Left to itself, DuckDB takes lines away from the
    /// beginning until the rest looks regular, or a separator that occurs in none.
    fn dialect(&self, connection: &Connection, path: &Path, whole: &str) -> Result<String> {
        if self.function != "read_csv" {
            return Ok(String::new());
        }
        let start = if self.zipped {
            self.lines(connection, whole)
        } else {
            Some(beginning(whole).map_err(|error| Error::io(path, error))?)
        };
        let separator = match start {
            _ if self.tabs => '\t',
            // What is no compressed text is told when it is read.
            None => return Ok(", skip = 0".to_owned()),
            Some(start) => separator(&start).map_err(|[one, other]| {
                let why = format!(
                    "its first line has as many {one:?} as {other:?}, and either may part its \
                     fields: put names that have one into double quotes"
                );
                refusal(path, &why)
            })?,
        };
        Ok(format!(
            ", delim = '{separator}', quote = '\"', escape = '\"', skip = 0"
        ))
    }

    /// The first lines of a compressed file: DuckDB's only way to its text is as one
    /// field a line, which nothing parts.
    fn lines(&self, connection: &Connection, whole: &str) -> Option<Vec<u8>> {
        let named = Named::new(whole).ok()?;
        let sql = format!(
            "SELECT line FROM read_csv({}{}, auto_detect = false, header = false, \
             columns = {{'line': 'VARCHAR'}}, delim = chr(1), quote = '', escape = '') LIMIT 64",
            views::literal(&named.name),
            self.options,
        );
        let mut statement = connection.prepare(&sql).ok()?;
        let lines = statement.query_map([], |row| row.get::<_, Option<String>>(0));
        let lines: duckdb::Result<Vec<Option<String>>> = lines.ok()?.collect();
        let lines: Vec<String> = lines
            .ok()?
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect();
        Some(lines.join("\n").into_bytes())
    }
}

/// The first bytes of a file.
fn beginning(whole: &str) -> io::Result<Vec<u8>> {
    const START: u64 = 65_536;
    let mut start = Vec::new();
    File::open(whole)?.take(START).read_to_end(&mut start)?;
    Ok(start)
}

/// What parts the fields of a CSV file: what its first record has most of outside of
/// quotes. Two that it has as many of are an error.
fn separator(start: &[u8]) -> std::result::Result<char, [char; 2]> {
    const CANDIDATES: [u8; 4] = *b",;|\t";
    let mut counts = [0_u32; CANDIDATES.len()];
    // A quote elsewhere than where a field begins is a character like others.
    let (mut quoted, mut begins) = (false, true);
    for byte in start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start) {
        match byte {
            // The second of two ends nothing: what the first has ended begins anew.
            b'"' if quoted || begins => (quoted, begins) = (!quoted, true),
            _ if quoted => {}
            b' ' if begins => {}
            b'\n' | b'\r' => break,
            _ => {
                let candidate = CANDIDATES.iter().position(|candidate| candidate == byte);
                candidate.into_iter().for_each(|at| counts[at] += 1);
                begins = candidate.is_some();
            }
        }
    }
    let most = counts.into_iter().max().filter(|most| *most > 0);
    let mut found = CANDIDATES.into_iter().zip(counts);
    let mut next = || found.find(|(_, count)| Some(*count) == most);
    match (next(), next()) {
        (Some((one, _)), Some((other, _))) => Err([one, other].map(char::from)),
        (Some((one, _)), None) => Ok(char::from(one)),
        (None, _) => Ok(','),
    }
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
