//! Questions over many rows, beside a native DuckDB table that holds exactly
//! the rows asked for: the limit of what can be reached.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dkdc_state::{Durability, Idx, State, Table};

use super::command::run_one;
use super::{Plan, leave, post, size};
use crate::Result;
use crate::measure::{alternate, micros};
use crate::native::{self, Native};
use crate::report::{Limit, Outcome, Report};
use crate::sample::{Feed, Plain};

/// Rows in a transaction while a store is filled.
const FILL: usize = 10_000;
/// Versions for each record.
const VERSIONS: usize = 4;

const AGGREGATE: &str = "select user_id, count(*), avg(priority) from {} group by user_id";
const TOP: &str = "select id, body, priority from {} order by priority desc, id limit 20";

fn over(question: &str, rows: &str) -> String {
    question.replace("{}", rows)
}

/// A store full of versions, and what was written.
struct Filled {
    state: State,
    table: Table<Plain>,
    ids: Vec<String>,
    middle: Idx,
    feed: Feed,
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

fn at_size(plan: &Plan, report: &mut Report, room: &Path, versions: usize) -> Result<()> {
    let path = room.join("analytics.db");
    let mut filled = fill(&path, versions)?;
    let native = Native::load(&filled.state, "plain", room)?;
    let size = size(versions);
    let mut add = |operation: &str, dkdc, peer, against, limit| {
        report.add(Outcome {
            operation: operation.to_owned(),
            size: size.clone(),
            unit: "ms",
            dkdc,
            peer,
            against,
            limit,
        });
    };

    add_rows_written(&mut add, &filled, versions);

    let current = over(AGGREGATE, "plain");
    let natively = over(AGGREGATE, "current");
    let medians = alternate(
        plan.rounds(),
        &mut [&mut || ask(&filled.state, &current), &mut || {
            native.ask(&natively)
        }],
    )?;
    let steady = medians[0];
    add(
        "aggregate over current rows",
        steady,
        medians[1],
        "DuckDB, native",
        Limit::AtMost(1.5),
    );

    let changed = after_each_write(plan, &mut filled, &native, &current, &natively)?;
    add(
        "the same after each write",
        changed.0,
        changed.1,
        "DuckDB, native",
        Limit::AtMost(2.0),
    );

    let history = over(AGGREGATE, "history.plain");
    let natively_all = over(AGGREGATE, "history");
    let medians = alternate(
        plan.rounds(),
        &mut [&mut || ask(&filled.state, &history), &mut || {
            native.ask(&natively_all)
        }],
    )?;
    add(
        "aggregate over all history",
        medians[0],
        medians[1],
        "DuckDB, native",
        Limit::AtMost(2.0),
    );

    let (top, natively_top) = (over(TOP, "plain"), over(TOP, "current"));
    let medians = alternate(
        plan.rounds(),
        &mut [&mut || ask(&filled.state, &top), &mut || {
            native.ask(&natively_top)
        }],
    )?;
    add(
        "top 20 by a column without index",
        medians[0],
        medians[1],
        "DuckDB, native",
        Limit::AtMost(3.0),
    );

    let then = over(
        AGGREGATE,
        &format!("plain_at({})", filled.middle.as_micros()),
    );
    let natively_then = over(AGGREGATE, &Native::as_of(filled.middle));
    let medians = alternate(
        plan.rounds(),
        &mut [&mut || ask(&filled.state, &then), &mut || {
            native.ask(&natively_then)
        }],
    )?;
    add(
        "aggregate as of the middle",
        medians[0],
        medians[1],
        "DuckDB, anti-join",
        Limit::AtMost(2.0),
    );

    // A process that keeps no rows in memory.
    drop((filled.table, filled.state));
    let state = State::options().hot_rows_bytes(0).open(&path)?;
    let medians = alternate(
        plan.rounds(),
        &mut [&mut || ask(&state, &current), &mut || native.ask(&natively)],
    )?;
    add(
        "aggregate, no hot rows",
        medians[0],
        medians[1],
        "DuckDB, native",
        Limit::AtMost(3.0),
    );
    drop((state, native));
    memory(report, room, &path, versions)?;

    if versions == plan.versions()[0] {
        post::aggregate(plan, report, steady, versions)?;
        whole_process(plan, report, &path, &current)?;
        beside_sealing(plan, report, room)?;
    }
    Ok(())
}

/// Rows in files for each version, with the mirror kept up to date all along.
fn add_rows_written(
    add: &mut impl FnMut(&str, f64, f64, &'static str, Limit),
    filled: &Filled,
    versions: usize,
) {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let [written, versions] = [filled.state.mirror_rows_written() as f64, versions as f64];
    let what = "rows written by the mirror";
    add(
        what,
        written / versions,
        1.0,
        "a row appended",
        Limit::AtMost(6.0),
    );
}

fn fill(path: &Path, versions: usize) -> Result<Filled> {
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

/// The most memory that a process takes which asks for the aggregate, beside one
/// that has the same rows in a native table.
fn memory(report: &mut Report, room: &Path, path: &Path, versions: usize) -> Result<()> {
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

/// Milliseconds until the last row is there.
fn ask(state: &State, question: &str) -> Result<f64> {
    let started = Instant::now();
    for batch in state.sql(question)? {
        black_box(batch?);
    }
    Ok(micros(started, 1) / 1000.0)
}

/// The question after each of some appends and updates, on both sides.
fn after_each_write(
    plan: &Plan,
    filled: &mut Filled,
    native: &Native,
    ours: &str,
    theirs: &str,
) -> Result<(f64, f64)> {
    let Filled {
        state,
        table,
        ids,
        feed,
        ..
    } = filled;
    let mut update = false;
    let medians = alternate(
        2 * plan.rounds(),
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
            &mut || native.ask(theirs),
        ],
    )?;
    Ok((medians[0], medians[1]))
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

/// Writes beside the mirror's work: a second thread makes the mirror anew, again
/// and again, which is more than sealing takes.
fn beside_sealing(plan: &Plan, report: &mut Report, room: &Path) -> Result<()> {
    let time = Duration::from_millis(if plan.quick { 300 } else { 2000 });
    for (operation, batch, durability, limit) in [
        ("append, Full, beside sealing", 1, Durability::Full, 0.8),
        (
            "append, 1000 a batch, beside sealing",
            1000,
            Durability::Full,
            0.6,
        ),
    ] {
        let path = room.join(format!("sealing-{batch}.db"));
        let mut filled = fill(&path, plan.versions()[0] / 10)?;
        let state = State::options().durability(durability);
        drop((filled.table, filled.state));
        let state = state.open(&path)?;
        let table = state.table::<Plain>()?;
        let feed = &mut filled.feed;
        let mut rate = |sealing: bool| -> Result<f64> {
            let done = AtomicBool::new(false);
            let rate = std::thread::scope(|scope| {
                let sealer = sealing.then(|| {
                    scope.spawn(|| {
                        while !done.load(Ordering::Relaxed) {
                            state.rebuild_mirror()?;
                        }
                        Ok::<(), dkdc_state::Error>(())
                    })
                });
                let rate = appends(&table, feed, batch, time);
                done.store(true, Ordering::Relaxed);
                match sealer.map(std::thread::ScopedJoinHandle::join) {
                    Some(Ok(sealed)) => sealed.map_err(Into::into).and(rate),
                    Some(Err(_)) => Err("the sealing thread panicked".into()),
                    None => rate,
                }
            })?;
            Ok(rate)
        };
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..5 {
            rates[0].push(rate(true)?);
            rates[1].push(rate(false)?);
        }
        let [with, without] = rates.map(|mut rates| crate::measure::median(&mut rates));
        report.add(Outcome {
            operation: operation.to_owned(),
            size: size(plan.versions()[0] / 10),
            unit: "/s",
            dkdc: with,
            peer: without,
            against: "without sealing",
            limit: Limit::AtLeast(limit),
        });
    }
    Ok(())
}

/// Rows a second, for so long.
fn appends(table: &Table<Plain>, feed: &mut Feed, batch: usize, time: Duration) -> Result<f64> {
    let mut rows = 0_u32;
    let mut spent = Duration::ZERO;
    while spent < time {
        let records: Vec<Plain> = feed.take(batch.max(100));
        let started = Instant::now();
        for records in records.chunks(batch) {
            table.append_all(records)?;
        }
        spent += started.elapsed();
        rows += u32::try_from(records.len())?;
    }
    Ok(f64::from(rows) / spent.as_secs_f64())
}
