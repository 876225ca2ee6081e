//! The shell's commands as whole processes, beside the `sqlite3` shell.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use dkdc_todo::Todo;

use super::{Plan, size};
use crate::Result;
use crate::measure::{alternate, micros};
use crate::report::{Limit, Outcome, Report};
use crate::store::Pair;

const WHAT: &str = "dkdc todo add, dkdc todo ls";
const INSERT: &str = "INSERT INTO todos(id, body, priority) VALUES ('x', 'do your homework', 100)";

/// `todo add` and `todo ls`, out of all todos of the store.
pub(super) fn run(plan: &Plan, report: &mut Report, room: &Path, todos: Pair<Todo>) -> Result<()> {
    if !plan.dkdc.is_file() {
        report.skip(WHAT, "there is no program dkdc; name it by --dkdc");
        return Ok(());
    }
    if Command::new("sqlite3").arg("--version").output().is_err() {
        report.skip(WHAT, "there is no program sqlite3 to compare with");
        return Ok(());
    }
    let ours = todos.path().to_owned();
    let theirs = room.join("todos.peer.db");
    // Closed, as a store is that only commands use.
    drop(todos);
    let dkdc = |args: &[&str]| {
        let mut command = Command::new(&plan.dkdc);
        command.arg("--db").arg(&ours).args(args);
        run_one(&mut command)
    };
    let medians = alternate(
        if plan.quick { 21 } else { 101 },
        &mut [
            &mut || run_one(Command::new("sqlite3").arg(&theirs).arg(INSERT)),
            &mut || dkdc(&["todo", "add", "do your homework"]),
            &mut || dkdc(&["todo", "ls", "--limit", "20"]),
            &mut || dkdc(&["--version"]),
        ],
    )?;
    for (operation, dkdc, limit) in [
        ("dkdc todo add", medians[1], Limit::Above(8.0)),
        ("dkdc todo ls --limit 20", medians[2], Limit::Above(8.0)),
        ("dkdc --version", medians[3], Limit::None),
    ] {
        report.add(Outcome {
            operation: operation.to_owned(),
            size: size(plan.large()),
            unit: "ms",
            dkdc,
            peer: medians[0],
            against: "sqlite3, one INSERT",
            limit,
        });
    }
    Ok(())
}

/// Milliseconds from start to end.
pub(super) fn run_one(command: &mut Command) -> Result<f64> {
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let millis = micros(started, 1) / 1000.0;
    if output.status.success() {
        Ok(millis)
    } else {
        let words = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?}: {words}").into())
    }
}
