//! A folder that files of the lake are written into, and nothing outside of it.
//!
//! What must hold: every folder on the way is opened from the one before it, and
//! none through a link; a file is written under no final name, synced, and then
//! renamed, by itself or with the folder that it is in where the target has no such
//! folder yet. Files under way are in a folder of their own in the target, locked
//! while it is used; one that no living process holds is removed.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, Dir, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::stat::OpenFiles;

/// How the names of folders for files under way begin.
const UNDER_WAY: &str = ".dkdc-checkout-";

/// The folder.
pub(super) struct Target {
    root: OwnedFd,
    under_way: OwnedFd,
    name: String,
    /// Stores that may be in it.
    pub(super) open: OpenFiles,
    /// Names that differ in case only are one.
    pub(super) ignores_case: bool,
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

impl Target {
    /// Opens the folder, or makes it.
    pub(super) fn open(path: &Path, unique: &str) -> io::Result<Target> {
        std::fs::create_dir_all(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::open(path, flags, Mode::empty())?;
        sweep(&root)?;
        let name = format!("{UNDER_WAY}{unique}");
        fs::mkdirat(&root, &name, Mode::RWXU)?;
        let under_way = fs::openat(&root, &name, folder_flags(), Mode::empty())?;
        fs::flock(&under_way, FlockOperation::NonBlockingLockExclusive)?;
        let mut target = Target {
            root,
            under_way,
            name,
            open: OpenFiles::now(),
            ignores_case: false,
        };
        target.ignores_case = target.try_case()?;
        Ok(target)
    }

    fn try_case(&self) -> io::Result<bool> {
        drop(create(&self.under_way, "case", 0o600)?);
        let other = fs::statat(&self.under_way, "CASE", AtFlags::SYMLINK_NOFOLLOW);
        fs::unlinkat(&self.under_way, "case", AtFlags::empty())?;
        Ok(other.is_ok())
    }

    /// A folder below, opened name by name; made where it is not there.
    pub(super) fn folder(&self, path: Option<&str>) -> io::Result<OwnedFd> {
        below(self.root.try_clone()?, path, true)
    }

    /// The folder for files under way.
    pub(super) fn under_way(&self) -> &OwnedFd {
        &self.under_way
    }

    /// A folder that is under way itself, or one below it; made if need be.
    pub(super) fn staged(&self, name: &str, path: Option<&str>) -> io::Result<OwnedFd> {
        below(
            below(self.under_way.try_clone()?, Some(name), true)?,
            path,
            true,
        )
    }

    /// How many names of a path are folders already.
    pub(super) fn depth(&self, path: &str) -> io::Result<usize> {
        let mut at = self.root.try_clone()?;
        for (depth, name) in path.split('/').enumerate() {
            at = match below(at, Some(name), false) {
                Ok(folder) => folder,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(depth),
                Err(error) => return Err(error),
            };
        }
        Ok(path.split('/').count())
    }

    /// Makes everything under way durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        fs::syncfs(&self.under_way)?;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        sync_files(&self.under_way)?;
        Ok(())
    }

    /// Gives a folder under way its final name, if nothing has that.
    pub(super) fn publish_folder(&self, name: &str, to: &str) -> io::Result<()> {
        let (parent, last) = match to.rsplit_once('/') {
            Some((parent, last)) => (Some(parent), last),
            None => (None, to),
        };
        check(last)?;
        let parent = below(self.root.try_clone()?, parent, false)?;
        let kept = RenameFlags::NOREPLACE;
        fs::renameat_with(&self.under_way, name, &parent, last, kept)?;
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        empty(&self.under_way);
        let _ = fs::unlinkat(&self.root, &self.name, AtFlags::REMOVEDIR);
    }
}

/// A folder below another, opened name by name; made where it is not there.
fn below(mut at: OwnedFd, path: Option<&str>, make: bool) -> io::Result<OwnedFd> {
    for name in path.into_iter().flat_map(|path| path.split('/')) {
        check(name)?;
        let open = |at: &OwnedFd| fs::openat(at, name, folder_flags(), Mode::empty());
        at = match open(&at) {
            Ok(folder) => folder,
            Err(Errno::NOENT) if make => match fs::mkdirat(&at, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => open(&at)?,
                Err(error) => return Err(error.into()),
            },
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let why = format!("{name:?} on the way to it is no folder");
                return Err(io::Error::new(ErrorKind::NotADirectory, why));
            }
            Err(error) => return Err(error.into()),
        };
    }
    Ok(at)
}

