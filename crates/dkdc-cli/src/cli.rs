//! The arguments: what is common to all commands, and which command runs.
//!
//! A command's own arguments stand in its own module. What clap refuses becomes
//! one line, as every other failure does.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use dkdc_state::{Idx, Moment};

use crate::exit::{self, Failure, Result};
use crate::output::{Format, Output};
use crate::store::Stores;
use crate::{
    backup, changes, check, clear, export, head, import, lake, mirror, prune, row, sql, status,
    table, todo, tour, vacuum,
};

const STORES: &str = "\
Stores:
  todo and lake keep theirs in ~/.dkdc, or in the folder that DKDC_DIR names.
  Other commands use ./data.db. DKDC_DB, and before it --db, name another file.
  A store is made by what adds to it: todo add, lake put, lake add, lake sync,
  table new, import.";

const EXAMPLE: &str = "\
Example:
  dkdc tour
  dkdc todo add 'do your homework'
  dkdc todo ls
  dkdc --db ~/.dkdc/todo.db sql 'select status, count(*) from todos group by all'";

/// Fast, simple, persistent state: every version of every record, in one file.
#[derive(Parser, Debug)]
#[command(
    name = "dkdc",
    version,
    after_help = format!("{EXAMPLE}\n\n{STORES}\n\n{}", exit::HELP),
    arg_required_else_help = true,
    infer_subcommands = false,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// The store to use: a file
    #[arg(long, global = true, value_name = "PATH")]
    db: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        hide_possible_values = true,
        help = "How to write results: table, json, ndjson or csv; into files, parquet or arrow too [default: table; of changes: ndjson]"
    )]
    format: Option<Format>,
    /// The same as --format json: an array of objects
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// How long to wait while another process writes
    #[arg(long, global = true, value_name = "SECONDS", default_value = "30",
          value_parser = parse_seconds, allow_negative_numbers = true)]
    wait: Duration,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// A todo list
    #[command(subcommand, after_help = todo::EXAMPLE)]
    Todo(todo::Command),
    /// A lake of files, every version kept
    #[command(subcommand, after_help = lake::EXAMPLE)]
    Lake(lake::Command),
    /// Tables: declare, list, extend
    #[command(subcommand, after_help = table::EXAMPLE)]
    Table(table::Command),
    /// Records of any table
    #[command(subcommand, after_help = row::EXAMPLE)]
    Row(row::Command),
    /// Records from a CSV, NDJSON, JSON or Parquet file
    #[command(after_help = import::EXAMPLE)]
    Import(import::Import),
    /// A question in SQL, answered from one snapshot
    #[command(after_help = sql::EXAMPLE)]
    Sql(sql::Sql),
    /// A table into a Parquet, Arrow, CSV, NDJSON or JSON file
    #[command(after_help = export::EXAMPLE)]
    Export(export::Export),
    /// Every version and event, in order
    #[command(after_help = changes::EXAMPLE)]
    Changes(changes::Changes),
    /// Verify the whole store
    #[command(after_help = check::EXAMPLE)]
    Check(check::Check),
    /// The newest link of each hash chain, to keep elsewhere
    #[command(after_help = head::EXAMPLE)]
    Head,
    /// A copy of one moment, while others write
    #[command(after_help = backup::EXAMPLE)]
    Backup(backup::Backup),
    /// Get every sound version out of a damaged file
    #[command(after_help = backup::SALVAGE)]
    Salvage(backup::Salvage),
    /// The Parquet files from which questions are answered
    #[command(subcommand, after_help = mirror::EXAMPLE)]
    Mirror(mirror::Command),
    /// The store in numbers
    #[command(after_help = status::EXAMPLE)]
    Status,
    /// Take old versions out of a table for good
    #[command(after_help = prune::EXAMPLE)]
    Prune(prune::Prune),
    /// Wipe what was deleted from the file, and give its space back
    #[command(after_help = vacuum::EXAMPLE)]
    Vacuum,
    /// Empty tables, history and all
    #[command(after_help = clear::EXAMPLE)]
    Clear(clear::Clear),
    /// See what it does, on a store of its own
    #[command(after_help = tour::EXAMPLE)]
    Tour(tour::Tour),
    /// A completion script for a shell
    #[command(
        after_help = "Example:\n  source <(dkdc completions bash)\n  dkdc completions fish > ~/.config/fish/completions/dkdc.fish"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// `--as-of`, where something is read.
#[derive(Args, Debug)]
pub(crate) struct AsOf {
    /// Read as of then: '5 minutes ago', 'yesterday 14:00', a time (UTC), an idx
    #[arg(long, value_name = "WHEN", allow_negative_numbers = true)]
    pub(crate) as_of: Option<Moment>,
}

/// Reads the arguments.
pub(crate) fn parse() -> Result<Cli> {
    Cli::try_parse().or_else(|error| {
        commented(&error, std::env::args_os().collect()).ok_or_else(|| answer(&error))
    })
}

/// The same arguments, if they are unknown to clap for a question that begins with a
/// comment, as no option does: there is a space in it.
fn commented(error: &clap::Error, arguments: Vec<OsString>) -> Option<Cli> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let command = Cli::command().mut_subcommand("sql", |sql| {
        sql.mut_arg("query", |query| query.allow_hyphen_values(true))
    });
    let matches = command.try_get_matches_from(arguments).ok()?;
    let cli = Cli::from_arg_matches(&matches).ok()?;
    match &cli.command {
        Command::Sql(sql) if sql.is_commented() => Some(cli),
        _ => None,
    }
}

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<()> {
    let Global {
        db,
        format,
        json,
        wait,
    } = cli.global;
    let stores = Stores::new(db, wait);
    let mut output = Output::new(if json { Some(Format::Json) } else { format });
    dispatch(cli.command, &stores, &mut output)
}

