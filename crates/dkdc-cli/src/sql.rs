//! `dkdc sql`: a question to DuckDB, answered from one snapshot.

use std::io::{Read, stdin};
use std::path::PathBuf;

use clap::Args;
use dkdc_state::Batches;

use crate::cli::AsOf;
use crate::exit::{Failure, Result};
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
    /// A CSV, JSON or Parquet file to be asked about, too; may be given again
    #[arg(long = "with", value_name = "NAME=FILE", value_parser = parse_with)]
    files: Vec<(String, PathBuf)>,
    #[command(flatten)]
    as_of: AsOf,
}

pub(crate) fn run(sql: Sql, stores: &Stores, output: &mut Output) -> Result<()> {
    for (_, path) in &sql.files {
        // DuckDB would say the same of a file that is not there, at length.
        path.metadata()
            .map_err(|error| Failure::file(path, &error))?;
    }
    let state = stores.existing()?;
    let question = match sql.query.as_str() {
        "-" => from_stdin()?,
        _ => sql.query,
    };
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
    output.sheet(sheet(query.run(&question)?))
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
