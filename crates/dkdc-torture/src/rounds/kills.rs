//! Writers in several processes, killed at random, beside a reader.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use super::Round;
use super::process::{Process, Writing};
use crate::Result;
use crate::random::Random;
use crate::work::SEAL_ROWS;

/// Writers at once.
const WRITERS: usize = 3;
/// Kills of one round.
const KILLS: u64 = 25;
/// Kills between two judgements.
const JUDGED: u64 = 5;

pub(super) fn run(round: &mut Round<'_>) -> Result<()> {
    let read_only = round.random.one_in(2);
    let relaxed = round.random.one_in(3);
    let mut reader = round.reader(read_only)?;
    let mut next = 0;
    let mut writers = start_all(round, &mut next, relaxed)?;
    while round.tally.kills < KILLS {
        pause(&mut round.random);
        if round.random.one_in(4) {
            harm_mirror(round)?;
        }
        let victim = round.random.index(WRITERS);
        if round.random.one_in(5) {
            stop_for_a_while(round, &writers[victim])?;
        }
        round.tally.kills += u64::from(writers[victim].kill()?);
        if round.tally.kills.is_multiple_of(JUDGED) {
            for writer in &mut writers {
                round.tally.kills += u64::from(writer.kill()?);
            }
            round.judge()?;
            if round.random.one_in(2) {
                reader.kill()?;
                reader = round.reader(read_only)?;
            }
            writers = start_all(round, &mut next, relaxed)?;
        } else {
            writers[victim] = start(round, &mut next, relaxed)?;
        }
    }
    for mut writer in writers {
        round.tally.kills += u64::from(writer.kill()?);
    }
    let snapshots: u64 = reader.finish()?.trim().parse()?;
    round.tally.snapshots += snapshots;
    round.last_judgement()
}

fn start_all(round: &mut Round<'_>, next: &mut u64, relaxed: bool) -> Result<Vec<Process>> {
    (0..WRITERS).map(|_| start(round, next, relaxed)).collect()
}

fn start(round: &mut Round<'_>, next: &mut u64, relaxed: bool) -> Result<Process> {
    *next += 1;
    let writing = Writing {
        worker: *next,
        threads: 1 + round.random.below(4),
        operations: u64::MAX,
        seal_rows: SEAL_ROWS,
        seed: round.random.number(),
        relaxed,
        wobble: round.random.one_in(3),
        plan: None,
    };
    round.writer(&writing)
}

/// Long enough for some work, or so short that the process has hardly begun.
fn pause(random: &mut Random) {
    let most = *random.of(&[3, 30, 30, 150]);
    std::thread::sleep(Duration::from_micros(random.below(most * 1000)));
}

/// A writer that is stopped, perhaps inside its transaction, keeps others
/// waiting and loses nothing.
fn stop_for_a_while(round: &mut Round<'_>, writer: &Process) -> Result<()> {
    writer.signal(Signal::STOP)?;
    pause(&mut round.random);
    writer.signal(Signal::CONT)?;
    round.tally.stops += 1;
    Ok(())
}

/// One of the mirror's files is cut, altered or removed.
fn harm_mirror(round: &mut Round<'_>) -> Result<()> {
    let folder = round.folder.path().join("data.db-mirror");
    let Ok(files) = std::fs::read_dir(folder) else {
        return Ok(());
    };
    let mut files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    files.sort();
    if files.is_empty() {
        return Ok(());
    }
    let file = round.random.of(&files).clone();
    // Its owner may take it away at any moment.
    if harm(&file, &mut round.random).is_ok() {
        round.tally.harmed += 1;
    }
    Ok(())
}

fn harm(file: &std::path::Path, random: &mut Random) -> std::io::Result<()> {
    use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
    if random.one_in(3) {
        return std::fs::remove_file(file);
    }
    let meta = std::fs::metadata(file)?;
    // What changes in the very tick in which it was written has the times that it
    // had: only `check` sees that.
    let seconds = u64::try_from(meta.ctime()).unwrap_or(0) + 1;
    if (SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .elapsed()
        .is_err()
    {
        return Err(std::io::ErrorKind::WouldBlock.into());
    }
    // They may not be written, as whoever alters one all the same will know.
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644))?;
    let open = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)?;
    let len = meta.len();
    if len == 0 {
        return Ok(());
    }
    if random.one_in(2) {
        return open.set_len(random.below(len));
    }
    let (at, mut byte) = (random.below(len), [0]);
    open.read_exact_at(&mut byte, at)?;
    byte[0] ^= 1 << random.below(8);
    open.write_all_at(&byte, at)
}
