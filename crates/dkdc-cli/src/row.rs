//! `dkdc row`: records of any table.

mod erase;
mod list;

use std::io::stdin;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use dkdc_state::{Error, Idx, Row, State, Table, Version};

use crate::cli::{AsOf, parse_idx};
use crate::exit::{Failure, Result};
use crate::input::Spool;
use crate::output::{Output, counted, say};
use crate::progress::Progress;
use crate::records::{self, Restore, say_deleted};
use crate::store::Stores;
use crate::write::{self, How, Target};

pub(crate) use erase::left;

pub(crate) const EXAMPLE: &str = r#"Example:
  dkdc row append people '{"id": "ada", "name": "Ada Lovelace", "born": "1815-12-10"}'
  dkdc row ls people --where "born < date '1900-01-01'" --order born
  dkdc row ls people --format ndjson | dkdc --db other.db row upsert people -"#;

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Add records that are not there yet
    #[command(
        after_help = "Example:\n  dkdc row append people '{\"id\": \"ada\", \"born\": \"1815-12-10\"}' --request-key 17\n  dkdc row append people - < people.ndjson"
    )]
    Append(Write),
    /// Change just what is named in records that are there
    #[command(
        after_help = "Example:\n  dkdc row update people '{\"id\": \"ada\", \"name\": \"Ada King\"}'"
    )]
    Update {
        #[command(flatten)]
        write: Write,
        /// Only if this is still the record's version; else a conflict
        #[arg(long, value_name = "IDX", value_parser = parse_idx)]
        if_version: Option<Idx>,
    },
    /// Add records, or change those that are there
    #[command(after_help = "Example:\n  dkdc row upsert people - < people.ndjson")]
    Upsert(Write),
    /// Show one record
    #[command(after_help = "Example:\n  dkdc row get people ada --as-of '5 minutes ago'")]
    Get {
        #[command(flatten)]
        record: Record,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Delete a record; its history stays
    #[command(after_help = "Example:\n  dkdc row rm people ada")]
    Rm(Record),
    /// Erase records for good, history and all
    #[command(after_help = erase::HELP)]
    Erase(erase::Erase),
    /// Every version of a record, oldest first
    #[command(after_help = "Example:\n  dkdc row history people ada")]
    History {
        #[command(flatten)]
        record: Record,
        #[command(flatten)]
        as_of: AsOf,
    },
    /// Bring back an earlier version, as a new one
    #[command(
        after_help = "Example:\n  dkdc row restore people ada --version '2026-11-22 10:00:00.123456'"
    )]
    Restore {
        #[command(flatten)]
        record: Record,
        /// The idx of the version, as history shows it
        #[arg(long, value_name = "IDX", value_parser = parse_idx)]
        version: Idx,
    },
    /// List records, by id unless said otherwise
    #[command(
        after_help = "Example:\n  dkdc row ls people --where \"born < date '1900-01-01'\" --order -born --limit 10"
    )]
    Ls(list::Ls),
}

/// A record of a table.
#[derive(Args, Debug)]
pub(crate) struct Record {
    /// The table
    table: String,
    /// The record's id
    id: String,
}

/// What is written where.
#[derive(Args, Debug)]
pub(crate) struct Write {
    /// The table
    table: String,
    /// The record as a JSON object with an id; - reads one a line from stdin
    #[arg(value_name = "JSON")]
    record: String,
    #[command(flatten)]
    request: RequestKey,
}

/// `--request-key`, where something is written.
#[derive(Args, Debug)]
pub(crate) struct RequestKey {
    /// Write once, however often this is tried with the same key
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    request_key: Option<String>,
}

impl RequestKey {
    pub(crate) fn key(&self) -> Option<&str> {
        self.request_key.as_deref()
    }

    /// The table, for a write with this key.
    fn of(&self, table: Table<Row>) -> Table<Row> {
        match self.key() {
            Some(key) => table.request(key),
            None => table,
        }
    }
}

pub(crate) fn run(command: Command, stores: &Stores, output: &mut Output) -> Result<()> {
    let state = stores.existing()?;
    match command {
        Command::Append(write) => put(&state, How::Append, &write, output),
        Command::Upsert(write) => put(&state, How::Upsert, &write, output),
        Command::Update {
            write,
            if_version: None,
        } => put(&state, How::Update, &write, output),
        Command::Update {
            write,
            if_version: Some(expected),
        } => put_if(&state, &write, expected, output),
        Command::Erase(erase) => erase::run(&state, &erase, output),
        Command::Get { record, as_of } => get(&state, &record, &as_of, output),
        Command::Rm(Record { table, id }) => {
            let deleted = state.rows(&table)?.delete(&id)?;
            let restore = Restore::new(stores, "row", &[&table, &id]);
            let what = format!("{table} {id:?}");
            say_deleted(output, &what, ("id", &id), &restore, &deleted)
        }
        Command::History { record, as_of } => history(&state, &record, &as_of, output),
        Command::Restore { record, version } => {
            let table = state.rows(&record.table)?;
            let restored = table.restore(&record.id, version)?;
            show(&table, &record.id, &restored, output)
        }
        Command::Ls(ls) => list::run(&state, &ls, output),
    }
}

