//! Between SQLite and the system: a VFS that is SQLite's own but for what is
//! asked of it.
//!
//! [`install`] makes it the default one of this process, so that a store opened
//! afterwards goes through it without knowing. Each operation on a database, its
//! `-wal` or its journal is counted. A [`Plan`] says at the how-manieth the
//! process dies, or the operation fails; a recording keeps all changes, in the
//! order in which the system saw them, for [`crate::power`].
//!
//! What the mirror writes does not pass here: see the tests that use `strace`. But what
//! is synced by others is recorded too, files and folders.

mod calls;
mod methods;
mod plan;

pub use methods::install;
pub use plan::{Action, Kind, Plan};

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

/// What SQLite did to a file, in the order in which it was done.
#[derive(Clone, Debug)]
pub enum Event {
    /// The file was made.
    Made(PathBuf),
    /// Bytes were written at an offset.
    Wrote(PathBuf, u64, Vec<u8>),
    /// The file was cut, or lengthened, to so many bytes.
    Cut(PathBuf, u64),
    /// What was done to the file is on the disk, and its name when it is new.
    Synced(PathBuf),
    /// What the file holds is on the disk; nothing is said of its name.
    BytesSynced(PathBuf),
    /// Names in the folder are on the disk.
    FolderSynced(PathBuf),
    /// The file was removed; `true`: its folder was synced.
    Removed(PathBuf, bool),
    /// Not SQLite's: the caller was told that its operation of this number is
    /// done.
    Acknowledged(u64),
}

/// What the process was asked to do with its operations.
#[derive(Default)]
struct Control {
    plan: Option<Plan>,
    /// Operations of the plan's kind so far.
    seen: u64,
    /// How often the plan made one fail.
    fired: u64,
    recording: Option<Vec<Event>>,
}

static CONTROL: Mutex<Control> = Mutex::new(Control {
    plan: None,
    seen: 0,
    fired: 0,
    recording: None,
});

fn control() -> MutexGuard<'static, Control> {
    CONTROL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on operations are counted, and the plan is carried out.
pub fn arm(plan: Plan) {
    let mut control = control();
    (control.plan, control.seen, control.fired) = (Some(plan), 0, 0);
}

/// Ends a plan. Returns how many operations of its kind there were, and how many
/// of them it made fail.
pub fn disarm() -> (u64, u64) {
    let mut control = control();
    control.plan = None;
    (control.seen, control.fired)
}

/// From now on everything done to databases is kept.
pub fn record() {
    control().recording = Some(Vec::new());
}

/// Puts an acknowledgement into the recording.
pub fn acknowledge(operation: u64) {
    if let Some(recording) = &mut control().recording {
        recording.push(Event::Acknowledged(operation));
    }
}

/// Ends the recording and returns it.
pub fn recorded() -> Vec<Event> {
    control().recording.take().unwrap_or_default()
}

/// What is to be done with one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Go,
    /// SQLite is told this code; of a write, only the first half is done when
    /// `torn`.
    Fail {
        code: i32,
        torn: bool,
    },
    Die {
        torn: bool,
    },
    GoAndDie,
    /// A read: the system does this first.
    Hindered(Hindrance),
    /// A read: the file seems to end in the middle of it.
    Ends,
}

/// What the system may do instead of reading all that it was asked for, and be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hindrance {
    /// It reads some of it.
    Short,
    /// A signal came (EINTR).
    Interrupted,
}

impl Control {
    fn judge(&mut self, kind: Kind) -> Verdict {
        let Some(plan) = &self.plan else {
            return Verdict::Go;
        };
        if !plan.kind.includes(kind) {
            return Verdict::Go;
        }
        self.seen += 1;
        if self.seen < plan.nth || self.seen >= plan.nth.saturating_add(plan.times) {
            return Verdict::Go;
        }
        self.fired += 1;
        plan.action.verdict(kind)
    }

    fn keep(&mut self, event: impl FnOnce() -> Event) {
        if let Some(recording) = &mut self.recording {
            recording.push(event());
        }
    }
}

/// Carries out one operation as planned, and keeps it. While something is
/// recorded, one operation is done at a time: what is kept is what happened.
fn operate(
    kind: Kind,
    go: impl FnOnce() -> i32,
    half: impl FnOnce(),
    event: impl FnOnce() -> Option<Event>,
) -> i32 {
    let mut held = control();
    match held.judge(kind) {
        Verdict::Go => {
            if held.recording.is_none() {
                drop(held);
                return go();
            }
            let code = calls::inside(go);
            if code == ffi::SQLITE_OK
                && let Some(event) = event()
            {
                held.keep(|| event);
            }
            code
        }
        Verdict::Fail { code, torn } => {
            if torn {
                half();
            }
            code
        }
        Verdict::Die { torn } => {
            if torn {
                half();
            }
            die()
        }
        Verdict::GoAndDie => {
            calls::inside(go);
            die()
        }
        Verdict::Hindered(hindrance) => {
            drop(held);
            calls::hinder(hindrance);
            go()
        }
        Verdict::Ends => {
            half();
            ffi::SQLITE_IOERR_SHORT_READ
        }
    }
}

/// Syncs, by whoever, and keeps it.
fn sync<T>(path: impl FnOnce() -> Option<PathBuf>, go: impl FnOnce() -> Option<T>) -> Option<T> {
    let mut held = control();
    if held.recording.is_none() {
        drop(held);
        return go();
    }
    let done = go()?;
    if let Some(path) = path() {
        held.keep(|| match path.is_dir() {
            true => Event::FolderSynced(path),
            false => Event::BytesSynced(path),
        });
    }
    Some(done)
}

/// As `kill -9`: nothing of this process runs any more.
fn die() -> ! {
    let killed =
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    unreachable!("BUG: still here after SIGKILL: {killed:?}")
}

/// The file's path, for what is recorded.
fn path_of(name: &[u8]) -> PathBuf {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    Path::new(OsStr::from_bytes(name)).to_owned()
}
