//! Writes while the mirror is written.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dkdc_state::{Durability, State, Table};

use super::analytics::fill;
use super::{Plan, size};
use crate::Result;
use crate::report::{Limit, Outcome, Report};
use crate::sample::{Feed, Plain};

/// Writes beside the mirror's work: a second thread makes the mirror anew, again
/// and again, which is more than sealing takes.
pub(super) fn run(plan: &Plan, report: &mut Report, room: &Path) -> Result<()> {
    let time = Duration::from_millis(if plan.quick { 300 } else { 1500 });
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
