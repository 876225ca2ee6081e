//! The post's design (`peers/post.py`), in a Python environment of its own.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use dkdc_todo::{Todo, Todos};

use super::Plan;
use crate::Result;
use crate::measure::{median, micros};
use crate::report::{Limit, Outcome, Report};
use crate::sample::Feed;

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
        limit: Limit::Faster(50.0),
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
pub(super) fn environment(beside: &Path) -> Result<PathBuf> {
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

/// The post's todo list and dkdc's, at 100 thousand versions.
pub(super) fn todos(plan: &Plan, report: &mut Report) -> Result<()> {
    let versions = if plan.quick { 20_000 } else { 100_000 };
    let operations = ["append", "get", "contains", "get_all"];
    let Some(theirs) = measure(plan, report, versions, &operations)? else {
        return Ok(());
    };
    let room = plan.room("todos-of-the-post")?;
    let todos = Todos::open(room.join("todo.db"))?;
    let mut feed = Feed::new(1);
    let records: Vec<Todo> = feed.take(versions / 4);
    let ids: Vec<String> = records.iter().map(|todo| todo.id.clone()).collect();
    let state = todos.state();
    let table = state.table::<Todo>()?;
    table.append_all(&records)?;
    for _ in 0..3 {
        table.update_all(&feed.again::<Todo>(&ids, versions / 4))?;
    }
    let rounds = plan.rounds();
    let mut ours = Vec::new();
    for operation in operations {
        let mut run = |count: usize, run: &mut dyn FnMut() -> Result<()>| -> Result<()> {
            let mut took = Vec::new();
            for _ in 0..=rounds {
                let started = Instant::now();
                for _ in 0..count {
                    run()?;
                }
                took.push(micros(started, count) / 1000.0);
            }
            // The first warms up.
            ours.push(median(&mut took[1..]));
            Ok(())
        };
        match operation {
            "append" => run(200, &mut || {
                // The post's gives the todo back as it is stored.
                let todo: Todo = feed.take(1).remove(0);
                todos.append(todo).map(|_| ()).map_err(Into::into)
            })?,
            "get" => run(200, &mut || {
                black_box(todos.get(feed.ids(&ids, 1)[0])?);
                Ok(())
            })?,
            "contains" => run(200, &mut || {
                black_box(todos.contains(feed.ids(&ids, 1)[0], None)?);
                Ok(())
            })?,
            _ => run(1, &mut || {
                black_box(todos.list(None)?);
                Ok(())
            })?,
        }
    }
    for ((operation, ours), times) in operations
        .iter()
        .zip(ours)
        .zip([400.0, 2000.0, 2000.0, 5.0])
    {
        report.add(Outcome {
            operation: format!("todos: {operation}"),
            size: super::size(versions),
            unit: "ms",
            dkdc: ours,
            peer: theirs[*operation],
            against: PEER,
            limit: Limit::Faster(times),
        });
    }
    drop((table, todos));
    super::leave(&room)
}
