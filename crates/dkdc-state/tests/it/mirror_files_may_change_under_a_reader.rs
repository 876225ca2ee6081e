//! A file of the mirror was flipped or taken away between the moment in which
//! it was verified and the one in which it was read.
//!
//! The failures to prevent: a question fails because a cache is gone; it is
//! answered with what nobody wrote; a new file is made of an altered one, and
//! is believed from then on.

use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use dkdc_state::arrow_array::cast::AsArray;
use dkdc_state::arrow_array::types::Int64Type;
use dkdc_state::{Error, Result, Row, State};

use crate::support::{Place, assert_sound, note, notes, quick};

/// Flips a bit of some file, or takes it away, again and again. Counts.
fn harm(folder: &Path, done: &AtomicBool, harmed: &AtomicU64) {
    let mut turn = 0_u64;
    while !done.load(Ordering::Relaxed) {
        // Not all the time: whoever writes files anew must come to an end.
        std::thread::sleep(std::time::Duration::from_millis(5));
        let Ok(files) = std::fs::read_dir(folder) else {
            continue;
        };
        for file in files.flatten() {
            turn += 1;
            let path = file.path();
            if path.extension().is_none_or(|ending| ending != "parquet") || !turn.is_multiple_of(7)
            {
                continue;
            }
            // Its owner may be faster.
            let done = if turn.is_multiple_of(2) {
                std::fs::remove_file(&path)
            } else {
                flip(&path, turn)
            };
            harmed.fetch_add(u64::from(done.is_ok()), Ordering::Relaxed);
        }
    }
}

fn flip(path: &Path, turn: u64) -> std::io::Result<()> {
    let file = std::fs::File::open(path)?;
    let meta = file.metadata()?;
    if !is_settled(&meta) {
        return Err(std::io::ErrorKind::WouldBlock.into());
    }
    let len = meta.len().max(1);
    let (at, mut byte) = (turn.wrapping_mul(2_654_435_761) % len, [0]);
    file.read_exact_at(&mut byte, at)?;
    byte[0] ^= 16;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))?;
    let file = std::fs::OpenOptions::new().write(true).open(path)?;
    file.write_all_at(&byte, at)
}

/// A file that changes in the very tick of the file system's clock in which it was
/// written has the times that it had: only `check` sees that.
fn is_settled(meta: &std::fs::Metadata) -> bool {
    let seconds = u64::try_from(meta.ctime()).unwrap_or(0);
    let since = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds + 1);
    since.elapsed().is_ok()
}

/// Tells the other thread, also when this one panics.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn sums(state: &State) -> Result<Vec<i64>> {
    let mut sums = Vec::new();
    for query in [
        "select sum(n)::bigint from notes",
        "select sum(n)::bigint from history.notes",
    ] {
        for batch in state.sql(query)? {
            sums.push(batch?.column(0).as_primitive::<Int64Type>().value(0));
        }
    }
    Ok(sums)
}

#[test]
fn no_answer_and_no_file_is_made_of_what_was_altered() {
    let place = Place::new();
    let options = quick().seal_rows(100).hot_rows_bytes(1 << 20);
    let state = options.open(place.db()).expect("a store");
    let table = state.define(&notes()).expect("a table");
    let (done, harmed) = (AtomicBool::new(false), AtomicU64::new(0));
    let mirror = place.at("data.db-mirror");
    let (mut answered, mut changed, mut n) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| harm(&mirror, &done, &harmed));
        let _done = Done(&done);
        let mut sum = 0;
        while n < 60_000 && (answered < 30 || harmed.load(Ordering::Relaxed) < 50) {
            let rows: Vec<Row> = (n..n + 60).map(|n| note(&n.to_string(), n)).collect();
            table.append_all(&rows).expect("the log is not harmed");
            sum += (n..n + 60).sum::<i64>();
            n += 60;
            // A file that vanishes while it is made of others is no failure of
            // the store.
            let _ = state.keep_mirror();
            match sums(&state) {
                Ok(sums) => {
                    assert_eq!(sums, [sum, sum], "rows that nobody wrote");
                    answered += 1;
                }
                Err(Error::Changed { .. }) => changed += 1,
                Err(error) => panic!("after {answered} answers and {changed} changes: {error}"),
            }
        }
    });
    assert!(
        answered >= 30 && harmed.into_inner() >= 20,
        "{answered} answers, {changed} changes"
    );
    assert_sound(&state);
}
