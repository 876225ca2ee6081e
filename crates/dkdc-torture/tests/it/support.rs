//! What the tests share.

use std::path::{Path, PathBuf};
use std::process::Command;

use dkdc_torture::rounds::Run;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_dkdc-torture");

/// Rounds in the system's folder for such things.
pub(crate) fn run() -> Run {
    Run {
        program: PathBuf::from(PROGRAM),
        folder: std::env::temp_dir(),
    }
}

/// The program with one of its commands.
pub(crate) fn command(what: &str, path: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg(what).arg(path);
    command
}

/// Runs a command to its end, which must be a good one, and returns what it
/// said.
#[track_caller]
pub(crate) fn said(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{errors}");
    said
}
