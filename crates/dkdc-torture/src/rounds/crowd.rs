//! As many writers as may come: eight processes of eight threads.

use super::Round;
use super::process::Writing;
use crate::Result;
use crate::work::SEAL_ROWS;

const PROCESSES: u64 = 8;
const THREADS: u64 = 8;

/// Nobody dies, so nothing is in doubt: every operation is acknowledged or
/// refused.
pub(super) fn run(round: &mut Round<'_>, operations: u64) -> Result<()> {
    let relaxed = round.random.one_in(2);
    let mut writers = Vec::new();
    for worker in 1..=PROCESSES {
        let writing = Writing {
            worker,
            threads: THREADS,
            operations,
            // Of long work files would be by the thousand.
            seal_rows: SEAL_ROWS.max(operations),
            seed: round.random.number(),
            relaxed,
            wobble: false,
            plan: None,
        };
        writers.push(round.writer(&writing)?);
    }
    for writer in writers {
        writer.finish()?;
    }
    let judged = round.judge()?;
    if judged.acknowledged + judged.refused != PROCESSES * THREADS * operations
        || judged.present + judged.absent > 0
    {
        return Err(format!("not every operation has its answer: {judged:?}").into());
    }
    round.tally.acknowledged += judged.acknowledged;
    Ok(())
}
