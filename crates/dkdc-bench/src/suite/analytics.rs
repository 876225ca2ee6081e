//! Questions over many rows, beside a native DuckDB table that holds exactly
//! the rows asked for: the limit of what can be reached.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use dkdc_state::{Durability, Idx, State, Table};

use super::command::run_one;
use super::{Plan, leave, memory, post, sealing, size};
use crate::Result;
use crate::measure::{Side, alternate, micros};
use crate::native::Native;
use crate::report::{Limit, Outcome, Report};
use crate::sample::{Feed, Plain};

/// Rows in a transaction while a store is filled.
const FILL: usize = 10_000;
/// Versions for each record.
const VERSIONS: usize = 4;

pub(super) const AGGREGATE: &str =
    "select user_id, count(*), avg(priority) from {} group by user_id";
const TOP: &str = "select id, body, priority from {} order by priority desc, id limit 20";

pub(super) fn over(question: &str, rows: &str) -> String {
    question.replace("{}", rows)
}

/// A store full of versions, and what was written.
pub(super) struct Filled {
    pub(super) state: State,
    pub(super) table: Table<Plain>,
    ids: Vec<String>,
    middle: Idx,
    pub(super) feed: Feed,
}

/// All questions, at each size.
pub(super) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for versions in plan.versions() {
        let room = plan.room(&format!("analytics-{}", size(versions)))?;
        at_size(plan, report, &room, versions)?;
        leave(&room)?;
    }
    Ok(())
}

/// dkdc and native tables that hold the same rows, asked in turns.
struct Sides<'a> {
    report: &'a mut Report,
    native: &'a Native,
    size: String,
    rounds: usize,
}

