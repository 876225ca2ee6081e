//! `dkdc sql`: a question to DuckDB, answered from one snapshot.

use std::io::{Read, stdin};
use std::path::PathBuf;

use clap::Args;
use dkdc_state::{Batches, Error};

use crate::cli::AsOf;
use crate::exit::{Code, Failure, Result};
use crate::export;
use crate::output::{self, Output, Sheet};
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = r#"Names:
  people                     current records
  history.people             every version, with op and prev
  people_at('yesterday')     records as of then

Example:
  dkdc sql 'select count(*) from people'
  dkdc sql "select * from people join sales using (id)" --with sales=sales.csv
  dkdc sql - --format csv < question.sql > answer.csv"#;

#[derive(Args, Debug)]
pub(crate) struct Sql {
    /// The question; - reads it from stdin
    query: String,
    /// Write the answer into a file, as --format or its ending says: .parquet,
    /// .arrow, .csv, .ndjson or .json
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A CSV, JSON or Parquet file to be asked about, too; may be given again
    #[arg(long = "with", value_name = "NAME=FILE", value_parser = parse_with)]
    files: Vec<(String, PathBuf)>,
    #[command(flatten)]
    as_of: AsOf,
}

impl Sql {
    /// True for a question that begins with a comment, and not like an option.
    pub(crate) fn is_commented(&self) -> bool {
        self.query.starts_with("--") && self.query.contains(char::is_whitespace)
    }
}

pub(crate) fn run(sql: Sql, stores: &Stores, output: &mut Output) -> Result<()> {
    for (_, path) in &sql.files {
        // DuckDB would say the same of a file that is not there, at length.
        path.metadata()
            .map_err(|error| Failure::file(path, &error))?;
    }
    // Before the question is put: a format that cannot be written.
    let file = match sql.output {
        Some(path) => {
            let format = export::format_of(&path, output.asked())?;
            Some((path, format))
        }
        None => output.refuse_files_format().map(|()| None)?,
    };
    let state = stores.existing()?;
    let question = match sql.query.as_str() {
        "-" => from_stdin()?,
        _ => sql.query,
    };
    let tables = state.tables()?;
    let mut names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
    for (name, _) in &sql.files {
        if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let message = format!("--with {name}=...: there is a table {name:?} already");
            return Err(Failure::usage(message));
        }
        names.push(name.clone());
    }
    let snapshot = match sql.as_of.as_of {
        Some(when) => state.at(when)?,
        None => state.snapshot()?,
    };
    let query = sql
        .files
        .iter()
        .fold(snapshot.query(), |query, (name, path)| {
            query.with_file(name, path)
        });
    let answer = query.run(&question).map_err(|error| match error {
        // The question has the version that the moment stands for.
        Error::OutsideHistory { asked, why } => Error::OutsideHistory {
            asked: match sql.as_of.as_of {
                Some(when) if asked == snapshot.idx().shown() => when.to_string(),
                _ => asked,
            },
            why,
        },
        error => worded(error, names),
    });
    let answer = answer.map_err(|error| match &error {
        // As `get` says it; the test that asks for one notices when the words change.
        Error::Query(words) if words.starts_with("no file of ") => {
            Failure::new(Code::NotFound, words.as_str())
        }
        _ => error.into(),
    })?;
    match file {
        Some((path, format)) => {
            export::write(answer, &path, format, None, state.path(), Vec::new()).map(drop)
        }
        None => output.sheet(sheet(answer)),
    }
}

/// An error in the words of the store: which tables there are, where DuckDB
/// would name some of its own, and nothing of what we asked it ourselves.
pub(crate) fn worded(error: Error, known: Vec<String>) -> Error {
    let Error::Query(mut words) = error else {
        return error;
    };
    if let Some(table) = unknown_table(&words) {
        let table = table.to_owned();
        return Error::UnknownTable { table, known };
    }
    // How a file is loaded is no part of the question.
    if let Some(at) = words.find("LINE 1: CREATE TABLE") {
        words.truncate(at);
    }
    Error::Query(words)
}

/// The table that DuckDB's words say is not there. It has no code for that; the
/// test that asks for one notices when the words change.
fn unknown_table(words: &str) -> Option<&str> {
    let words = words.strip_prefix("Catalog Error: Table ")?;
    if let Some(function) = words.strip_prefix("Function with name ") {
        let (name, _) = function.split_once(" does not exist")?;
        return name.strip_suffix("_at");
    }
    let (name, _) = words
        .strip_prefix("with name ")?
        .split_once(" does not exist")?;
    Some(name.trim_matches('"'))
}

/// An answer as a sheet, whose rows come as they are found.
pub(crate) fn sheet(batches: Batches) -> Sheet<'static> {
    let schema = batches.schema();
    let batches = batches.map(|batch| batch.map_err(Failure::from));
    output::batches(&schema, batches)
}

fn from_stdin() -> Result<String> {
    let mut question = Vec::new();
    let read = stdin().lock().read_to_end(&mut question);
    read.map_err(|error| Failure::usage(format!("stdin: {error}")))?;
    String::from_utf8(question).map_err(|_| Failure::usage("stdin: it is not UTF-8"))
}

fn parse_with(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_owned(), PathBuf::from(file)))
        }
        _ => Err("write it as name=file, such as sales=sales.csv".to_owned()),
    }
}
