//! What declared indexes cost: appends to todos, which have two.

use std::path::Path;

use dkdc_state::Durability;
use dkdc_todo::Todo;

use super::{Plan, size};
use crate::measure::{alternate, each};
use crate::report::{Limit, Outcome, Report};
use crate::sample::{Feed, Text};
use crate::store::Pair;
use crate::{Result, Suite};

/// Fills a store with todos; returns it with all that was appended.
pub(super) fn run(plan: &Plan, report: &mut Report, room: &Path) -> Result<Pair<Todo>> {
    let mut pair = Pair::<Todo>::create(room, "todos")?;
    pair.log.index()?;
    let filled = pair.fill(plan.large())?;
    if !plan.wants(Suite::Indexed) {
        return Ok(pair);
    }
    let mut add = |operation: String, dkdc, peer| {
        report.add(Outcome {
            operation,
            size: size(plan.large()),
            unit: "us",
            dkdc,
            peer,
            against: "A, two indexes",
            limit: Limit::None,
        });
    };
    add(
        "append, 1000 a batch, two indexes".to_owned(),
        filled.dkdc,
        filled.peer,
    );
    for durability in [Durability::Full, Durability::Relaxed] {
        pair = pair.reopen(durability)?;
        let seed = 0x200 + u64::from(durability == Durability::Full);
        let (mut feed, mut same) = (Feed::new(seed), Feed::new(seed));
        let medians = alternate(
            plan.rounds(),
            &mut [
                &mut || {
                    let todos: Vec<Todo> = feed.take(500);
                    each(&todos, |todo| {
                        pair.table.append(todo).map(|_| ()).map_err(Into::into)
                    })
                },
                &mut || {
                    let texts: Vec<Text> = same.take(500);
                    each(&texts, |text| pair.log.append(text))
                },
            ],
        )?;
        add(
            format!("append, {durability:?}, two indexes"),
            medians[0],
            medians[1],
        );
    }
    Ok(pair)
}
