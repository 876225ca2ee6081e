//! What ends a command from outside: a signal, or a reader of its results who
//! leaves while there are none.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Beginnings of the paths of files on their way.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Files that have not got their own name yet: removed when a signal ends the
/// command. Otherwise they are whoever's who made them. Made before them: then no
/// signal comes in between.
pub(crate) struct Unfinished(PathBuf);

impl Unfinished {
    /// The files whose paths begin so.
    pub(crate) fn begin(start: PathBuf) -> Unfinished {
        on_signals();
        all().push(start.clone());
        Unfinished(start)
    }

    /// What a backup or a rescue writes before it is whole.
    pub(crate) fn draft(to: &Path) -> Unfinished {
        let mut start = to.as_os_str().to_owned();
        start.push(format!(".draft-{}-", std::process::id()));
        Unfinished::begin(start.into())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut all = all();
        if let Some(at) = all.iter().position(|start| *start == self.0) {
            all.swap_remove(at);
        }
    }
}

fn all() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn on_signals() {
    use std::sync::mpsc::channel;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::{iterator::Signals, low_level::emulate_default_handler};
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let ignored = ignored();
        let ends = |signal: &i32| (ignored >> (signal - 1)) & 1 == 0;
        let ending = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(ends);
        let (send, handled) = channel::<Signals>();
        let thread = std::thread::Builder::new().spawn(move || {
            let Ok(mut signals) = handled.recv() else {
                return;
            };
            for signal in signals.forever() {
                // Held to the end: no file gets its name any more.
                let all = all();
                all.iter().for_each(|start| remove(start));
                // It does not return.
                let _ = emulate_default_handler(signal);
            }
        });
        // Without a thread or a handler, a signal ends the command as it always did.
        if thread.is_ok()
            && let Ok(signals) = Signals::new(ending)
        {
            // The thread waits for them.
            let _ = send.send(signals);
        }
    });
}

#[cfg(not(unix))]
fn on_signals() {}

/// The signals that were to be ignored when the command was started, as `nohup` and a
/// shell in the background want it; the lowest bit is signal 1. A handler would undo
/// that. Only Linux says it without unsafe code.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read("/proc/self/status").unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0)
}

/// Removes the files whose paths begin so.
#[cfg(unix)]
fn remove(start: &Path) {
    let folder = start
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let (Some(name), Ok(entries)) = (
        start.file_name().map(|name| name.as_encoded_bytes()),
        std::fs::read_dir(folder.unwrap_or(Path::new("."))),
    ) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(name) {
            // The command ends whether or not it is gone.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Ends the process when whoever reads stdout leaves, as `head` does: who waits
/// for changes would learn of it only from the next one.
#[cfg(unix)]
pub(crate) fn end_with_the_reader() {
    use rustix::event::{PollFd, PollFlags, poll};
    // Without a thread, the next write tells.
    let _ = std::thread::Builder::new().spawn(|| {
        let stdout = std::io::stdout();
        loop {
            // Errors and hang-ups are told without being asked for.
            let mut ends = [PollFd::new(&stdout, PollFlags::empty())];
            match poll(&mut ends, None) {
                Ok(_) if !ends[0].revents().is_empty() => std::process::exit(0),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    });
}

#[cfg(not(unix))]
pub(crate) fn end_with_the_reader() {}