/// A new file in a folder under way.
pub(super) fn create(folder: &OwnedFd, name: &str, mode: u32) -> io::Result<File> {
    check(name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(mode);
    Ok(File::from(fs::openat(folder, name, flags, mode)?))
}

/// Gives up a file under way.
pub(super) fn discard(folder: &OwnedFd, name: &str) {
    // It goes with its folder, at the latest.
    let _ = fs::unlinkat(folder, name, AtFlags::empty());
}

/// Gives a file under way its final name; a link of that name is replaced, not
/// followed.
pub(super) fn publish(
    from: (&OwnedFd, &str),
    (folder, to): (&OwnedFd, &str),
    replace: bool,
) -> io::Result<()> {
    check(to)?;
    let (under_way, name) = from;
    if replace {
        fs::renameat(under_way, name, folder, to)?;
        return Ok(());
    }
    match fs::renameat_with(under_way, name, folder, to, RenameFlags::NOREPLACE) {
        // A file system that does not know this.
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::linkat(under_way, name, folder, to, AtFlags::empty())?;
            fs::unlinkat(under_way, name, AtFlags::empty())?;
        }
        renamed => renamed?,
    }
    Ok(())
}

/// What SQLite keeps beside a database, after the database's name.
const BESIDE: [&str; 3] = ["-wal", "-journal", "-shm"];

/// Why no file may be written under a name, if so, where no store that is open is.
/// SQLite takes what has the name of a part of a database for one: the database that
/// is there would become another.
pub(super) fn refused(
    folder: &OwnedFd,
    name: &str,
    there: Option<&fs::Stat>,
) -> io::Result<Option<&'static str>> {
    for ending in BESIDE {
        if let Some(database) = name.strip_suffix(ending)
            && !database.is_empty()
            && look(folder, database)?.is_some()
        {
            return Ok(Some(
                "SQLite would take it for a part of the database that is there",
            ));
        }
    }
    let is_file =
        |there: &fs::Stat| fs::FileType::from_raw_mode(there.st_mode) == fs::FileType::RegularFile;
    if there.is_some_and(is_file) && is_store(folder, name)? {
        return Ok(Some(
            "a store has its name; remove that first, if that is meant",
        ));
    }
    for ending in BESIDE {
        if look(folder, &format!("{name}{ending}"))?.is_some() {
            return Ok(Some(
                "a part of another database is there, which SQLite would take for one of it",
            ));
        }
    }
    Ok(None)
}

/// True for a store, by its header.
fn is_store(folder: &OwnedFd, name: &str) -> io::Result<bool> {
    let mut header = Vec::with_capacity(72);
    read(folder, name)?.take(72).read_to_end(&mut header)?;
    Ok(header.starts_with(b"SQLite format 3\0") && header[16..].ends_with(b"dkdc"))
}

/// What is there under a name.
pub(super) fn look(folder: &OwnedFd, name: &str) -> io::Result<Option<fs::Stat>> {
    check(name)?;
    match fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens what is there for reading, if it is a file.
pub(super) fn read(folder: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(fs::openat(folder, name, flags, Mode::empty())?))
}

/// Syncs the files of a folder and of those in it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn sync_files(folder: &OwnedFd) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let (name, flags) = (entry.file_name(), OFlags::RDONLY | OFlags::NOFOLLOW);
        match entry.file_type() {
            fs::FileType::RegularFile => {
                fs::fsync(fs::openat(folder, name, flags, Mode::empty())?)?
            }
            fs::FileType::Directory if !matches!(name.to_bytes(), b"." | b"..") => {
                sync_files(&fs::openat(folder, name, folder_flags(), Mode::empty())?)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes what interrupted runs left.
fn sweep(root: &OwnedFd) -> io::Result<()> {
    for entry in Dir::read_from(root)? {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_bytes().starts_with(UNDER_WAY.as_bytes()) {
            continue;
        }
        let Ok(folder) = fs::openat(root, name, folder_flags(), Mode::empty()) else {
            continue;
        };
        if fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            empty(&folder);
            // Another run may be just as fast.
            let _ = fs::unlinkat(root, name, AtFlags::REMOVEDIR);
        }
    }
    Ok(())
}

/// Empties a folder, best effort.
fn empty(folder: &OwnedFd) {
    let Ok(entries) = Dir::read_from(folder.as_fd()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match fs::openat(folder, name, folder_flags(), Mode::empty()) {
            Ok(inner) => {
                empty(&inner);
                let _ = fs::unlinkat(folder, name, AtFlags::REMOVEDIR);
            }
            Err(_) => {
                let _ = fs::unlinkat(folder, name, AtFlags::empty());
            }
        }
    }
}

/// Refuses what is no name of one file or folder.
fn check(name: &str) -> io::Result<()> {
    let bad = matches!(name, "" | "." | "..")
        || name.contains(['/', '\0'])
        || name.starts_with(UNDER_WAY);
    if bad {
        let why = format!("{name:?} cannot be a name on disk");
        return Err(io::Error::new(ErrorKind::InvalidInput, why));
    }
    Ok(())
}
