//! The command `dkdc`: todo list, file lake, tables and SQL over one state.
//!
//! Results go to stdout, words to stderr; every failure is one line and one
//! exit code ([`exit`]). Before the arguments are parsed, nothing is done; the
//! simple commands never open DuckDB.

mod backup;
mod changes;
mod check;
mod clear;
mod cli;
mod confirm;
mod exit;
mod export;
mod file;
mod head;
mod import;
mod input;
mod interrupt;
mod lake;
mod mirror;
mod output;
mod progress;
mod prune;
mod records;
mod row;
mod sql;
mod status;
mod store;
mod table;
mod todo;
mod tour;
mod vacuum;
mod value;
mod write;

use std::process::ExitCode;

fn main() -> ExitCode {
    exit::with(cli::parse().and_then(cli::run))
}