/// Runs a command line, without the program's name and what every command has,
/// on stores and an output that are there.
pub(crate) fn run_words(words: &[&str], stores: &Stores, output: &mut Output) -> Result<()> {
    let words = ["dkdc"].iter().chain(words);
    let cli = Cli::try_parse_from(words).map_err(|error| answer(&error))?;
    dispatch(cli.command, stores, output)
}

fn dispatch(command: Command, stores: &Stores, output: &mut Output) -> Result<()> {
    let done = match command {
        Command::Todo(command) => todo::run(command, stores, output),
        Command::Lake(command) => lake::run(command, stores, output),
        Command::Table(command) => table::run(command, stores, output),
        Command::Row(command) => row::run(command, stores, output),
        Command::Import(import) => import::run(&import, stores, output),
        Command::Sql(sql) => sql::run(sql, stores, output),
        Command::Mirror(command) => mirror::run(&command, stores, output),
        Command::Export(export) => export::run(&export, stores, output),
        Command::Changes(changes) => changes::run(&changes, stores, output),
        // Who checks need not be told to.
        Command::Check(check) => return check::run(&check, stores, output),
        Command::Head => head::run(stores, output),
        Command::Backup(backup) => backup::run(&backup, stores, output),
        Command::Salvage(salvage) => backup::salvage(&salvage, output),
        Command::Prune(prune) => prune::run(&prune, stores, output),
        Command::Status => status::run(stores, output),
        Command::Vacuum => vacuum::run(stores, output),
        Command::Clear(clear) => clear::run(&clear, stores, output),
        Command::Tour(tour) => tour::run(&tour, output),
        Command::Completions { shell } => completions(shell, output),
    };
    done.map_err(Failure::advised)
}

fn completions(shell: Shell, output: &mut Output) -> Result<()> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    clap_complete::generate(shell, &mut command, "dkdc", &mut script);
    let written = std::io::Write::write_all(output.bytes(), &script);
    written.map_err(|error| Failure::stdout(&error))?;
    output.flush()
}

/// What clap has to say: help and versions in its own words, all else in a line.
fn answer(error: &clap::Error) -> Failure {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // A reader of help who has gone, has gone.
            let _ = error.print();
            let code = u8::try_from(error.exit_code()).unwrap_or(1);
            Failure::Answered(code)
        }
        ErrorKind::InvalidUtf8 => Failure::usage(not_utf8()),
        _ => Failure::usage(refusal(&error.render().to_string())),
    }
}

/// Which argument is the one; clap does not say.
fn not_utf8() -> String {
    let arguments = std::env::args_os();
    let wrong = arguments.filter(|argument| argument.to_str().is_none());
    let wrong: Vec<String> = wrong
        .map(|argument| format!("{:?}", argument.to_string_lossy()))
        .collect();
    format!("an argument is not UTF-8: {}", wrong.join(", "))
}

/// clap's paragraphs as one: what is wrong and its tips, without the usage.
fn refusal(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let parts: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more info"))
        .filter(|line| !line.is_empty())
        .collect();
    parts.join("\n")
}

/// The number of a version: digits, or the time as results show it.
pub(crate) fn parse_idx(text: &str) -> Result<Idx, String> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text
            .parse()
            .map_err(|_| format!("no idx is greater than {}", i64::MAX));
    }
    // A time has a year; `5 minutes ago` is when, not which.
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    if year < 4 {
        return Err("write the idx as results show it, or in microseconds".to_owned());
    }
    match text.parse() {
        Ok(Moment::Idx(idx)) => Ok(idx),
        Ok(Moment::Time(time)) => Ok(Idx::from_micros(time.as_microsecond())),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_make_sense_to_clap() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_argument_has_the_name_of_one_that_every_command_has() {
        fn below(command: &clap::Command, path: &str) {
            for command in command.get_subcommands() {
                let path = format!("{path} {}", command.get_name());
                for argument in command.get_arguments() {
                    let name = argument.get_id().as_str();
                    assert!(
                        !["db", "format", "json", "wait"].contains(&name),
                        "{path} {name}"
                    );
                }
                below(command, &path);
            }
        }
        below(&Cli::command(), "dkdc");
    }

    #[test]
    fn an_idx_is_read_as_it_is_shown() {
        let idx = Idx::from_micros(1_732_730_565_320_000);
        for text in [
            "1732730565320000",
            "2024-11-27 18:02:45.320000",
            "2024-11-27T18:02:45.320000Z",
            " 2024-11-27T18:02:45.32Z",
        ] {
            assert_eq!(parse_idx(text), Ok(idx), "{text}");
        }
        assert_eq!(parse_idx("0"), Ok(Idx::ZERO));
        assert_eq!(
            parse_idx(&i64::MAX.to_string()),
            Ok(Idx::from_micros(i64::MAX))
        );
        for text in [
            "",
            "x",
            "-1",
            "9223372036854775808",
            "5 minutes ago",
            "yesterday",
        ] {
            assert!(parse_idx(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_clap_refuses_is_one_line_with_its_tip() {
        let error = Cli::try_parse_from(["dkdc", "todo", "ad"]).expect_err("no such command");
        let Failure::Failed { code, message } = answer(&error) else {
            panic!("not a failure");
        };
        let line = exit::one_line(&message);
        assert_eq!(code, exit::Code::Usage);
        assert!(
            line.starts_with("unrecognized subcommand 'ad'; tip: "),
            "{line}"
        );
        assert!(!line.contains("Usage"), "{line}");
    }
}
