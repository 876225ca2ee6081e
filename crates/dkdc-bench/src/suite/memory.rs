//! The memory of an aggregate over many rows, as whole processes.

use std::path::Path;
use std::process::Command;

use dkdc_state::State;

use super::analytics::{AGGREGATE, ask, over};
use super::size;
use crate::Result;
use crate::native::{self, Native};
use crate::report::{Limit, Outcome, Report};

/// The most memory that a process takes which asks for the aggregate, beside one
/// that has the same rows in a native table.
pub(super) fn run(report: &mut Report, room: &Path, path: &Path, versions: usize) -> Result<()> {
    let rows = room.join("current.parquet");
    let state = State::open(path)?;
    native::export(&state, "plain", &rows)?;
    drop(state);
    let this = std::env::current_exe()?;
    let peak = |side: &str, path: &Path| -> Result<f64> {
        let mut command = Command::new(&this);
        command.args(["--peak-memory", side]).arg(path);
        let output = command.output()?;
        let words = String::from_utf8(output.stdout)?;
        words.trim().parse().map_err(|_| words.into())
    };
    report.add(Outcome {
        operation: "memory of the aggregate".to_owned(),
        size: size(versions),
        unit: "MB",
        dkdc: peak("dkdc", path)?,
        peer: peak("native", &rows)?,
        against: "DuckDB, native",
        limit: Limit::Above(200.0),
    });
    Ok(std::fs::remove_file(&rows)?)
}

/// Asks for the aggregate until rows are in memory, and says how many megabytes
/// this process took at most.
pub(crate) fn peak_memory(side: &str, path: &Path) -> Result<f64> {
    if side == "native" {
        let native = Native::of_parquet(path)?;
        for _ in 0..3 {
            native.ask(&over(AGGREGATE, "current"))?;
        }
    } else {
        let state = State::open(path)?;
        for _ in 0..3 {
            ask(&state, &over(AGGREGATE, "plain"))?;
        }
    }
    crate::machine::peak_memory()
}
