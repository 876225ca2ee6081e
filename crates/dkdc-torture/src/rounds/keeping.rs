//! A process dies, or the power goes off ([`crate::power::keeping`]), while it
//! erases, prunes, clears, collects, repairs, wipes or backs up a store: each of
//! these is done or not done, and can be done again.

mod synced;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use dkdc_state::{ColumnDef, ColumnType, Durability, EventKind, Keep, Row, State, TableDef, Value};

use super::process::start;
use super::sealing::can_be_stopped;
use super::{Round, Run};
use crate::vfs::{self, Action, Plan};
use crate::work::{Wobble, options};
use crate::{Failure, Result};

/// What is erased, and where it is looked for.
const SECRET: &str = "Wilhelmina-Q-Featherstonehaugh";
/// Versions of each record, and how many of them a prune keeps.
const VERSIONS: u64 = 12;
const KEPT: u64 = 3;

pub(super) fn run(round: &mut Round<'_>) -> Result<()> {
    let template = Template::new(round.run)?;
    for _ in 0..8 {
        let kills = [Action::KillBefore, Action::KillTorn, Action::KillAfter];
        let action = *round.random.of(&kills);
        let most = *round.random.of(&[60, 300]);
        let plan = Plan::once(vfs::Kind::Change, 1 + round.random.below(most), action);
        round.tally.deaths += u64::from(template.keep(&Death::Planned(plan))?);
        round.tally.judgements += 2;
    }
    if can_be_stopped() {
        let nth = 1 + round.random.below(8);
        let death = Death::At("rename,renameat2,unlink", nth);
        round.tally.deaths += u64::from(template.keep(&death)?);
        round.tally.judgements += 2;
    } else {
        round.lacks_in_part("strace");
    }
    Ok(())
}

/// The commands that [`keep`] carries out, in this order, each told when it is
/// done.
pub const STEPS: [&str; 7] = [
    "erase", "prune", "clear", "gc", "repair", "vacuum", "backup",
];
/// Contents younger than an hour are not collected.
const LATER: i64 = 2 * 3_600_000_000;

/// The store as it is later.
fn open(store: &Path) -> Result<State> {
    let clock = Arc::new(Wobble::default());
    clock.set(LATER);
    Ok(options(Durability::Full).clock(clock).open(store)?)
}

/// Where the backup goes.
#[must_use]
pub fn backup_of(store: &Path) -> PathBuf {
    store.with_extension("backup")
}

