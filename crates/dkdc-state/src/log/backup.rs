//! Backups: a copy of one moment, made while others write.
//!
//! The pages are copied inside one read transaction, so that whatever is
//! committed meanwhile is not in the copy, and nobody waits for it. It is written
//! under another name, synced, and gets its own when it is whole; nothing that is
//! there is replaced.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::check::Progress;
use super::identity::beside;
use super::writer::{self, run};
use super::{DbResult, Store, access, hash, open};
use crate::error::{Error, Result};
use crate::record::{Idx, hex};

/// Pages copied at a time.
const PAGES: i32 = 1024;

/// A backup that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackedUp {
    /// The newest version or event in it.
    pub idx: Idx,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Store {
    pub(crate) fn backup(&self, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<BackedUp> {
        self.refuse_inside()?;
        refuse_existing(to)?;
        let reader = open::reader(self)?;
        let draft = Draft::of_store(&self.path, to)?;
        run(&reader.conn, "BEGIN")?;
        let copied = self.current_catalog(&reader.conn).and_then(|catalog| {
            let idx = writer::last(&reader.conn, &catalog)?;
            copy(&reader.conn, &draft.path, progress)?;
            Ok(idx)
        });
        let idx = copied.map_err(|error| self.locate(error))?;
        reader.verify(&self.path)?;
        let bytes = draft.publish(to)?;
        Ok(BackedUp { idx, bytes })
    }
}

/// Refuses a name that something has.
pub(super) fn refuse_existing(to: &Path) -> Result<()> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(Error::FileExists {
            path: to.to_owned(),
        }),
        Err(_) => Ok(()),
    }
}

/// Copies what a connection sees in its read transaction.
#[expect(
    clippy::disallowed_methods,
    reason = "the log opens SQLite's connections; this file is new"
)]
fn copy(from: &Connection, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(to, flags).db()?;
    // It is synced when it is whole; until then it has another name.
    copy.pragma_update(None, "journal_mode", "OFF").db()?;
    copy.pragma_update(None, "synchronous", "OFF").db()?;
    let backup = Backup::new(from, &mut copy).db()?;
    loop {
        let step = backup.step(PAGES).db()?;
        let count = |pages: i32| u64::try_from(pages).unwrap_or(0);
        let now = backup.progress();
        progress(Progress {
            done: count(now.pagecount - now.remaining),
            total: count(now.pagecount),
        });
        if step == StepResult::Done {
            break;
        }
    }
    drop(backup);
    copy.close().map_err(|(_, error)| error).db()
}

/// Gives a file the name `to`, unless something has it: in one step, so that
/// whoever is killed leaves the whole file under it or none.
fn take_name(draft: &Path, to: &Path) -> Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, draft, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => {
                return Err(Error::FileExists {
                    path: to.to_owned(),
                });
            }
            // Some file systems cannot.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            Err(error) => return Err(Error::io(to, error.into())),
        }
    }
    take_free_name(draft, to)
}

/// The same in two steps: the name is taken by an empty file, which a rename
/// replaces.
#[expect(
    clippy::disallowed_methods,
    reason = "the draft was synced, and its folder will be; the name is claimed before"
)]
fn take_free_name(draft: &Path, to: &Path) -> Result<()> {
    let failed = |error| Error::io(to, error);
    match OpenOptions::new().write(true).create_new(true).open(to) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::FileExists {
                path: to.to_owned(),
            });
        }
        Err(error) => return Err(failed(error)),
    }
    fs::rename(draft, to).map_err(|error| {
        // The claim must not outlive the attempt; the first error counts.
        let _ = fs::remove_file(to);
        failed(error)
    })
}

/// A file that has not got its name yet; removed when dropped before.
pub(super) struct Draft {
    pub(super) path: PathBuf,
    published: bool,
}

impl Draft {
    /// A new, empty file beside the one it is to become, and its maker's alone.
    pub(super) fn begin(to: &Path) -> Result<Draft> {
        Draft::make(to).map(|(draft, _)| draft)
    }

    /// The same, for those who may use the store that goes into it.
    pub(super) fn of_store(store: &Path, to: &Path) -> Result<Draft> {
        let (draft, file) = Draft::make(to)?;
        access::share(store, &file);
        Ok(draft)
    }

    fn make(to: &Path) -> Result<(Draft, File)> {
        let mut random = [0; 8];
        hash::random(&mut random)?;
        let process = std::process::id();
        let path = beside(to, &format!(".draft-{process}-{}", hex(&random)));
        let file = access::new_file().open(&path);
        let file = file.map_err(|error| Error::io(&path, error))?;
        let draft = Draft {
            path,
            published: false,
        };
        Ok((draft, file))
    }

    /// Syncs it and gives it its name, if nothing has that; returns its size.
    pub(super) fn publish(mut self, to: &Path) -> Result<u64> {
        let failed = |error| Error::io(to, error);
        let file = File::open(&self.path).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        take_name(&self.path, to)?;
        self.published = true;
        if cfg!(unix) {
            let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
            folder.sync_all().map_err(failed)?;
        }
        Ok(bytes)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let path = beside(&self.path, suffix);
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "a draft stays behind");
            }
        }
    }
}