impl Sides<'_> {
    fn add(
        &mut self,
        operation: &str,
        [dkdc, peer]: [f64; 2],
        against: &'static str,
        limit: Limit,
    ) {
        self.report.add(Outcome {
            operation: operation.to_owned(),
            size: self.size.clone(),
            unit: "ms",
            dkdc,
            peer,
            against,
            limit,
        });
    }

    /// One question, and the same to the native tables; returns the medians.
    fn ask(
        &mut self,
        operation: &str,
        (state, ours): (&State, &str),
        theirs: &str,
        (against, limit): (&'static str, Limit),
    ) -> Result<[f64; 2]> {
        let mut sides: [Side<'_>; 2] = [&mut || ask(state, ours), &mut || self.native.ask(theirs)];
        let medians = alternate(self.rounds, &mut sides)?;
        let medians = [medians[0], medians[1]];
        self.add(operation, medians, against, limit);
        Ok(medians)
    }
}

const NATIVE: &str = "DuckDB, native";

fn at_size(plan: &Plan, report: &mut Report, room: &Path, versions: usize) -> Result<()> {
    let path = room.join("analytics.db");
    let mut filled = fill(&path, versions)?;
    let native = Native::load(&filled.state, "plain", room)?;
    add_rows_written(report, &filled, versions);
    let first = versions == plan.versions()[0];
    let mut sides = Sides {
        report,
        native: &native,
        size: size(versions),
        // What takes long varies less.
        rounds: if first {
            plan.rounds()
        } else {
            plan.rounds() / 2
        },
    };
    let (current, theirs) = (over(AGGREGATE, "plain"), over(AGGREGATE, "current"));

    let limit = (NATIVE, Limit::AtMost(1.5));
    let what = "aggregate over current rows";
    let steady = sides.ask(what, (&filled.state, &current), &theirs, limit)?;

    let changed = after_each_write(&mut filled, &sides, &current, &theirs)?;
    let what = "the same after each write";
    sides.add(what, changed, NATIVE, Limit::AtMost(2.0));

    let state = &filled.state;
    let ours = over(AGGREGATE, "history.plain");
    let limit = (NATIVE, Limit::AtMost(2.0));
    let what = "aggregate over all history";
    sides.ask(what, (state, &ours), &over(AGGREGATE, "history"), limit)?;

    let limit = (NATIVE, Limit::AtMost(3.0));
    let what = "top 20 by a column without index";
    sides.ask(
        what,
        (state, &over(TOP, "plain")),
        &over(TOP, "current"),
        limit,
    )?;

    let ours = format!("plain_at({})", filled.middle.as_micros());
    let theirs_then = over(AGGREGATE, &Native::as_of(filled.middle));
    let limit = ("DuckDB, anti-join", Limit::AtMost(2.0));
    let what = "aggregate as of the middle";
    sides.ask(what, (state, &over(AGGREGATE, &ours)), &theirs_then, limit)?;

    // A process that keeps no rows in memory.
    drop((filled.table, filled.state));
    let state = State::options().hot_rows_bytes(0).open(&path)?;
    let limit = (NATIVE, Limit::AtMost(3.0));
    let what = "aggregate, no hot rows";
    sides.ask(what, (&state, &current), &theirs, limit)?;
    drop((state, native));
    memory::run(report, room, &path, versions)?;

    if first {
        post::aggregate(plan, report, steady[0], versions)?;
        whole_process(plan, report, &path, &current)?;
        sealing::run(plan, report, room)?;
    }
    Ok(())
}

/// Rows in files for each version, with the mirror kept up to date all along.
fn add_rows_written(report: &mut Report, filled: &Filled, versions: usize) {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let written = filled.state.mirror_rows_written() as f64 / versions as f64;
    report.add(Outcome {
        operation: "rows written by the mirror".to_owned(),
        size: size(versions),
        unit: "",
        dkdc: written,
        peer: 1.0,
        against: "a row appended",
        limit: Limit::AtMost(6.0),
    });
}

pub(super) fn fill(path: &Path, versions: usize) -> Result<Filled> {
    let state = State::options()
        .durability(Durability::Relaxed)
        .open(path)?;
    let table = state.table::<Plain>()?;
    let mut feed = Feed::new(1);
    let mut ids = Vec::with_capacity(versions / VERSIONS);
    let mut middle = Idx::ZERO;
    for at in 0..versions / FILL {
        let written = if ids.len() < versions / VERSIONS {
            let records: Vec<Plain> = feed.take(FILL);
            ids.extend(records.iter().map(|record| record.id.clone()));
            table.append_all(&records)?
        } else {
            let records: Vec<Plain> = feed.again(&ids, FILL);
            table.update_all(&records)?
        };
        // What is due is done now: a writer that takes its time costs most.
        state.keep_mirror()?;
        if at == versions / FILL / 2 {
            middle = written.last().map_or(middle, |version| version.idx);
        }
    }
    // A tail, as a store has that is written.
    for record in feed.again::<Plain>(&ids, 1000) {
        table.update(&record)?;
    }
    Ok(Filled {
        state,
        table,
        ids,
        middle,
        feed,
    })
}

/// Milliseconds until the last row is there.
pub(super) fn ask(state: &State, question: &str) -> Result<f64> {
    let started = Instant::now();
    for batch in state.sql(question)? {
        black_box(batch?);
    }
    Ok(micros(started, 1) / 1000.0)
}

/// The question after each of some appends and updates, on both sides.
fn after_each_write(
    filled: &mut Filled,
    sides: &Sides<'_>,
    ours: &str,
    theirs: &str,
) -> Result<[f64; 2]> {
    let Filled {
        state,
        table,
        ids,
        feed,
        ..
    } = filled;
    let mut update = false;
    let medians = alternate(
        2 * sides.rounds,
        &mut [
            &mut || {
                update = !update;
                if update {
                    table.update(&feed.again::<Plain>(ids, 1)[0])?;
                } else {
                    table.append(&feed.take::<Plain>(1)[0])?;
                }
                ask(state, ours)
            },
            &mut || sides.native.ask(theirs),
        ],
    )?;
    Ok([medians[0], medians[1]])
}

/// `dkdc sql`, from start to end, beside a process that opens DuckDB.
fn whole_process(plan: &Plan, report: &mut Report, path: &Path, question: &str) -> Result<()> {
    const WHAT: &str = "dkdc sql, whole process";
    if !plan.dkdc.is_file() {
        report.skip(WHAT, "there is no program dkdc; name it by --dkdc");
        return Ok(());
    }
    let this = std::env::current_exe()?;
    let medians = alternate(
        plan.rounds(),
        &mut [
            &mut || {
                run_one(
                    Command::new(&plan.dkdc)
                        .arg("--db")
                        .arg(path)
                        .args(["sql", question]),
                )
            },
            &mut || run_one(Command::new(&this).arg("--select-42")),
        ],
    )?;
    report.add(Outcome {
        operation: WHAT.to_owned(),
        size: size(plan.versions()[0]),
        unit: "ms",
        dkdc: medians[0],
        peer: medians[1],
        against: "opens DuckDB, selects 42",
        limit: Limit::Above(60.0),
    });
    Ok(())
}
