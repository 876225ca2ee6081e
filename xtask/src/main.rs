//! The project's own commands, run as `cargo xtask <command>`.
//!
//! `test` is the whole gate, the same for a developer and for CI; `tidy` is the
//! part of it that checks what no compiler does; `torture` is the long form of
//! tests that `test` runs in a short one. No dependencies, so that it
//! builds in a second on a machine that has built nothing else yet.
#![expect(
    clippy::print_stdout,
    reason = "a command of the project: printing is what it is for"
)]

mod cargo;
mod test;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <command>

  test      format, tidy, features, clippy, fuzz, tests, docs and python; the first failure ends it
  tidy      only the checks of layout, ownership and documents
  torture   breaks stores until the time is over, and says what was lost:
            cargo xtask torture --minutes 30";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = match cargo::workspace_root() {
        Ok(root) => root,
        Err(message) => return fail(&message),
    };
    match arguments.as_slice() {
        ["test"] => test::run(&root),
        ["tidy"] => match tidy::run(&root) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => fail(&message),
        },
        ["torture", rest @ ..] => match torture(&root, rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => fail(&message),
        },
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        [] => fail(USAGE),
        other => fail(&format!("unknown: {}\n\n{USAGE}", other.join(" "))),
    }
}

/// The arguments are those of `dkdc-torture run`.
fn torture(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let run = ["run", "--quiet", "--package", "dkdc-torture", "--", "run"];
    cargo::run(cargo::command(root, &[&run, arguments].concat()))
}

fn fail(message: &str) -> ExitCode {
    println!("{message}");
    ExitCode::FAILURE
}
