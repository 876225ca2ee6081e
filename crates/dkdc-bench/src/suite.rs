//! What is measured, in which order, at which sizes.

mod analytics;
mod asof;
mod command;
mod indexed;
mod lake;
mod memory;
mod post;
mod python;
mod reads;
mod sealing;
mod threads;
mod writes;

use std::fs;
use std::path::{Path, PathBuf};

use crate::report::{Limit, Outcome, Report};
use crate::sample::Plain;
use crate::store::{BATCH, Filled, Pair};
use crate::{Result, Suite};

pub(crate) use memory::peak_memory;

/// What to run.
pub(crate) struct Plan {
    /// Where the databases go.
    pub(crate) folder: PathBuf,
    /// Empty: everything.
    pub(crate) only: Vec<Suite>,
    pub(crate) quick: bool,
    /// Versions that are asked about; empty: the sizes that the limits are for.
    pub(crate) sizes: Vec<usize>,
    /// The program `dkdc`.
    pub(crate) dkdc: PathBuf,
    /// The folder of this program, where the Python of a peer is kept.
    pub(crate) beside: PathBuf,
}

impl Plan {
    fn wants(&self, suite: Suite) -> bool {
        self.only.is_empty() || self.only.contains(&suite)
    }

    fn small(&self) -> usize {
        10_000
    }

    fn large(&self) -> usize {
        if self.quick { 100_000 } else { 1_000_000 }
    }

    /// Versions that are asked about.
    fn versions(&self) -> Vec<usize> {
        if !self.sizes.is_empty() {
            self.sizes.clone()
        } else if self.quick {
            vec![100_000]
        } else {
            vec![1_000_000, 10_000_000]
        }
    }

    fn rounds(&self) -> usize {
        if self.quick { 5 } else { 15 }
    }

    /// A folder for one measurement, to be removed after it.
    fn room(&self, name: &str) -> Result<PathBuf> {
        println!("measuring: {name}");
        let room = self.folder.join(name);
        fs::create_dir(&room)?;
        Ok(room)
    }
}

fn leave(room: &Path) -> Result<()> {
    Ok(fs::remove_dir_all(room)?)
}

/// A number of records, for people.
fn size(count: usize) -> String {
    match count {
        0..1000 => count.to_string(),
        1000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

/// Runs what the plan wants.
pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let sized = [Suite::Batches, Suite::Reads, Suite::Writes];
    if sized.into_iter().any(|suite| plan.wants(suite)) {
        report.begin("records");
        let small = at_size(plan, report, plan.small())?;
        let large = at_size(plan, report, plan.large())?;
        for (small, large) in small.iter().zip(&large) {
            report.add(reads::growth(small, large));
        }
    }
    if plan.wants(Suite::Threads) {
        report.begin("threads");
        threads::run(plan, report)?;
    }
    if plan.wants(Suite::Asof) {
        report.begin("asof");
        asof::run(plan, report)?;
    }
    if plan.wants(Suite::Analytics) {
        report.begin("analytics");
        analytics::run(plan, report)?;
    }
    if plan.wants(Suite::Post) {
        report.begin("post");
        post::todos(plan, report)?;
    }
    if plan.wants(Suite::Lake) {
        report.begin("lake");
        lake::run(plan, report)?;
    }
    if plan.wants(Suite::Python) {
        report.begin("python");
        python::run(plan, report)?;
    }
    if plan.wants(Suite::Indexed) || plan.wants(Suite::Command) {
        report.begin("todos");
        let room = plan.room("todos")?;
        let todos = indexed::run(plan, report, &room)?;
        if plan.wants(Suite::Command) {
            command::run(plan, report, &room, todos)?;
        }
        leave(&room)?;
    }
    Ok(())
}

fn batches(report: &mut Report, batch: usize, count: usize, filled: &Filled) {
    report.add(Outcome {
        operation: format!("append, {batch} a batch"),
        size: size(count),
        unit: "us",
        dkdc: filled.dkdc,
        peer: filled.peer,
        against: "A",
        limit: Limit::AtMost(2.5),
    });
}

/// Batches, reads and writes, on one pair; returns the reads, whose growth
/// counts.
fn at_size(plan: &Plan, report: &mut Report, count: usize) -> Result<Vec<Outcome>> {
    let room = plan.room(&size(count))?;
    let mut pair = Pair::<Plain>::create(&room, "plain")?;
    let filled = pair.fill(count)?;
    if plan.wants(Suite::Batches) && count == plan.large() {
        batches(report, BATCH, count, &filled);
        for batch in [100, 10_000] {
            let room = plan.room(&format!("batches-{batch}"))?;
            let mut pair = Pair::<Plain>::create(&room, "plain")?;
            batches(report, batch, count, &pair.fill_by(batch, count)?);
            drop(pair);
            leave(&room)?;
        }
    }
    let mut reads = Vec::new();
    if plan.wants(Suite::Reads) {
        reads = reads::run(plan, &pair, &room)?;
        reads.iter().for_each(|read| report.add(read.clone()));
    }
    if plan.wants(Suite::Writes) {
        pair = writes::run(plan, report, pair)?;
    }
    drop(pair);
    leave(&room)?;
    Ok(reads)
}
