//! The Python packages, as they are installed by `pip install .`, beside the
//! post's design, a native DuckDB table and the Rust that they are made of.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use dkdc_todo::{Todo, Todos};

use super::command::run_one;
use super::{Plan, leave, post, size};
use crate::Result;
use crate::measure::alternate;
use crate::report::{Limit, Outcome, Report};
use crate::sample::{Feed, Plain};
use crate::store::Pair;

const WHAT: &str = "the Python packages";
/// Rows in a transaction where there are many.
const BATCH: usize = 10_000;
/// Versions for each record.
const VERSIONS: usize = 4;

/// Operation, its name among those of the post's, and how many times faster it
/// is to be at the smaller and at the larger size.
const OPERATIONS: [(&str, &str, Option<f64>, Option<f64>); 5] = [
    ("append_todo", "append", Some(100.0), Some(400.0)),
    ("update_todo", "update", Some(100.0), Some(400.0)),
    ("get_todo", "get", None, Some(500.0)),
    ("contains_todo", "contains", None, Some(500.0)),
    ("get_todos", "get_all", None, Some(3.0)),
];

struct Packages<'p> {
    plan: &'p Plan,
    python: PathBuf,
}

pub(super) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let python = match installed(plan) {
        Ok(python) => python,
        Err(error) => {
            report.skip(WHAT, &error.to_string());
            return Ok(());
        }
    };
    let packages = Packages { plan, python };
    let sizes = if plan.quick {
        [2_000, 20_000]
    } else {
        [10_000, 100_000]
    };
    packages.todos(report, sizes[0], false)?;
    packages.todos(report, sizes[1], true)?;
    packages.questions(report)?;
    packages.bulk(report)
}

/// A Python with the packages as they are now.
fn installed(plan: &Plan) -> Result<PathBuf> {
    let python = post::environment(&plan.beside)?;
    println!("installing the packages");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--no-deps"]);
    install.args(["--force-reinstall", "--disable-pip-version-check"]);
    run_one(install.arg(root))?;
    Ok(python)
}

impl Packages<'_> {
    fn measure(&self, room: &Path, arguments: [&str; 3]) -> Result<HashMap<String, f64>> {
        let script = room.join("packages.py");
        std::fs::write(&script, include_str!("../../peers/packages.py"))?;
        let output = Command::new(&self.python)
            .arg(&script)
            .args(arguments)
            .output()?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{WHAT}: {words}").into());
        }
        let found: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        Ok(serde_json::from_value(found["ms"].clone())?)
    }

    /// The todo list's own operations, beside the post's.
    fn todos(&self, report: &mut Report, versions: usize, large: bool) -> Result<()> {
        let names = OPERATIONS.map(|(_, name, ..)| name);
        let theirs = post::measure(self.plan, report, versions, &names)?;
        let theirs = theirs.ok_or("the post's design was not measured")?;
        let room = self.plan.room(&format!("python-{}", size(versions)))?;
        let path = fill(&room, versions)?;
        let rounds = self.plan.rounds().to_string();
        let ours = self.measure(&room, ["todos", &path, &rounds])?;
        for (operation, name, at_small, at_large) in OPERATIONS {
            let times = if large { at_large } else { at_small };
            report.add(Outcome {
                operation: format!("Python: {operation}"),
                size: size(versions),
                unit: "ms",
                dkdc: ours[name],
                peer: theirs[name],
                against: "the post's design",
                limit: times.map_or(Limit::None, Limit::Faster),
            });
        }
        leave(&room)
    }

    /// Ibis over current rows, and what a process takes to begin.
    fn questions(&self, report: &mut Report) -> Result<()> {
        let versions = self.plan.large();
        let room = self.plan.room("python-questions")?;
        let path = fill(&room, versions)?;
        let rounds = self.plan.rounds().to_string();
        let found = self.measure(&room, ["questions", &path, &rounds])?;
        let mut add = |operation: &str, dkdc: f64, peer: f64, against, limit| {
            report.add(Outcome {
                operation: format!("Python: {operation}"),
                size: size(versions),
                unit: "ms",
                dkdc,
                peer,
                against,
                limit,
            });
        };
        let native = "Ibis, native table";
        for (operation, name, limit) in [
            ("t().group_by().agg()", "live", Limit::AtMost(1.5)),
            ("the same after each write", "written", Limit::None),
            ("the same, first of a process", "first", Limit::None),
        ] {
            add(operation, found[name], found["native"], native, limit);
        }
        let python = |code: &str| {
            let mut command = Command::new(&self.python);
            run_one(command.args(["-c", code, &path]))
        };
        let begun = "import sys; from dkdc_todo import Todo; todo = Todo(sys.argv[1])";
        let get = format!("{begun}; todo.contains_todo('x')");
        let asked = format!("{begun}; todo.t().count().execute()");
        let medians = alternate(
            self.plan.rounds(),
            &mut [
                &mut || python("import ibis"),
                &mut || python("import ibis; ibis.memtable({'n': [1]}).count().execute()"),
                &mut || python(begun),
                &mut || python(&get),
                &mut || python(&asked),
            ],
        )?;
        let ibis = "import ibis";
        let asks = "Ibis asks a memtable";
        for (operation, took, peer, against, limit) in [
            ("import dkdc_todo; Todo()", 2, 0, ibis, Limit::Above(50.0)),
            ("the same and contains_todo()", 3, 0, ibis, Limit::None),
            ("the same and t().count()", 4, 1, asks, Limit::None),
        ] {
            add(operation, medians[took], medians[peer], against, limit);
        }
        leave(&room)
    }

    /// A pyarrow table, and the same records in Rust.
    fn bulk(&self, report: &mut Report) -> Result<()> {
        let count = self.plan.large();
        let room = self.plan.room("python-bulk")?;
        let mut pair = Pair::<Plain>::create(&room, "plain")?;
        let filled = pair.fill_by(BATCH, count)?;
        let path = text(pair.path())?;
        drop(pair);
        let new = text(&room.join("new.db"))?;
        let found = self.measure(&room, ["bulk", &path, &new])?;
        report.add(Outcome {
            operation: "Python: append_all of a pyarrow table".to_owned(),
            size: size(count),
            unit: "/s",
            dkdc: 1e3 / found["row"],
            peer: 1e6 / filled.dkdc,
            against: "dkdc in Rust, 10000 a batch",
            limit: Limit::AtLeast(0.8),
        });
        leave(&room)
    }
}

/// A todo list of a quarter as many todos as versions.
fn fill(room: &Path, versions: usize) -> Result<String> {
    let path = room.join("todo.db");
    let todos = Todos::open(&path)?;
    let mut feed = Feed::new(1);
    let mut ids = Vec::with_capacity(versions / VERSIONS);
    let table = todos.state().table::<Todo>()?;
    for at in (0..versions).step_by(BATCH.min(versions / VERSIONS)) {
        let count = BATCH.min(versions / VERSIONS);
        if at < versions / VERSIONS {
            let new: Vec<Todo> = feed.take(count);
            ids.extend(new.iter().map(|todo| todo.id.clone()));
            table.append_all(&new)?;
        } else {
            table.update_all(&feed.again::<Todo>(&ids, count))?;
        }
    }
    text(&path)
}

fn text(path: &Path) -> Result<String> {
    let path = path.to_str().ok_or("the folder's name is no text")?;
    Ok(path.to_owned())
}
