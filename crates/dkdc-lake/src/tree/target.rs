//! A folder that files of the lake are written into, and nothing outside of it.
//!
//! What must hold: every folder on the way is opened from the one before it, and
//! none through a link; a file is written under no final name, synced, and then
//! renamed. Files under way are in a folder of their own in the target, locked
//! while it is used; one that no living process holds is removed.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// How the names of folders for files under way begin.
const UNDER_WAY: &str = ".dkdc-checkout-";

/// The folder.
pub(super) struct Target {
    root: OwnedFd,
    under_way: OwnedFd,
    name: String,
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
            ignores_case: false,
        };
        target.ignores_case = target.try_case()?;
        Ok(target)
    }

    fn try_case(&self) -> io::Result<bool> {
        drop(self.create("case", 0o600)?);
        let other = fs::statat(&self.under_way, "CASE", AtFlags::SYMLINK_NOFOLLOW);
        fs::unlinkat(&self.under_way, "case", AtFlags::empty())?;
        Ok(other.is_ok())
    }

    /// A folder below, opened name by name; made where it is not there.
    pub(super) fn folder(&self, path: Option<&str>, make: bool) -> io::Result<OwnedFd> {
        let mut at = self.root.try_clone()?;
        for name in path.into_iter().flat_map(|path| path.split('/')) {
            check(name)?;
            let open = |at: &OwnedFd| fs::openat(at, name, folder_flags(), Mode::empty());
            at = match open(&at) {
                Ok(folder) => folder,
                Err(Errno::NOENT) if make => {
                    match fs::mkdirat(&at, name, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(Errno::EXIST) => open(&at)?,
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(Errno::LOOP | Errno::NOTDIR) => {
                    let why = format!("{name:?} on the way to it is no folder");
                    return Err(io::Error::new(ErrorKind::NotADirectory, why));
                }
                Err(error) => return Err(error.into()),
            };
        }
        Ok(at)
    }

    /// A new file under way.
    pub(super) fn create(&self, name: &str, mode: u32) -> io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        Ok(File::from(fs::openat(&self.under_way, name, flags, mode)?))
    }

    /// Gives up a file under way.
    pub(super) fn discard(&self, name: &str) {
        // It goes with its folder, at the latest.
        let _ = fs::unlinkat(&self.under_way, name, AtFlags::empty());
    }

    /// Makes everything under way durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        fs::syncfs(&self.under_way)?;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        for entry in Dir::read_from(&self.under_way)? {
            let entry = entry?;
            if entry.file_type() == FileType::RegularFile {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW;
                let file = fs::openat(&self.under_way, entry.file_name(), flags, Mode::empty())?;
                fs::fsync(&file)?;
            }
        }
        Ok(())
    }

    /// Gives a file under way its final name; a link of that name is replaced,
    /// not followed.
    pub(super) fn publish(
        &self,
        name: &str,
        folder: &OwnedFd,
        to: &str,
        replace: bool,
    ) -> io::Result<()> {
        check(to)?;
        if replace {
            fs::renameat(&self.under_way, name, folder, to)?;
            return Ok(());
        }
        let kept = RenameFlags::NOREPLACE;
        match fs::renameat_with(&self.under_way, name, folder, to, kept) {
            // A file system that does not know this.
            Err(Errno::INVAL | Errno::NOSYS) => {
                fs::linkat(&self.under_way, name, folder, to, AtFlags::empty())?;
                fs::unlinkat(&self.under_way, name, AtFlags::empty())?;
            }
            renamed => renamed?,
        }
        Ok(())
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
}

impl Drop for Target {
    fn drop(&mut self) {
        empty(&self.under_way);
        let _ = fs::unlinkat(&self.root, &self.name, AtFlags::REMOVEDIR);
    }
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

/// Removes the files of a folder, best effort.
fn empty(folder: &OwnedFd) {
    let Ok(entries) = Dir::read_from(folder.as_fd()) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type() == FileType::RegularFile {
            let _ = fs::unlinkat(folder, entry.file_name(), AtFlags::empty());
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
