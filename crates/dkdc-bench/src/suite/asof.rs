//! One record with a long history: the newest version, one from the middle, and
//! what the middle costs when every newer version is walked.

#![expect(
    clippy::disallowed_methods,
    reason = "the walk is what a reader without waypoints would do"
)]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use dkdc_state::{Durability, Idx, State};
use rusqlite::{Connection, OpenFlags};

use super::{Plan, leave, size};
use crate::Result;
use crate::measure::{alternate, each, micros};
use crate::report::{Limit, Outcome, Report};
use crate::sample::{Feed, Plain};
use crate::store::BATCH;

/// Gets as of the middle of a record's history.
pub(super) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let room = plan.room("asof")?;
    let path = room.join("asof.db");
    let versions = plan.large() / 10;
    let state = State::options()
        .durability(Durability::Relaxed)
        .open(&path)?;
    let table = state.table::<Plain>()?;
    let mut feed = Feed::new(3);
    let others: Vec<Plain> = feed.take(plan.small());
    table.append_all(&others)?;
    let ids = [others[0].id.clone()];
    let mut all = Vec::with_capacity(versions);
    for _ in 0..versions / BATCH {
        let updates: Vec<Plain> = feed.again(&ids, BATCH);
        all.extend(table.update_all(&updates)?);
    }
    let middle = all[versions / 2].idx;
    let then = state.at(middle.into())?.table::<Plain>()?;
    let repeat = vec![ids[0].as_str(); 1000];
    let walker = walker(&path)?;
    let medians = alternate(
        plan.rounds(),
        &mut [
            &mut || {
                each(&repeat, |id| {
                    black_box(then.get(id)?.ok_or("the version is missing")?);
                    Ok(())
                })
            },
            &mut || {
                each(&repeat, |id| {
                    black_box(table.get(id)?.ok_or("the record is missing")?);
                    Ok(())
                })
            },
            &mut || {
                let started = Instant::now();
                walk(&walker, &ids[0], middle)?;
                Ok(micros(started, 1))
            },
        ],
    )?;
    for (peer, against) in [
        (medians[1], "dkdc, newest get"),
        (medians[2], "walking _prev"),
    ] {
        report.add(Outcome {
            operation: "get as of the middle".to_owned(),
            size: format!("{} versions", size(versions)),
            unit: "us",
            dkdc: medians[0],
            peer,
            against,
            limit: Limit::None,
        });
    }
    drop((then, table, state));
    leave(&room)
}

fn walker(path: &Path) -> Result<Connection> {
    Ok(Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY,
    )?)
}

/// From the newest version back to the one at or before `asof`.
fn walk(conn: &Connection, id: &str, asof: Idx) -> Result<()> {
    let mut at: i64 = conn.query_row("SELECT max(idx) FROM plain WHERE id = ?1", [id], |row| {
        row.get(0)
    })?;
    let mut step = conn.prepare_cached("SELECT _prev FROM plain WHERE idx = ?1")?;
    while at > asof.as_micros() {
        at = step.query_row([at], |row| row.get(0))?;
    }
    if at == asof.as_micros() {
        Ok(())
    } else {
        Err("the walk ended elsewhere".into())
    }
}
