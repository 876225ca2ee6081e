//! What a file on disk is compared by.

use std::fs::Metadata;
use std::io;
use std::path::Path;

use dkdc_state::State;
use jiff::Timestamp;

use crate::file::whole_microseconds;

/// A file's size, permissions and time of change, as the lake keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) size: u64,
    /// Without the kind of file.
    pub(super) mode: Option<i64>,
    pub(super) mtime: Option<Timestamp>,
}

impl Stat {
    pub(super) fn of(meta: &Metadata) -> Stat {
        let time = meta.modified().ok();
        let time = time.and_then(|time| Timestamp::try_from(time).ok());
        Stat {
            size: meta.len(),
            mode: mode(meta),
            mtime: time.map(whole_microseconds),
        }
    }
}

#[cfg(unix)]
fn mode(meta: &Metadata) -> Option<i64> {
    use std::os::unix::fs::PermissionsExt;
    Some(i64::from(meta.permissions().mode() & 0o7777))
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> Option<i64> {
    None
}

/// The files of stores that this process has open, by whatever name: to read one and
/// close it would drop SQLite's locks.
#[cfg(unix)]
pub(super) struct OpenFiles(Vec<(u64, u64)>);

#[cfg(unix)]
impl OpenFiles {
    pub(super) fn now() -> OpenFiles {
        use std::os::unix::fs::MetadataExt;
        let key = |path: std::path::PathBuf| {
            let meta = path.metadata().ok()?;
            Some((meta.dev(), meta.ino()))
        };
        OpenFiles(State::open_files().into_iter().filter_map(key).collect())
    }

    pub(super) fn has(&self, stat: &rustix::fs::Stat) -> bool {
        self.0.contains(&(stat.st_dev, stat.st_ino))
    }
}

/// Looks at files, one folder after the other: each by its name in the folder, so
/// that the system does not look up the way to it again.
pub(super) struct Looker {
    #[cfg(unix)]
    open: OpenFiles,
    #[cfg(not(unix))]
    open: Vec<std::path::PathBuf>,
    #[cfg(unix)]
    last: Option<(std::path::PathBuf, std::os::fd::OwnedFd)>,
}

impl Looker {
    pub(super) fn new() -> Looker {
        Looker {
            #[cfg(unix)]
            open: OpenFiles::now(),
            #[cfg(not(unix))]
            open: State::open_files(),
            #[cfg(unix)]
            last: None,
        }
    }

    /// A file by its path; `None` for one of a store that is open. A link is not
    /// followed.
    #[cfg(unix)]
    pub(super) fn look(&mut self, path: &Path) -> io::Result<Option<Stat>> {
        use std::os::unix::ffi::OsStrExt;

        use rustix::fs::{AtFlags, Mode, OFlags, open, statat};

        let whole = path.as_os_str().as_bytes();
        let slash = whole.iter().rposition(|byte| *byte == b'/');
        let (folder, name) = match slash {
            Some(at) => (&whole[..=at], &whole[at + 1..]),
            None => return std::fs::symlink_metadata(path).map(|meta| Some(Stat::of(&meta))),
        };
        let known = |(last, _): &(std::path::PathBuf, _)| last.as_os_str().as_bytes() == folder;
        if !self.last.as_ref().is_some_and(known) {
            let folder = Path::new(std::ffi::OsStr::from_bytes(folder));
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            self.last = Some((folder.to_owned(), open(folder, flags, Mode::empty())?));
        }
        let Some((_, folder)) = &self.last else {
            unreachable!("BUG: a folder was just opened");
        };
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if self.open.has(&stat) {
            return Ok(None);
        }
        let nanos = i32::try_from(stat.st_mtime_nsec).unwrap_or(0);
        let time = Timestamp::new(stat.st_mtime, nanos).ok();
        Ok(Some(Stat {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mode: Some(i64::from(stat.st_mode & 0o7777)),
            mtime: time.map(whole_microseconds),
        }))
    }

    #[cfg(not(unix))]
    pub(super) fn look(&mut self, path: &Path) -> io::Result<Option<Stat>> {
        if path
            .canonicalize()
            .is_ok_and(|path| self.open.contains(&path))
        {
            return Ok(None);
        }
        std::fs::symlink_metadata(path).map(|meta| Some(Stat::of(&meta)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_looks_the_same_from_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut looker = Looker::new();
        for name in ["one", "a/two", "a/three", "b"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(&path, name).expect("a file");
            let meta = std::fs::symlink_metadata(&path).expect("a file");
            assert_eq!(looker.look(&path).expect("a file"), Some(Stat::of(&meta)));
        }
        assert!(looker.look(&folder.path().join("c")).is_err());
        assert!(looker.look(&folder.path().join("none/c")).is_err());
    }
}