/// In a process of its own: everything that takes something away.
///
/// # Errors
/// Those of the store. What a process before it has done is no error.
pub fn keep(store: &Path, told: &mut dyn FnMut(&str)) -> Result<()> {
    let state = open(store)?;
    for step in STEPS {
        match step {
            "erase" => match state.erase("people", &[SECRET]) {
                Ok(erased) if !erased.left.is_empty() => {
                    return Err(format!("left by an erase: {:?}", erased.left).into());
                }
                Ok(_) | Err(dkdc_state::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            },
            "prune" => {
                let keep = KEPT.try_into().map(Keep::Versions)?;
                state.prune("people", keep)?;
            }
            "clear" => {
                state.clear(&["gone"])?;
            }
            "gc" => {
                state.gc_blobs()?;
            }
            "repair" => {
                state.repair()?;
            }
            "vacuum" => {
                let left = state.vacuum()?.left;
                if !left.is_empty() {
                    return Err(format!("left by a vacuum: {left:?}").into());
                }
            }
            _ => {
                let to = backup_of(store);
                match state.backup(&to, &mut |_| {}) {
                    Ok(_) | Err(dkdc_state::Error::FileExists { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        told(step);
    }
    Ok(())
}

/// When a process dies.
#[derive(Clone, Debug)]
pub enum Death {
    /// At an operation of SQLite's.
    Planned(Plan),
    /// At the n-th of some system calls.
    At(&'static str, u64),
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Death::Planned(plan) => plan.fmt(f),
            Death::At(calls, nth) => write!(f, "{calls} {nth}"),
        }
    }
}

/// A store with a record to erase, many to prune, and a table to clear.
pub struct Template<'r> {
    run: &'r Run,
    folder: tempfile::TempDir,
}

fn id(n: u64) -> String {
    format!("{:08x}", n.wrapping_mul(2_654_435_761) % (1 << 32))
}

/// Makes a store in `folder` with a record to erase, many to prune, a table to clear,
/// and content that nothing names. As long as it is open, its `-wal` has all of it.
///
/// # Errors
/// Those of the store.
pub fn furnish(folder: &Path) -> Result<State> {
    let state = options(Durability::Relaxed).open(folder.join("data.db"))?;
    let people = TableDef::new("people")
        .column(ColumnDef::new("name", ColumnType::Text))
        .column(ColumnDef::new("photo", ColumnType::Blob));
    let people = state.define(&people)?;
    for round in 0..VERSIONS {
        let photo = state.put_blob(format!("{SECRET} {round}").as_bytes())?;
        let secret = Row::new(SECRET).with("name", format!("{SECRET} {round}"));
        let mut rows = vec![secret.with("photo", photo)];
        rows.extend((0..20).map(|n| Row::new(id(n)).with("name", format!("{n} {round}"))));
        people.upsert_all(&rows)?;
    }
    let gone = state.define(&TableDef::new("gone"))?;
    gone.append_all(
        (0..50)
            .map(|n| Row::new(n.to_string()))
            .collect::<Vec<_>>()
            .iter(),
    )?;
    state.put_blob("named by nothing".as_bytes())?;
    state.seal_mirror()?;
    Ok(state)
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
        drop(furnish(&from)?);
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

    /// What no recording of SQLite's has is on the disk before it is said to be done:
    /// see `synced`.
    ///
    /// # Errors
    /// What is not.
    pub fn is_synced(&self) -> Result<()> {
        let place = self.copy()?;
        synced::judge(&self.run.program, &place)?;
        std::fs::remove_dir_all(place)?;
        Ok(())
    }

    /// A process dies while it does all of it to a copy; another does it to the
    /// end. True: it died.
    ///
    /// # Errors
    /// What does not hold in between, or at the end.
    pub fn keep(&self, death: &Death) -> Result<bool> {
        let place = self.copy()?;
        let store = place.join("data.db");
        let (died, said) = self.process(&store, Some(death))?;
        let judged = judge(&store, &said);
        judged.map_err(|error| -> Failure { format!("{death}: {error}; done: {said}").into() })?;
        let (died_again, said) = self.process(&store, None)?;
        let judged = judge(&store, &said).and_then(|()| nowhere(&place));
        judged.map_err(|error| -> Failure { format!("after {death}: {error}").into() })?;
        if died_again || said.lines().count() != STEPS.len() {
            return Err(format!("after {death} it was not done to the end: {said}").into());
        }
        std::fs::remove_dir_all(place)?;
        Ok(died)
    }

    fn process(&self, store: &Path, death: Option<&Death>) -> Result<(bool, String)> {
        let mut command = match death {
            Some(Death::At(calls, nth)) => {
                let mut strace = Command::new("strace");
                strace.args(["-f", "-qqq", "-o", "/dev/null", "-e"]);
                strace.arg(format!("trace={calls}")).arg("-e");
                strace.arg(format!("inject={calls}:signal=KILL:when={nth}"));
                strace.arg(&self.run.program);
                strace
            }
            _ => Command::new(&self.run.program),
        };
        command.arg("keep").arg(store);
        if let Some(Death::Planned(plan)) = death {
            command.arg("--plan").arg(plan.to_string());
        }
        start(command)?.wait()
    }
}

/// Everything that was said to be done is, and what was not is done or not, but
/// not in part.
///
/// # Errors
/// What does not hold.
pub fn judge(store: &Path, said: &str) -> Result<()> {
    let state = open(store)?;
    let done = |step: &str| said.lines().any(|line| line == step);
    let events = state.events()?;
    let happened = |kind: EventKind| events.iter().any(|event| event.kind == kind);
    for (step, kind) in [
        ("erase", EventKind::Erase),
        ("prune", EventKind::Prune),
        ("clear", EventKind::Clear),
    ] {
        if done(step) && !happened(kind) {
            return Err(format!("{step} was done, and no event tells of it").into());
        }
    }
    let people = state.rows("people")?;
    let pruned = happened(EventKind::Prune);
    let versions = if pruned { KEPT } else { VERSIONS };
    let mut records: Vec<(String, String)> = (0..20)
        .map(|n| (id(n), format!("{n} {}", VERSIONS - 1)))
        .collect();
    if happened(EventKind::Erase) {
        if people.contains(SECRET)? || !people.history(SECRET)?.is_empty() {
            return Err("what was erased is served".into());
        }
    } else {
        records.push((SECRET.to_owned(), format!("{SECRET} {}", VERSIONS - 1)));
    }
    for (id, name) in &records {
        let found = people.get(id)?.ok_or_else(|| format!("{id} is gone"))?;
        let history = people.history(id)?.len() as u64;
        if found.get("name") != Some(&Value::from(name.as_str())) || history != versions {
            return Err(format!("{id} is {found:?} of {history} versions").into());
        }
    }
    let count = people.count()?;
    if count != records.len() as u64 {
        return Err(format!("{count} records, not {}", records.len()).into());
    }
    let gone = state.rows("gone")?.count()?;
    if gone != if happened(EventKind::Clear) { 0 } else { 50 } {
        return Err(format!("{gone} records are left of a clear").into());
    }
    if done("gc") && state.unnamed_blobs()?.blobs > 0 {
        return Err("content that nothing names was collected, and is there".into());
    }
    sound(&state)?;
    let backup = backup_of(store);
    if backup.exists() {
        let backup = open(&backup)?;
        sound(&backup)?;
        if backup.rows("people")?.count()? != count {
            return Err("the backup is not of its moment".into());
        }
    } else if done("backup") {
        return Err("the backup is gone".into());
    }
    Ok(())
}

fn sound(state: &State) -> Result<()> {
    let report = state.check()?;
    match report.is_sound() {
        true => Ok(()),
        false => Err(format!("check: {:?}", report.damage).into()),
    }
}

/// No file has a byte of what was erased. The store is closed.
///
/// # Errors
/// The file that has.
pub fn nowhere(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            nowhere(&path)?;
        } else if std::fs::read(&path)?
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes())
        {
            return Err(format!("{} has what was erased", path.display()).into());
        }
    }
    Ok(())
}
