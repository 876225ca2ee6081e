//! `cargo xtask test`: every check that a change must pass, in one order, cheap
//! ones first.
//!
//! All steps share cargo's one dev profile and set no `RUSTFLAGS`: either would
//! build DuckDB a second time. So would naming dkdc-py together with the rest:
//! features that pyo3 wants of `syn` would reach the build script of DuckDB. It
//! is checked by a command of its own. The last line printed is always the count, and it
//! never says "0 failed" about a run that failed: a step that fails before any
//! test did counts as one.

mod fuzz;
mod python;
mod tally;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use self::tally::Tally;
use crate::{cargo, tidy};

/// Packages that, without their default features, must be free of DuckDB: the
/// Python wheel is built from them. One that does not exist is passed over.
const FREE_OF_DUCKDB: &[&str] = &["dkdc-state", "dkdc-todo", "dkdc-lake", "dkdc-py"];

struct Step {
    name: &'static str,
    run: fn(&Path, &mut Tally) -> Result<(), String>,
}

const STEPS: &[Step] = &[
    Step {
        name: "format",
        run: |root, _| cargo::run(cargo::command(root, &["fmt", "--all", "--check"])),
    },
    Step {
        name: "tidy",
        run: |root, _| tidy::run(root),
    },
    Step {
        name: "features",
        run: |root, _| features(root),
    },
    Step {
        name: "clippy",
        run: |root, _| {
            cargo::run(clippy(root, &WITHOUT_PYTHON))?;
            cargo::run(clippy(root, &["-p", PYTHON]))
        },
    },
    Step {
        name: "fuzz",
        run: |root, _| fuzz::check(root),
    },
    Step {
        name: "tests",
        run: tests,
    },
    Step {
        name: "docs",
        run: |root, _| docs(root),
    },
    Step {
        name: "python",
        run: python::run,
    },
];

/// The crate of the Python module, and all the others.
const PYTHON: &str = "dkdc-py";
const WITHOUT_PYTHON: [&str; 3] = ["--workspace", "--exclude", PYTHON];

fn clippy(root: &Path, packages: &[&str]) -> Command {
    let mut command = cargo::command(root, &["clippy"]);
    command.args(packages);
    command.args(["--all-targets", "--", "-D", "warnings"]);
    command
}

/// Runs the steps up to the first that fails; the count comes last either way.
pub(crate) fn run(root: &Path) -> ExitCode {
    let mut tally = Tally::default();
    let outcome = STEPS
        .iter()
        .try_for_each(|step| timed(step, root, &mut tally));
    if outcome.is_err() {
        tally.failed = tally.failed.max(1);
    }
    println!("{tally}");
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(StepFailed) => ExitCode::FAILURE,
    }
}

/// A step failed, and its message has been printed.
struct StepFailed;

fn timed(step: &Step, root: &Path, tally: &mut Tally) -> Result<(), StepFailed> {
    println!("==> {}", step.name);
    let start = Instant::now();
    let outcome = (step.run)(root, tally);
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => {
            println!("==> {}: ok, {seconds:.1} s\n", step.name);
            Ok(())
        }
        Err(message) => {
            println!("{message}");
            println!("==> {}: FAILED, {seconds:.1} s\n", step.name);
            Err(StepFailed)
        }
    }
}

fn features(root: &Path) -> Result<(), String> {
    for package in FREE_OF_DUCKDB {
        if !root
            .join("crates")
            .join(package)
            .join("Cargo.toml")
            .is_file()
        {
            continue;
        }
        let tree = dependencies(root, package)?;
        if tree.lines().any(|line| line.starts_with("libduckdb-sys ")) {
            return Err(format!(
                "{package} without default features depends on libduckdb-sys; \
                 `cargo tree -p {package} --no-default-features -e normal -i libduckdb-sys` \
                 says through whom"
            ));
        }
        println!("{package} without default features: no DuckDB");
    }
    Ok(())
}

/// The packages that `package` needs without its default features, one a line.
fn dependencies(root: &Path, package: &str) -> Result<String, String> {
    let mut command = cargo::command(root, &["tree", "-p", package, "--no-default-features"]);
    command.args(["-e", "normal", "--prefix", "none"]);
    command.stderr(Stdio::inherit());
    let output = command
        .output()
        .map_err(|error| format!("could not start {}: {error}", cargo::shown(&command)))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let (command, status) = (cargo::shown(&command), output.status);
        Err(format!("{command} ended with {status}"))
    }
}

/// Unit, integration and documentation tests. All of them run, so that one
/// failure does not hide the next.
fn tests(root: &Path, tally: &mut Tally) -> Result<(), String> {
    let mut command = cargo::command(root, &["test", "--no-fail-fast"]);
    command.args(WITHOUT_PYTHON);
    command.stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("could not start {}: {error}", cargo::shown(&command)))?;
    if let Some(output) = child.stdout.take() {
        echo(output, &mut io::stdout().lock(), tally)
            .map_err(|error| format!("lost the output of cargo test: {error}"))?;
    }
    let status = child
        .wait()
        .map_err(|error| format!("lost cargo test: {error}"))?;
    verdict(&command, status.success(), tally)
}

fn verdict(command: &Command, success: bool, tally: &Tally) -> Result<(), String> {
    let command = cargo::shown(command);
    match (success, tally.failed) {
        (false, 0) => Err(format!("{command} failed before or beside its tests")),
        (_, 1..) => Err(format!("{command}: {} failed", tally.failed)),
        (true, 0) if tally.passed == 0 => Err(format!("{command} ran no test that was counted")),
        (true, 0) => Ok(()),
    }
}

/// Copies line by line, as they come, and counts the lines that are results.
fn echo(from: impl Read, to: &mut impl Write, tally: &mut Tally) -> io::Result<()> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        tally.count(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(())
}

fn docs(root: &Path) -> Result<(), String> {
    let mut command = cargo::command(root, &["doc", "--no-deps"]);
    command.args(WITHOUT_PYTHON);
    command.env("RUSTDOCFLAGS", "-D warnings");
    cargo::run(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_copied_byte_for_byte_and_counted() {
        let output: &[u8] = b"running 2 tests\nnot UTF-8: \xff\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\nlast";
        let (mut copy, mut tally) = (Vec::new(), Tally::default());
        echo(output, &mut copy, &mut tally).expect("memory does not fail");
        assert_eq!(copy, output);
        assert_eq!(tally.to_string(), "2 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn a_run_that_counted_nothing_is_not_a_success() {
        let command = Command::new("cargo");
        let counted = |passed, failed| Tally {
            passed,
            failed,
            ..Tally::default()
        };
        assert!(verdict(&command, true, &counted(3, 0)).is_ok());
        assert!(verdict(&command, true, &counted(0, 0)).is_err());
        assert!(verdict(&command, false, &counted(3, 0)).is_err());
        assert!(verdict(&command, false, &counted(3, 1)).is_err());
    }
}
