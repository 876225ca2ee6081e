//! Many threads that append, each waiting for its own commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dkdc_state::{State, Table};

use super::{Plan, leave, size};
use crate::measure::alternate;
use crate::report::{Limit, Outcome, Report};
use crate::sample::{Feed, Plain};
use crate::{Failure, Result};

/// Commits a second under Full: 1 thread against 8 and 32.
pub(super) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let room = plan.room("threads")?;
    let state = State::open(room.join("threads.db"))?;
    let table = state.table::<Plain>()?;
    let records: Vec<Plain> = Feed::new(1).take(plan.small());
    table.append_all(&records)?;
    let time = Duration::from_millis(if plan.quick { 300 } else { 1000 });
    let rounds = if plan.quick { 3 } else { 7 };
    let seed = AtomicU64::new(0x1_0000);
    let medians = alternate(
        rounds,
        &mut [
            &mut || commits(&table, 1, time, &seed),
            &mut || commits(&table, 8, time, &seed),
            &mut || commits(&table, 32, time, &seed),
        ],
    )?;
    for (threads, dkdc, limit) in [(8, medians[1], 2.0), (32, medians[2], 3.0)] {
        report.add(Outcome {
            operation: format!("append, Full, {threads} threads"),
            size: size(plan.small()),
            unit: "/s",
            dkdc,
            peer: medians[0],
            against: "dkdc, 1 thread",
            limit: Limit::AtLeast(limit),
        });
    }
    drop((table, state));
    leave(&room)
}

/// How many records a second `threads` append in `time`.
fn commits(table: &Table<Plain>, threads: u64, time: Duration, seed: &AtomicU64) -> Result<f64> {
    // The records are made before the time begins.
    let worker = |mut records: std::vec::IntoIter<Plain>, until: Instant| {
        let mut commits = 0_u32;
        while Instant::now() < until {
            let record = records.next().ok_or("too few records for this machine")?;
            table.append(&record)?;
            commits += 1;
        }
        Ok::<u32, Failure>(commits)
    };
    let most = 100 * usize::try_from(time.as_millis())? / usize::try_from(threads.min(2))?;
    let stocks: Vec<Vec<Plain>> = (0..threads)
        .map(|_| Feed::new(seed.fetch_add(1, Ordering::Relaxed)).take(most))
        .collect();
    let started = Instant::now();
    let until = started + time;
    let commits = thread::scope(|scope| {
        let workers: Vec<_> = stocks
            .into_iter()
            .map(|stock| scope.spawn(move || worker(stock.into_iter(), until)))
            .collect();
        let mut all = 0;
        for worker in workers {
            all += worker.join().map_err(|_| "a thread panicked")??;
        }
        Ok::<u32, Failure>(all)
    })?;
    Ok(f64::from(commits) / started.elapsed().as_secs_f64())
}
