//! `dkdc-torture`: breaks stores for as long as it is told, and says what was
//! lost. docs/reliability.md says what is broken and what was found.

#![expect(clippy::print_stdout, reason = "a program that prints its results")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};
use dkdc_state::{Durability, Row};
use dkdc_torture::rounds::{Kind, Run, ends, keeping, requests};
use dkdc_torture::vfs::{self, Plan};
use dkdc_torture::work::{self, Tables, Work};
use dkdc_torture::{Result, poison, power, random, reader};

/// Breaks stores in every way they must survive, and judges what is left.
#[derive(Parser, Debug)]
#[command(after_help = "Example:\n  cargo xtask torture --minutes 30")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Rounds of faults and judgements, one after another
    Run {
        /// Begins no round after so long
        #[arg(long, value_name = "MINUTES", default_value_t = 1)]
        minutes: u64,
        /// Where all random choices come from [default: by chance]
        #[arg(long, value_name = "NUMBER")]
        seed: Option<u64>,
        /// One round of this kind, by its seed: as a failure prints it
        #[arg(long, value_name = "KIND", requires = "seed")]
        only: Option<Kind>,
        /// With `--only crowd`: operations of each of the 64 threads
        #[arg(long, value_name = "NUMBER", requires = "only")]
        operations: Option<u64>,
        /// Where stores are made [default: the system's folder for such]
        #[arg(long, value_name = "FOLDER")]
        dir: Option<PathBuf>,
    },
    /// One worker, which ends by itself or by a fault
    #[command(hide = true)]
    Work {
        store: PathBuf,
        ledgers: PathBuf,
        #[arg(long)]
        worker: u64,
        #[arg(long)]
        threads: u64,
        #[arg(long)]
        operations: u64,
        #[arg(long, default_value_t = work::SEAL_ROWS)]
        seal_rows: u64,
        #[arg(long)]
        seed: u64,
        #[arg(long)]
        relaxed: bool,
        #[arg(long)]
        wobble: bool,
        #[arg(long)]
        plan: Option<Plan>,
    },
    /// Reads until its input ends
    #[command(hide = true)]
    Read {
        store: PathBuf,
        #[arg(long)]
        read_only: bool,
    },
    /// Brings the mirror up to date, writes one record, and asks
    #[command(hide = true)]
    Seal { store: PathBuf },
    /// Erases, prunes, clears, repairs, wipes and backs up
    #[command(hide = true)]
    Keep {
        store: PathBuf,
        #[arg(long)]
        plan: Option<Plan>,
    },
    /// Makes requests, each once
    #[command(hide = true)]
    Request {
        store: PathBuf,
        #[arg(long)]
        plan: Option<Plan>,
    },
    /// Writes while every sync fails, and after it
    #[command(hide = true)]
    Poison { store: PathBuf },
    /// Reads a store whose files seem to end
    #[command(hide = true)]
    Ends {
        folder: PathBuf,
        #[arg(long)]
        seed: u64,
    },
    /// Records a workload and takes the power away
    #[command(hide = true)]
    Power {
        folder: PathBuf,
        #[arg(long)]
        seed: u64,
        #[arg(long)]
        relaxed: bool,
        #[arg(long)]
        points: u64,
        /// While something is taken away
        #[arg(long)]
        keeping: bool,
    },
}

fn main() -> ExitCode {
    match carry_out(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stdout(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn durability(relaxed: bool) -> Durability {
    if relaxed {
        Durability::Relaxed
    } else {
        Durability::Full
    }
}

fn carry_out(command: Command) -> Result<()> {
    match command {
        Command::Run {
            minutes,
            seed,
            only,
            operations,
            dir,
        } => {
            let run = Run {
                program: std::env::current_exe()?,
                folder: dir.unwrap_or_else(std::env::temp_dir),
            };
            let seed = seed.unwrap_or_else(random::chance);
            match (only, operations) {
                (Some(Kind::Crowd), Some(operations)) => {
                    println!("{}", run.crowd(seed, operations)?);
                }
                (Some(_), Some(_)) => return Err("--operations are a crowd's".into()),
                (Some(kind), None) => println!("{}", run.round(kind, seed)?),
                (None, _) => run.minutes(minutes, seed, &mut |line| println!("{line}"))?,
            }
            Ok(())
        }
        Command::Work {
            store,
            ledgers,
            worker,
            threads,
            operations,
            seal_rows,
            seed,
            relaxed,
            wobble,
            plan,
        } => {
            vfs::install();
            vfs::arm(plan.unwrap_or(Plan::count(vfs::Kind::Change)));
            let work = Work {
                store,
                ledgers,
                worker,
                threads,
                operations,
                seal_rows,
                seed,
                durability: durability(relaxed),
                wobble,
            };
            work::run(&work, &|_, _| {})?;
            let (seen, fired) = vfs::disarm();
            println!("{seen} {fired}");
            Ok(())
        }
        Command::Read { store, read_only } => {
            let stop = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&stop);
            std::thread::spawn(move || {
                let ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                told.store(ended.is_ok() || ended.is_err(), Ordering::Relaxed);
            });
            println!("{}", reader::run(&store, read_only, &stop)?);
            Ok(())
        }
        Command::Seal { store } => seal(&store),
        Command::Request { store, plan } => {
            vfs::install();
            vfs::arm(plan.unwrap_or(Plan::count(vfs::Kind::Change)));
            requests::make(&store, &mut |answer| println!("{answer}"))
        }
        Command::Poison { store } => poison::run(&store, &mut |line| println!("{line}")),
        Command::Keep { store, plan } => {
            vfs::install();
            vfs::arm(plan.unwrap_or(Plan::count(vfs::Kind::Change)));
            keeping::keep(&store, &mut |step| println!("{step}"))
        }
        Command::Ends { folder, seed } => {
            let refused = ends::sweep(&folder, seed)?;
            println!("{}", refused + ends::take_back(&folder)?);
            Ok(())
        }
        Command::Power {
            folder,
            seed,
            relaxed,
            points,
            keeping,
        } => {
            let losses = match keeping {
                true => power::keeping::run(&folder, seed, points)?,
                false => power::run(&folder, seed, durability(relaxed), points)?,
            };
            println!("{} {} {}", losses.losses, losses.acknowledged, losses.taken);
            Ok(())
        }
    }
}

/// Says what was done, a line each: what was said has been done. What cannot be
/// said, as when writing is what fails, is not missed.
fn seal(store: &Path) -> Result<()> {
    let say = |line: String| {
        let _ = writeln!(std::io::stdout(), "{line}");
    };
    let state = work::options(Durability::Full).seal_rows(20).open(store)?;
    let notes = Tables::define(&state)?.notes;
    match state.keep_mirror() {
        Ok(()) => say("sealed".into()),
        Err(error) => say(format!("not sealed: {error}")),
    }
    match notes.append(&Row::new("sealed").with("token", -1)) {
        Ok(version) => say(format!("wrote {}", version.idx)),
        Err(error) => say(format!("not written: {error}")),
    }
    let mut rows = 0;
    for batch in state.sql("from notes")? {
        rows += batch?.num_rows();
    }
    say(format!("read {rows}"));
    Ok(())
}
