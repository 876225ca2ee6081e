//! Where the workspace is, and how to run cargo in it.
//!
//! A cargo started from here must see what a cargo typed by hand sees. What
//! `cargo run` adds for its child would otherwise reach build scripts that watch
//! it, and a build script of DuckDB run again costs twenty minutes. So it goes;
//! what the user set (`CARGO_TARGET_DIR`, `RUSTC_WRAPPER`, `RUSTFLAGS`, ...) stays.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the workspace's `Cargo.toml`: above this crate when cargo says
/// where that is, else the nearest such folder above the current one.
///
/// Read when running, not when compiling: checkouts may share a target folder.
pub(crate) fn workspace_root() -> Result<PathBuf, String> {
    let start = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => env::current_dir().map_err(|error| format!("no current folder: {error}"))?,
    };
    start
        .ancestors()
        .find(|folder| is_workspace(folder))
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("no cargo workspace in or above {}", start.display()))
}

fn is_workspace(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("Cargo.toml"))
        .is_ok_and(|manifest| manifest.lines().any(|line| line.trim() == "[workspace]"))
}

/// The same cargo that runs this program, in `root`, in the environment that
/// cargo itself was given.
pub(crate) fn command(root: &Path, arguments: &[&str]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = other(program.as_ref(), root);
    command.args(arguments);
    command
}

/// Another program, in `root`, in that environment: it may run cargo itself.
pub(crate) fn other(program: &Path, root: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root);
    for (name, _) in env::vars_os() {
        if is_set_by_cargo_run(&name) {
            command.env_remove(name);
        }
    }
    command
}

fn is_set_by_cargo_run(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    matches!(name, "CARGO" | "OUT_DIR")
        || name.starts_with("CARGO_MANIFEST_")
        || name.starts_with("CARGO_PKG_")
}

/// Runs a command to its end, its output going where ours goes.
pub(crate) fn run(mut command: Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("could not start {}: {error}", shown(&command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} ended with {status}", shown(&command)))
    }
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem();
    let program = program.unwrap_or_else(|| command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_run_adds_goes_and_what_the_user_set_stays() {
        for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "OUT_DIR"] {
            assert!(is_set_by_cargo_run(OsStr::new(name)), "{name}");
        }
        for name in [
            "CARGO_TARGET_DIR",
            "CARGO_HOME",
            "CARGO_BUILD_JOBS",
            "RUSTC_WRAPPER",
            "PATH",
        ] {
            assert!(!is_set_by_cargo_run(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn the_workspace_is_above_this_crate() {
        let root = workspace_root().expect("cargo test runs in the workspace");
        assert!(root.join("xtask/Cargo.toml").is_file());
    }
}
