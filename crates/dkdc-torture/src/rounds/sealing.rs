//! Writing the mirror's files is stopped at any of its system calls: by a kill,
//! or by an error of the system. `strace` stops it.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dkdc_state::{Durability, Row, State};

use super::{Round, Run};
use crate::random::Random;
use crate::work::{self, Tables};
use crate::{Failure, Result};

const ROWS: u64 = 240;

/// System calls of a sealing, by what they do.
pub const CALLS: [&str; 6] = [
    "write,pwrite64",
    "fsync,fdatasync",
    "rename,renameat2",
    "unlink",
    "flock",
    "fchmod",
];

/// Of these, only reads are taken up again, and only what opens needs a descriptor.
const READS: &str = "read,pread64";
const OPENS: &str = "openat";

/// True where system calls can be stopped.
#[must_use]
pub fn can_be_stopped() -> bool {
    let strace = Command::new("strace").arg("-V").output();
    strace.is_ok_and(|output| output.status.success())
}

pub(super) fn run(round: &mut Round<'_>) -> Result<()> {
    if !can_be_stopped() {
        round.lacks("strace");
        return Ok(());
    }
    let template = Template::new(round.run)?;
    let told = template.told()?;
    let nth = |random: &mut Random, calls: &str| 1 + random.below(most(&told, calls).max(1));
    for _ in 0..8 {
        let calls = *round.random.of(&CALLS);
        let nth = nth(&mut round.random, calls);
        let killed = template.seal(calls, "signal=KILL", nth)?;
        round.tally.deaths += u64::from(killed);
        round.tally.judgements += 1;
    }
    let errors = ["error=EIO", "error=ENOSPC", "error=EINTR", "error=EMFILE"];
    for _ in 0..4 {
        let how = *round.random.of(&errors);
        let calls = match how {
            "error=EINTR" => READS,
            "error=EMFILE" => OPENS,
            _ => *round.random.of(&CALLS[1..]),
        };
        let failed = template.seal(calls, how, nth(&mut round.random, calls))?;
        round.tally.errors += u64::from(failed);
        round.tally.judgements += 1;
    }
    Ok(())
}

/// A store with files of all kinds, and a tail that is due.
pub struct Template<'r> {
    run: &'r Run,
    folder: tempfile::TempDir,
}

fn open(store: &Path) -> dkdc_state::Result<State> {
    let options = work::options(Durability::Full).seal_rows(20);
    options.open(store)
}

