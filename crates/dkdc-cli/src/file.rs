//! A file that a command writes: all of it, or what was there before.
//!
//! It is written beside the target under another name, synced, and then takes
//! the target's place. Devices and pipes are written to as they are.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dkdc_state::State;
use tempfile::{Builder, NamedTempFile};

use crate::exit::{Code, Failure, Result};
use crate::interrupt::Unfinished;

/// A file on its way.
pub(crate) struct NewFile {
    target: PathBuf,
    replace: bool,
    to: To,
}

enum To {
    Device(File),
    Beside(NamedTempFile, Unfinished),
}

impl NewFile {
    /// Begins a file; `replace`: what is there may be replaced, unless it is a
    /// store. `mode`: its permissions, less what the user's umask takes away.
    /// `store`: the one that is open.
    pub(crate) fn begin(target: &Path, replace: bool, mode: u32, store: &Path) -> Result<NewFile> {
        // A link stays, and what it leads to is replaced.
        let followed = target.canonicalize();
        let target = match &followed {
            Ok(real) if replace => real,
            _ => target,
        };
        if is_of_store(target, store) {
            return Err(Failure::usage(format!(
                "{}: that is a store, or part of one; name another file",
                target.display()
            )));
        }
        let failed = |error: io::Error| Failure::file(target, &error);
        if target.is_dir() {
            let message = format!("{}: a folder; name a file in it", target.display());
            return Err(Failure::usage(message));
        }
        if !replace && target.symlink_metadata().is_ok() {
            return Err(refused(target));
        }
        let to = if is_device(target) {
            let device = File::options().write(true).open(target);
            To::Device(device.map_err(failed)?)
        } else {
            let folder = target
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let start = format!(".dkdc-{}-", std::process::id());
            let unfinished = Unfinished::begin(folder.join(&start));
            let mut beside = Builder::new();
            beside.prefix(&start);
            if let Some(permissions) = permissions(mode) {
                beside.permissions(permissions);
            }
            let beside = beside.tempfile_in(folder);
            To::Beside(beside.map_err(failed)?, unfinished)
        };
        Ok(NewFile {
            target: target.to_owned(),
            replace,
            to,
        })
    }

    /// Where its content goes.
    pub(crate) fn content(&mut self) -> &mut File {
        match &mut self.to {
            To::Device(device) => device,
            To::Beside(beside, _) => beside.as_file_mut(),
        }
    }

    /// What an error of the content's means.
    pub(crate) fn failed(&self, error: &io::Error) -> Failure {
        Failure::file(&self.target, error)
    }

    /// Puts it in place.
    pub(crate) fn finish(self) -> Result<()> {
        let target = &self.target;
        let failed = |error: io::Error| Failure::file(target, &error);
        let To::Beside(beside, _unfinished) = self.to else {
            return Ok(());
        };
        beside.as_file().sync_all().map_err(failed)?;
        if self.replace {
            beside
                .persist(target)
                .map_err(|error| failed(error.error))?;
        } else {
            beside
                .persist_noclobber(target)
                .map_err(|error| match error.error.kind() {
                    io::ErrorKind::AlreadyExists => refused(target),
                    _ => failed(error.error),
                })?;
        }
        Ok(())
    }
}

/// Whether a file is the store that is open, one beside it, or another store.
fn is_of_store(target: &Path, store: &Path) -> bool {
    let beside = |ending: &str| {
        let mut name = store.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let own = ["", "-wal", "-shm", "-journal"];
    if own.iter().any(|ending| is_same(target, &beside(ending))) {
        return true;
    }
    let folder = target
        .parent()
        .and_then(|folder| folder.canonicalize().ok());
    if folder.is_some_and(|folder| beside("-mirror").canonicalize().is_ok_and(|m| m == folder)) {
        return true;
    }
    // SQLite would take it for a part of the store, and change that.
    let part_of = |ending: &&str| {
        let name = target.file_name().and_then(|name| name.to_str());
        let store = name.and_then(|name| name.strip_suffix(ending));
        store.is_some_and(|store| is_store(&target.with_file_name(store)))
    };
    own[1..].iter().any(part_of) || is_store(target)
}

/// True for a store, by its header; of the open one it must not be read so.
fn is_store(path: &Path) -> bool {
    let open = State::open_files();
    if open.iter().any(|open| is_same(path, open)) {
        return true;
    }
    let mut header = [0; 72];
    let regular = path.metadata().is_ok_and(|meta| meta.is_file());
    let read =
        regular && File::open(path).is_ok_and(|mut file| file.read_exact(&mut header).is_ok());
    read && header.starts_with(b"SQLite format 3\0") && header.ends_with(b"dkdc")
}

/// True when two paths lead to one file.
#[cfg(unix)]
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let key = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    key(one).is_some() && key(one) == key(other)
}

#[cfg(not(unix))]
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize()
        .ok()
        .is_some_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

fn refused(target: &Path) -> Failure {
    Failure::new(
        Code::AlreadyExists,
        format!("{} is there already; -o {0} replaces it", target.display()),
    )
}

/// `/dev/null` and pipes are written to, not replaced.
fn is_device(target: &Path) -> bool {
    target
        .metadata()
        .is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

#[cfg(unix)]
fn permissions(mode: u32) -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn permissions(_: u32) -> Option<Permissions> {
    None
}