fn put(state: &State, how: How, write: &Write, output: &mut Output) -> Result<()> {
    let table = state.rows(&write.table)?;
    if write.record == "-" {
        return put_stdin(state, &table, how, write.request.key(), output);
    }
    let table = write.request.of(table);
    let row = table.row_from_json(&write.record)?;
    let version = match how {
        How::Append => table.append(&row)?,
        How::Update => table.update(&row)?,
        How::Upsert => table.upsert(&row)?,
    };
    show(&table, &row.id, &version, output)
}

fn put_if(state: &State, write: &Write, expected: Idx, output: &mut Output) -> Result<()> {
    if write.record == "-" {
        return Err(Failure::usage(
            "--if-version is about one record; stdin may have many",
        ));
    }
    let table = write.request.of(state.rows(&write.table)?);
    let row = table.row_from_json(&write.record)?;
    let version = table
        .update_if(&row, expected)
        .map_err(|error| match error {
            // It never was, or was gone already when that version was read.
            Error::Conflict {
                table, id, actual, ..
            } if actual.is_none_or(|actual| actual == expected) => Error::NotFound { table, id },
            error => error,
        })?;
    show(&table, &row.id, &version, output)
}

/// All lines of stdin in one transaction.
fn put_stdin(
    state: &State,
    table: &Table<Row>,
    how: How,
    key: Option<&str>,
    output: &mut Output,
) -> Result<()> {
    let target = Target::Known(table.schema()?);
    let schema = target.schema()?;
    let parse = |number: u64, line: &str| {
        let row = schema.row_from_json(line);
        row.map_err(|error| Failure::from(error).at(&format!("stdin line {number}")))
    };
    let progress = Progress::new("reading", None);
    let spool = Spool::read(stdin().lock(), "stdin", |number, line| {
        progress.set(number);
        parse(number, line).map(drop)
    })?;
    drop(progress);
    let progress = Progress::new("writing", Some(spool.count));
    let rows = spool.lines().map(|line| {
        let (number, line) = line?;
        Ok((number, parse(number, &line)?))
    });
    let what = write::What { how, key };
    let written = write::all(state, &target, what, "stdin line", rows, &progress)?;
    drop(progress);
    if written.before {
        say(write::MADE_BEFORE);
    } else {
        say(&format!("{} {}", counted(written.rows, "row"), how.done()));
    }
    output.report([("rows", written.rows.into())])
}

/// Shows a version that was just written.
fn show(table: &Table<Row>, id: &str, version: &Version, output: &mut Output) -> Result<()> {
    let written = table.version(id, version.idx)?;
    let records = written.and_then(|written| {
        let version = written.version;
        let record = written.record?;
        Some(dkdc_state::Versioned { version, record })
    });
    let records = records.into_iter().collect();
    output.sheet(records::rows(&*table.schema()?, records))
}

fn get(state: &State, record: &Record, as_of: &AsOf, output: &mut Output) -> Result<()> {
    let table = state.rows(&record.table)?;
    let found = match as_of.as_of {
        Some(when) => state.at(when)?.rows(&record.table)?.get(&record.id)?,
        None => table.get(&record.id)?,
    };
    let found = found.ok_or_else(|| not_found(record))?;
    output.sheet(records::rows(&*table.schema()?, vec![found]))
}

fn history(state: &State, record: &Record, as_of: &AsOf, output: &mut Output) -> Result<()> {
    let table = state.rows(&record.table)?;
    let versions = match as_of.as_of {
        Some(when) => state.at(when)?.rows(&record.table)?.history(&record.id)?,
        None => table.history(&record.id)?,
    };
    if versions.is_empty() {
        return Err(not_found(record));
    }
    output.sheet(records::row_history(
        &*table.schema()?,
        &record.id,
        versions,
    ))
}

fn not_found(record: &Record) -> Failure {
    Failure::from(Error::NotFound {
        table: record.table.clone(),
        id: record.id.clone(),
    })
}
