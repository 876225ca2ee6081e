//! The post's design (`peers/post.py`), in a Python environment of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Plan;
use crate::Result;
use crate::report::{Limit, Outcome, Report};

/// Versions that go together; ibis 12 needs an older sqlglot.
const PACKAGES: [&str; 5] = [
    "duckdb==1.5.5",
    "duckdb-extensions==1.5.5",
    "duckdb-extension-sqlite-scanner==1.5.5",
    "ibis-framework[duckdb,sqlite]==12.0.0",
    "sqlglot<30.18",
];
const PEER: &str = "the post's design";

/// The aggregate over current rows, beside what dkdc took.
pub(super) fn aggregate(
    plan: &Plan,
    report: &mut Report,
    dkdc: f64,
    versions: usize,
) -> Result<()> {
    let Some(found) = measure(plan, report, versions, &["aggregate"])? else {
        return Ok(());
    };
    report.add(Outcome {
        operation: "aggregate over current rows".to_owned(),
        size: super::size(versions),
        unit: "ms",
        dkdc,
        peer: found["aggregate"],
        against: PEER,
        limit: Limit::AtMost(1.0 / 50.0),
    });
    Ok(())
}

/// Milliseconds of each operation; `None`, and a word in the report, without
/// Python.
pub(super) fn measure(
    plan: &Plan,
    report: &mut Report,
    versions: usize,
    operations: &[&str],
) -> Result<Option<HashMap<String, f64>>> {
    let python = match environment(&plan.beside) {
        Ok(python) => python,
        Err(error) => {
            report.skip(PEER, &error.to_string());
            return Ok(None);
        }
    };
    let room = plan.room("post")?;
    let script = room.join("post.py");
    std::fs::write(&script, include_str!("../../peers/post.py"))?;
    let output = Command::new(python)
        .arg(&script)
        .arg(&room)
        .arg(versions.to_string())
        .arg((versions / 4).to_string())
        .args(operations)
        .output()?;
    super::leave(&room)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{PEER}: {words}").into());
    }
    let found: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let found = serde_json::from_value(found["ms"].clone())?;
    Ok(Some(found))
}

/// A Python with the packages, made once.
fn environment(beside: &Path) -> Result<PathBuf> {
    let folder = beside.join("dkdc-bench-python");
    let python = folder.join("bin").join("python");
    let done = folder.join("packages");
    if std::fs::read_to_string(&done).is_ok_and(|text| text == PACKAGES.join("\n")) {
        return Ok(python);
    }
    println!("installing Python packages for {PEER}");
    let run = |command: &mut Command| -> Result<()> {
        let output = command.output()?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?}: {}", words.trim()).into())
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let install = ["-m", "pip", "install", "--quiet"];
    run(Command::new(&python).args(install).args(PACKAGES))?;
    std::fs::write(&done, PACKAGES.join("\n"))?;
    Ok(python)
}
