//! A process that only reads, beside writers that die: it must never see half
//! of anything.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use dkdc_state::arrow_array::cast::AsArray;
use dkdc_state::arrow_array::types::Int64Type;
use dkdc_state::{Durability, Error, ErrorKind, Idx, Snapshot, Value};

use crate::{Result, work};

/// Reads until told to stop. Returns how many snapshots were read.
///
/// # Errors
/// With what no reader may see, or an error that no reader may meet.
pub fn run(store: &Path, read_only: bool, stop: &AtomicBool) -> Result<u64> {
    let mut snapshots = 0;
    let mut last = Idx::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let options = work::options(Durability::Full).read_only(read_only);
        let state = match options.create(false).open(store) {
            Ok(state) => state,
            // Nobody has made it yet.
            Err(Error::NoStore { .. } | Error::NotAStore { .. }) => {
                std::thread::sleep(std::time::Duration::from_millis(2));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // The handle, with its connections, is let go from time to time.
        for _ in 0..20 {
            let snapshot = state.snapshot()?;
            if snapshot.idx() < last {
                return Err(
                    format!("the store goes back from {last} to {}", snapshot.idx()).into(),
                );
            }
            last = snapshot.idx();
            match look(&snapshot) {
                Ok(()) => snapshots += 1,
                Err(error) if is_met(&error) => {}
                Err(error) => return Err(error),
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    Ok(snapshots)
}

/// What a reader may meet: a table that is not there yet, and the clear word that
/// a file of the mirror was harmed under it.
fn is_met(error: &crate::Failure) -> bool {
    let known = error.downcast_ref::<Error>();
    known.is_some_and(|error| {
        error.kind() == ErrorKind::NotFound || matches!(error, Error::Changed { .. })
    })
}

/// One snapshot: both halves of a pair are of one transaction, and SQL agrees
/// with the indexes.
fn look(snapshot: &Snapshot) -> Result<()> {
    let pairs = snapshot.rows("pairs")?;
    for which in 0..4 {
        let half = |side: &str| -> Result<Option<(Idx, i64)>> {
            let half = pairs.get(&format!("{side}{which}"))?;
            Ok(half.map(|half| {
                let token = half.get("token").and_then(Value::as_int);
                (half.idx(), token.unwrap_or(0))
            }))
        };
        match (half("left")?, half("right")?) {
            (None, None) => {}
            (Some((a, left)), Some((b, right)))
                if left + 1 == right && a.as_micros() + 1 == b.as_micros() => {}
            halves => return Err(format!("half a pair: {halves:?}").into()),
        }
    }
    let notes = snapshot.rows("notes")?;
    let count = notes.count()?;
    let query = "select count(*) from notes";
    for batch in snapshot.sql(query)? {
        let batch = batch?;
        let asked = batch.column(0).as_primitive::<Int64Type>().value(0);
        if u64::try_from(asked)? != count {
            return Err(format!(
                "SQL counts {asked} notes as of {}, not {count}",
                snapshot.idx()
            )
            .into());
        }
    }
    Ok(())
}
