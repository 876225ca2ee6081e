//! Get and contains, beside a table that holds only the latest rows.

use std::hint::black_box;
use std::path::Path;

use super::{Plan, size};
use crate::Result;
use crate::measure::{alternate, each};
use crate::peer::Latest;
use crate::report::{Limit, Outcome};
use crate::sample::{Feed, Plain, Text};
use crate::store::{BATCH, Pair};

/// Contains and get, in this order. Of the two shapes of peer B, each
/// operation meets the faster.
pub(super) fn run(plan: &Plan, pair: &Pair<Plain>, room: &Path) -> Result<Vec<Outcome>> {
    let count = pair.ids.len();
    let mut clustered = Latest::create(&room.join("clustered.db"), true)?;
    let mut rowid = Latest::create(&room.join("rowid.db"), false)?;
    let mut feed = Feed::new(1);
    for _ in 0..count / BATCH {
        let texts: Vec<Text> = feed.take(BATCH);
        clustered.fill(&texts)?;
        rowid.fill(&texts)?;
    }
    let reads = if plan.quick { 5_000 } else { 20_000 };
    let table = &pair.table;
    let mut outcomes = Vec::new();
    for (operation, limit) in [("contains", 1.5), ("get", 2.5)] {
        let get = operation == "get";
        let feeds = &mut [Feed::new(7), Feed::new(7), Feed::new(7)];
        let [a, b, c] = feeds;
        let peer = |latest: &Latest, feed: &mut Feed| {
            let ids = feed.ids(&pair.ids, reads);
            each(&ids, |id| {
                if get {
                    black_box(latest.get(id)?.ok_or("a record is missing")?);
                } else {
                    black_box(latest.contains(id)?);
                }
                Ok(())
            })
        };
        let medians = alternate(
            plan.rounds(),
            &mut [
                &mut || {
                    let ids = a.ids(&pair.ids, reads);
                    each(&ids, |id| {
                        if get {
                            black_box(table.get(id)?.ok_or("a record is missing")?);
                        } else {
                            black_box(table.contains(id)?);
                        }
                        Ok(())
                    })
                },
                &mut || peer(&clustered, b),
                &mut || peer(&rowid, c),
            ],
        )?;
        let (peer, against) = if medians[1] < medians[2] {
            (medians[1], "B, without rowid")
        } else {
            (medians[2], "B, with rowid")
        };
        outcomes.push(Outcome {
            operation: operation.to_owned(),
            size: size(count),
            unit: "us",
            dkdc: medians[0],
            peer,
            against,
            limit: Limit::AtMost(limit),
        });
    }
    Ok(outcomes)
}

/// How much slower an operation is in the larger store.
pub(super) fn growth(small: &Outcome, large: &Outcome) -> Outcome {
    Outcome {
        operation: format!("{}, growth", small.operation),
        size: format!("{} to {}", small.size, large.size),
        unit: "x",
        dkdc: large.dkdc / small.dkdc,
        peer: large.peer / small.peer,
        against: "B",
        limit: Limit::AtMost(1.25),
    }
}
