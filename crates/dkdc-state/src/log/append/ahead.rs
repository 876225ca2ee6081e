//! Making the writes of a large batch beside writing them: a second thread turns
//! records into values and hashes them, while the writer's goes through SQLite.
//!
//! The leaf of a row is made there too, as that of a record which never was there,
//! the only kind whose leaf depends on nothing that the writer alone knows. For any
//! other the writer makes it again.

use std::num::NonZero;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::{Action, Existing, Given, Make, Ready, Scribe, TableMeta};
use crate::error::Result;
use crate::log::Store;

/// So many writes are made and handed over together.
const PIECE: usize = 64;
/// Pieces that may wait for the writer.
const WAITING: usize = 4;
/// Writes that the writer makes itself, while the thread begins.
const OWN: usize = 32;
/// Fewer than these are not worth a thread.
const MANY: usize = 96;

static ONE_CORE: LazyLock<bool> = LazyLock::new(|| {
    thread::available_parallelism().is_ok_and(|cores| cores == NonZero::<usize>::MIN)
});

/// Makes so many writes and gives them to `take` in their order, up to the first
/// error.
pub(super) fn each<'r>(
    store: &Store,
    meta: &TableMeta,
    scribe: &mut Scribe,
    (count, make): (usize, &Make<'r>),
    mut take: impl FnMut(Ready<'r>) -> Result<()>,
) -> Result<()> {
    let here = |places: Range<usize>, take: &mut dyn FnMut(Ready<'r>) -> Result<()>| {
        let mut made = places.map(|at| make(&meta.schema, at).map(Ready::from));
        made.try_for_each(|ready| take(ready?))
    };
    if count < MANY || *ONE_CORE {
        return here(0..count, &mut take);
    }
    thread::scope(|scope| {
        let (send, pieces) = sync_channel(WAITING);
        let there = move || make_pieces(store, meta, scribe, (OWN..count, make), &send);
        let Ok(thread) = thread::Builder::new().spawn_scoped(scope, there) else {
            return here(0..count, &mut take);
        };
        // Dropped by whoever fails, so that the thread ends.
        let written = here(0..OWN, &mut take).and_then(|()| {
            let mut made = pieces.into_iter().flatten();
            made.try_for_each(|ready| take(ready?))
        });
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
        written
    })
}

/// Makes writes and hands them over, as long as somebody takes them.
fn make_pieces<'r>(
    store: &Store,
    meta: &TableMeta,
    scribe: &mut Scribe,
    (places, make): (Range<usize>, &Make<'r>),
    send: &SyncSender<Vec<Result<Ready<'r>>>>,
) {
    // The records' own code runs here: see Group::submit.
    let _inside = store.enter();
    for from in places.clone().step_by(PIECE) {
        let piece = from..places.end.min(from + PIECE);
        let made = piece.map(|at| make_one(meta, scribe, make, at)).collect();
        if send.send(made).is_err() {
            return;
        }
    }
}

fn make_one<'r>(
    meta: &TableMeta,
    scribe: &mut Scribe,
    make: &Make<'r>,
    at: usize,
) -> Result<Ready<'r>> {
    let mut write = make(&meta.schema, at)?;
    let columns = &meta.schema.columns;
    let mut leaf = None;
    if let Action::Put(existing @ (Existing::Refused | Existing::Either), values) =
        &mut write.action
    {
        if *existing == Existing::Refused {
            values.resize_with(columns.len(), || None);
            for (value, column) in values.iter_mut().zip(columns) {
                let default = || Given::Value(column.default.clone().unwrap_or_default());
                value.get_or_insert_with(default);
            }
        }
        if values.len() == columns.len() && values.iter().all(Option::is_some) {
            leaf = Some(scribe.first(meta.schema.number, &write.id, values)?);
        }
    }
    Ok(Ready { write, leaf })
}
