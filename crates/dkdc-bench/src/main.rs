//! `dkdc-bench`: dkdc beside its peers, in one run, on one file system.
//!
//! Every number has a peer that was measured in alternation with it, with the
//! same durability, the same user columns and the same page cache, so that
//! whatever else the machine does meets both. docs/benchmarks.md says what is
//! compared, and what was found.

#![expect(clippy::print_stdout, reason = "a program that prints its results")]

mod machine;
mod measure;
mod native;
mod peer;
mod plot;
mod report;
mod sample;
mod store;
mod suite;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use machine::Machine;
use report::Report;
use suite::Plan;

/// Anything that ends a run.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

/// Measures dkdc beside its peers and prints a table.
#[derive(Parser, Debug)]
#[command(after_help = "Example:\n  cargo run -p dkdc-bench -- --quick --only reads")]
struct Args {
    /// A tenth of the records, and fewer rounds
    #[arg(long)]
    quick: bool,
    /// Only these measurements
    #[arg(long, value_name = "NAME", value_enum, value_delimiter = ',')]
    only: Vec<Suite>,
    /// Write the results there, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the results into SVG files there, too
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// Where the databases live [default: beside this program]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// How many versions the stores of `analytics` have [default: 1000000,10000000]
    #[arg(long, value_name = "COUNT", value_delimiter = ',')]
    versions: Vec<usize>,
    /// Only open DuckDB and select 42: what every process that asks pays
    #[arg(long, hide = true)]
    select_42: bool,
    /// Only ask for an aggregate, and say how much memory that took
    #[arg(long, hide = true, num_args = 2, value_names = ["SIDE", "FILE"])]
    peak_memory: Option<Vec<String>>,
    /// The program `dkdc` [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    dkdc: Option<PathBuf>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Appends in batches
    Batches,
    /// Append and update, one at a time
    Writes,
    /// Get and contains
    Reads,
    /// Appends of many threads
    Threads,
    /// Reads as of a moment in a long history
    Asof,
    /// Questions over many rows
    Analytics,
    /// The post's todo list
    Post,
    /// The Python packages
    Python,
    /// Appends to a table with two indexes
    Indexed,
    /// `dkdc todo` as a whole process
    Command,
    /// Files, beside git, restic and tar
    Lake,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("dkdc-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    if args.select_42 {
        return native::Native::select_42();
    }
    if let Some([side, path]) = args.peak_memory.as_deref() {
        println!("{}", suite::peak_memory(side, path.as_ref())?);
        return Ok(());
    }
    let beside = machine::beside()?;
    // Programs are run in other folders than this one.
    let dir = std::path::absolute(args.dir.as_ref().unwrap_or(&beside))?;
    let folder = tempfile::Builder::new()
        .prefix("dkdc-bench-")
        .tempdir_in(&dir)?;
    let machine = Machine::look(folder.path());
    if args.dir.is_none() && machine.in_memory() {
        return Err(
            "this folder is in memory, where a sync costs nothing: name one by --dir".into(),
        );
    }
    println!("{machine}");
    println!("databases: {}\n", folder.path().display());
    let plan = Plan {
        folder: folder.path().to_owned(),
        only: args.only.clone(),
        quick: args.quick,
        sizes: args.versions.clone(),
        beside: beside.clone(),
        dkdc: match &args.dkdc {
            Some(program) => std::path::absolute(program)?,
            None => beside.join("dkdc"),
        },
    };
    let mut report = Report::new(machine);
    let ran = suite::run(&plan, &mut report);
    // What was measured before something failed is not lost.
    println!("\n{report}");
    ran?;
    if let Some(path) = &args.json {
        std::fs::write(path, report.to_json())?;
    }
    if let Some(folder) = &args.plots {
        report.plot(folder)?;
    }
    Ok(())
}