impl<'r> Template<'r> {
    /// Makes one.
    ///
    /// # Errors
    /// Those of the store.
    pub fn new(run: &'r Run) -> Result<Template<'r>> {
        let folder = tempfile::tempdir_in(&run.folder)?;
        let from = folder.path().join("template");
        std::fs::create_dir(&from)?;
        let state = open(&from.join("data.db"))?;
        let notes = Tables::define(&state)?.notes;
        for n in 0..ROWS {
            notes.append(&Row::new(n.to_string()).with("token", i64::try_from(n)?))?;
            if n < ROWS - 60 && n % 60 == 59 {
                state.keep_mirror()?;
            }
        }
        Ok(Template { run, folder })
    }

    fn copy(&self) -> Result<PathBuf> {
        let place = self.folder.path().join("place");
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(self.folder.path().join("template"));
        match copy.arg(&place).status()?.success() {
            true => Ok(place),
            false => Err("cp failed".into()),
        }
    }

    /// So many processes seal the same copy at once.
    ///
    /// # Errors
    /// What does not hold afterwards.
    pub fn race(&self, processes: usize) -> Result<()> {
        let place = self.copy()?;
        let mut running = Vec::new();
        for _ in 0..processes {
            let mut command = Command::new(&self.run.program);
            command.arg("seal").arg(place.join("data.db"));
            running.push(
                command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()?,
            );
        }
        for process in running {
            let output = process.wait_with_output()?;
            let said = String::from_utf8_lossy(&output.stdout);
            if !output.status.success() || said.contains("not sealed") {
                return Err(format!("{}: {said}", output.status).into());
            }
            judge(&place.join("data.db"), &output)?;
        }
        let state = open(&place.join("data.db"))?;
        let named: u64 = state.mirror_status()?.iter().map(|table| table.files).sum();
        drop(state);
        let mut files = 0;
        for file in std::fs::read_dir(place.join("data.db-mirror"))? {
            let name = file?.file_name();
            files += u64::from(name.to_string_lossy().ends_with(".parquet"));
        }
        if files != named {
            return Err(format!("{files} files are there, {named} are named").into());
        }
        std::fs::remove_dir_all(place)?;
        Ok(())
    }

    /// Seals a copy, while the `nth` of these system calls goes wrong, of each kind and
    /// each thread. True: there was one, and it did.
    ///
    /// # Errors
    /// What does not hold afterwards.
    pub fn seal(&self, calls: &str, how: &str, nth: u64) -> Result<bool> {
        let inject = format!("inject={calls}:{how}:when={nth}");
        let (place, output, told) = self.traced(calls, &["-e", &inject])?;
        let killed = output.status.signal() == Some(9) || output.status.code() == Some(137);
        let judged = judge(&place.join("data.db"), &output);
        judged.map_err(|error| -> Failure {
            let said = String::from_utf8_lossy(&output.stdout);
            format!("{calls} {how} {nth}: {error}; it said: {said}").into()
        })?;
        std::fs::remove_dir_all(place)?;
        Ok(killed || told.contains("(INJECTED)"))
    }

    /// The system calls of a sealing, as `strace` tells them.
    fn told(&self) -> Result<String> {
        let calls = [&CALLS[..], &[READS, OPENS]].concat().join(",");
        let (place, _, told) = self.traced(&calls, &[])?;
        std::fs::remove_dir_all(place)?;
        Ok(told)
    }

    /// Seals a copy under `strace`. Where that is, what was said, and what `strace` told.
    fn traced(&self, calls: &str, how: &[&str]) -> Result<(PathBuf, Output, String)> {
        let place = self.copy()?;
        let told = place.with_extension("strace");
        let output = Command::new("strace")
            .args(["-f", "-qqq", "-o"])
            .arg(&told)
            .arg("-e")
            .arg(format!("trace={calls}"))
            .args(how)
            .arg(&self.run.program)
            .arg("seal")
            .arg(place.join("data.db"))
            .output()?;
        let told = std::fs::read(told)?;
        Ok((place, output, String::from_utf8_lossy(&told).into_owned()))
    }
}

/// How many of one of these system calls one thread made, at most: `strace` counts for
/// each by itself.
fn most(told: &str, calls: &str) -> u64 {
    let mut made: HashMap<(&str, &str), u64> = HashMap::new();
    for line in told.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let name = call.trim_start().split('(').next().unwrap_or_default();
        if calls.split(',').any(|one| one == name) {
            *made.entry((thread, name)).or_default() += 1;
        }
    }
    made.into_values().max().unwrap_or(0)
}

/// What was said to be written is there; answers are the log's; what was not
/// sealed is sealed now.
fn judge(store: &Path, output: &Output) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("panicked") {
        return Err(format!("a panic: {errors}").into());
    }
    let state = open(store)?;
    let there = state.rows("notes")?.contains("sealed")?;
    if said.contains("wrote ") && !there {
        return Err("what was acknowledged is not there".into());
    }
    let rows = ROWS + u64::from(there);
    for query in ["from notes", "from history.notes"] {
        let mut asked = 0;
        for batch in state.sql(query)? {
            asked += batch?.num_rows() as u64;
        }
        if asked != rows {
            return Err(format!("{query}: {asked} rows, not {rows}").into());
        }
    }
    if let Some((_, read)) = said.split_once("read ")
        && read.trim() != rows.to_string()
    {
        return Err(format!("it read {read} rows, not {rows}").into());
    }
    state.keep_mirror()?;
    let report = state.check()?;
    if report.is_sound() && report.mirror.is_empty() {
        Ok(())
    } else {
        Err(format!("check: {:?} {:?}", report.damage, report.mirror).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_for_each_thread_and_kind() {
        let told = "\
7  write(3, \"a\", 1 <unfinished ...>
8  pwrite64(4, \"write(\", 6, 0) = 6
7  <... write resumed>) = 1
7  write(3, \"b\", 1) = -1 EIO (Input/output error) (INJECTED)
7  pwrite64(4, \"c\", 1, 0) = 1
8  +++ exited with 0 +++
";
        assert_eq!(most(told, CALLS[0]), 2);
        assert_eq!(most(told, "unlink"), 0);
    }
}
