//! The wheel, built and installed in a virtual environment of its own, and its
//! tests there.
//!
//! The environment is in the target folder and is made again when what it is
//! made of has changed. Without a Python that can make one, the step says so and
//! counts as skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::tally::{self, Tally};
use crate::cargo;

/// What the environment is made of.
const MADE_OF: &[&str] = &["pyproject.toml", "crates/dkdc-py/requirements.txt"];

/// The most bytes that the wheel may have.
const LARGEST_WHEEL: u64 = 10_000_000;

const WANTED: &str = "\
import sys, venv, ensurepip
sys.exit(0 if sys.version_info >= (3, 10) else 1)";

const MISSING: &str = "skipped: the Python packages, since no python3 of 3.10 or newer with venv \
                       was found (Debian: apt-get install python3-venv)";

pub(super) fn run(root: &Path, tally: &mut Tally) -> Result<(), String> {
    let Some(version) = python("python3") else {
        println!("{MISSING}");
        tally.skipped += 1;
        return Ok(());
    };
    let folder = target(root).join("python");
    let venv = environment(root, &folder, &version)?;
    let wheel = wheel(root, &folder, &venv)?;
    // The project's own part alone: what it needs is there.
    let mut install = command(&venv, root, &["-m", "pip", "install", "--quiet"]);
    install.args([
        "--disable-pip-version-check",
        "--force-reinstall",
        "--no-deps",
    ]);
    cargo::run(arg(install, &wheel))?;
    tests(root, &venv, tally)
}

/// The version of a Python that will do, in full.
fn python(program: &str) -> Option<String> {
    let mut wanted = Command::new(program);
    wanted.args(["-c", WANTED]);
    wanted.stdout(Stdio::null()).stderr(Stdio::null());
    if !wanted.status().ok()?.success() {
        return None;
    }
    let version = Command::new(program).args(["-VV"]).output().ok()?;
    Some(String::from_utf8_lossy(&version.stdout).into_owned())
}

/// Cargo's target folder.
fn target(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root.join(folder),
        None => root.join("target"),
    }
}

/// The environment, with all that the wheel and its tests need.
fn environment(root: &Path, folder: &Path, version: &str) -> Result<PathBuf, String> {
    let venv = folder.join("venv");
    let mut made_of = version.to_owned();
    for path in MADE_OF {
        let text = fs::read_to_string(root.join(path));
        made_of += &text.map_err(|error| format!("{path}: {error}"))?;
    }
    let note = folder.join("made-of");
    if fs::read_to_string(&note).is_ok_and(|before| before == made_of) {
        return Ok(venv);
    }
    println!("making {}", venv.display());
    let failed = |error| format!("{}: {error}", folder.display());
    if venv.exists() {
        fs::remove_dir_all(&venv).map_err(failed)?;
    }
    fs::create_dir_all(folder).map_err(failed)?;
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).current_dir(root);
    cargo::run(arg(make, &venv))?;
    let mut install = command(&venv, root, &["-m", "pip", "install", "--quiet"]);
    install.args(["--disable-pip-version-check", "--requirement", MADE_OF[1]]);
    install.args(dependencies(root)?);
    cargo::run(install)?;
    fs::write(&note, made_of).map_err(failed)?;
    Ok(venv)
}

/// What the wheel needs, as its `pyproject.toml` says: the strings of the list
/// `dependencies`.
fn dependencies(root: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(root.join(MADE_OF[0]));
    let text = text.map_err(|error| format!("{}: {error}", MADE_OF[0]))?;
    let list = listed(&text);
    if list.is_empty() {
        return Err(format!("{} lists no dependencies", MADE_OF[0]));
    }
    Ok(list)
}

fn listed(pyproject: &str) -> Vec<String> {
    let lines = pyproject.lines().map(str::trim);
    lines
        .skip_while(|line| *line != "dependencies = [")
        .skip(1)
        .take_while(|line| *line != "]")
        .filter_map(|line| line.strip_prefix('"')?.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// Builds the wheel, and nothing else into its folder.
fn wheel(root: &Path, folder: &Path, venv: &Path) -> Result<PathBuf, String> {
    let wheels = folder.join("wheels");
    let failed = |error| format!("{}: {error}", wheels.display());
    if wheels.exists() {
        fs::remove_dir_all(&wheels).map_err(failed)?;
    }
    let mut build = command(venv, root, &["-m", "maturin", "build", "--quiet", "--out"]);
    build.env("VIRTUAL_ENV", venv);
    build = arg(build, &wheels);
    cargo::run(build)?;
    let mut made = fs::read_dir(&wheels).map_err(failed)?;
    let wheel = made
        .next()
        .ok_or("maturin made no wheel")?
        .map_err(failed)?;
    let size = wheel.metadata().map_err(failed)?.len();
    let name = wheel.file_name();
    println!("{}: {size} bytes", name.to_string_lossy());
    if size > LARGEST_WHEEL {
        return Err(format!("the wheel has more than {LARGEST_WHEEL} bytes"));
    }
    Ok(wheel.path())
}

fn tests(root: &Path, venv: &Path, tally: &mut Tally) -> Result<(), String> {
    let mut pytest = command(venv, root, &["-m", "pytest", "--color=no"]);
    pytest.stdout(Stdio::piped());
    let output = pytest
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .map_err(|error| format!("could not run {}: {error}", cargo::shown(&pytest)))?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    let counted = text.lines().rev().find_map(tally::of_pytest);
    let counted = counted.unwrap_or_default();
    tally.add(counted);
    match (output.status.success(), counted.failed) {
        (true, 0) if counted.passed > 0 => Ok(()),
        (true, _) => Err("pytest ran no test that was counted".to_owned()),
        (false, failed) => Err(format!("pytest: {} failed", failed.max(1))),
    }
}

/// The environment's Python, in `root`, as cargo's own commands see the world.
fn command(venv: &Path, root: &Path, arguments: &[&str]) -> Command {
    let bin = if cfg!(windows) { "Scripts" } else { "bin" };
    let mut command = cargo::other(&venv.join(bin).join("python"), root);
    command.args(arguments);
    command
}

fn arg(mut command: Command, path: &Path) -> Command {
    command.arg(path);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_python_that_will_do_the_step_is_skipped_and_says_so() {
        assert_eq!(python("no-such-python3"), None);
        // One that runs, and is none.
        assert_eq!(python("false"), None);
        assert!(MISSING.starts_with("skipped") && MISSING.contains("python3-venv"));
    }

    #[test]
    fn what_the_wheel_needs_is_read() {
        let text = "name = \"x\"\ndependencies = [\n    # why\n    \"a[b]>=1,<2\",\n    \"c<3\",\n]\n\"d\",\n";
        assert_eq!(listed(text), ["a[b]>=1,<2", "c<3"]);
        let root = cargo::workspace_root().expect("cargo test runs in the workspace");
        let ours = dependencies(&root).expect("a list");
        assert!(ours.iter().any(|one| one.starts_with("duckdb")), "{ours:?}");
    }
}
