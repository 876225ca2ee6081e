//! One version a commit, one thread.

use dkdc_state::Durability;

use super::{Plan, size};
use crate::Result;
use crate::measure::{alternate, each};
use crate::report::{Limit, Outcome, Report};
use crate::sample::{Feed, Plain, Text};
use crate::store::Pair;

/// Appends and updates, Full and Relaxed.
pub(super) fn run(plan: &Plan, report: &mut Report, pair: Pair<Plain>) -> Result<Pair<Plain>> {
    let count = pair.ids.len();
    let mut pair = pair;
    for durability in [Durability::Full, Durability::Relaxed] {
        pair = pair.reopen(durability)?;
        let limit = match durability {
            Durability::Full => 1.25,
            Durability::Relaxed => 2.0,
        };
        // Long enough a round for checkpoints to count on both sides.
        let writes = match (durability, plan.quick) {
            (_, true) => 400,
            (Durability::Full, _) => 1000,
            (Durability::Relaxed, _) => 2000,
        };
        for update in [false, true] {
            let (dkdc, peer) = measure(&pair, plan.rounds(), writes, update, durability)?;
            let operation = if update { "update" } else { "append" };
            report.add(Outcome {
                operation: format!("{operation}, {durability:?}"),
                size: size(count),
                unit: "us",
                dkdc,
                peer,
                against: "A",
                limit: Limit::AtMost(limit),
            });
        }
    }
    Ok(pair)
}

fn measure(
    pair: &Pair<Plain>,
    rounds: usize,
    writes: usize,
    update: bool,
    durability: Durability,
) -> Result<(f64, f64)> {
    let seed = 0x100 + 2 * u64::from(update) + u64::from(durability == Durability::Full);
    let (mut feed, mut same) = (Feed::new(seed), Feed::new(seed));
    let medians = alternate(
        rounds,
        &mut [
            &mut || {
                if update {
                    let records: Vec<Plain> = feed.again(&pair.ids, writes);
                    each(&records, |record| {
                        pair.table.update(record).map(|_| ()).map_err(Into::into)
                    })
                } else {
                    let records: Vec<Plain> = feed.take(writes);
                    each(&records, |record| {
                        pair.table.append(record).map(|_| ()).map_err(Into::into)
                    })
                }
            },
            &mut || {
                let texts: Vec<Text> = if update {
                    same.again(&pair.ids, writes)
                } else {
                    same.take(writes)
                };
                each(&texts, |text| pair.log.append(text))
            },
        ],
    )?;
    Ok((medians[0], medians[1]))
}
