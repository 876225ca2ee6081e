//! Publishing a file: written, synced, renamed, and the folder synced, in this
//! order, so that a final name never stands for half a file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::log::access;
use crate::log::hash::{self, Hash};

/// A file that has not got its name yet; removed when dropped before.
pub(super) struct Draft {
    path: PathBuf,
    /// Locked: nobody takes it for a leftover.
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
    published: bool,
}

/// Refuses when something else is where the folder is, or would be made.
pub(super) fn nothing_in_the_way(folder: &Path) -> Result<()> {
    if folder.is_dir() || fs::symlink_metadata(folder).is_err() {
        return Ok(());
    }
    let why = "it is no folder, and the mirror's files go into one of this name: move it away";
    Err(Error::io(
        folder,
        io::Error::new(io::ErrorKind::NotADirectory, why),
    ))
}

/// Lets those look into the folder, if it is there, who may use the store now.
pub(super) fn share(folder: &Path) {
    if let Some(store) = store_of(folder) {
        access::share_folder(store, folder, false);
    }
}

/// The store whose mirror a folder is: see [`super::folder`].
#[cfg(unix)]
fn store_of(folder: &Path) -> Option<&Path> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let path = folder.as_os_str().as_bytes().strip_suffix(b"-mirror")?;
    Some(Path::new(OsStr::from_bytes(path)))
}

#[cfg(not(unix))]
fn store_of(_folder: &Path) -> Option<&Path> {
    None
}

/// What was published.
pub(super) struct Published {
    pub(super) bytes: u64,
    pub(super) hash: Hash,
    /// Locked until this is dropped: the manifest does not name it yet.
    pub(super) file: File,
}

/// How a file begins that has not got its name yet.
pub(super) const DRAFT: &str = "draft-";

impl Draft {
    /// A new file in the folder, which is made if it is not there.
    pub(super) fn create(folder: &Path) -> Result<Draft> {
        nothing_in_the_way(folder)?;
        let is_new = access::new_folder(folder).map_err(|error| Error::io(folder, error))?;
        let store = store_of(folder);
        if let Some(store) = store {
            access::share_folder(store, folder, is_new);
        }
        let mut random = [0; 8];
        hash::random(&mut random)?;
        let path = folder.join(format!("{DRAFT}{}", crate::record::hex(&random)));
        let file = access::new_file().open(&path);
        let file = file.map_err(|error| Error::io(&path, error))?;
        if let Some(store) = store {
            access::share_derived(store, &file);
        }
        // Where there are no locks, nothing of others is collected either.
        let _ = file.try_lock();
        Ok(Draft {
            path,
            file: BufWriter::with_capacity(1 << 20, file),
            hasher: blake3::Hasher::new(),
            bytes: 0,
            published: false,
        })
    }

    /// Gives the file its name, for good: nobody writes it any more.
    pub(super) fn publish(mut self, name: &str) -> Result<Published> {
        let to = self.path.with_file_name(name);
        let named = self
            .name(&to)
            .and_then(|()| self.file.get_ref().try_clone());
        Ok(Published {
            bytes: self.bytes,
            hash: self.hasher.finalize().into(),
            file: named.map_err(|error| Error::io(&to, error))?,
        })
    }

    /// Puts a file that may be lost in the place of one that may be there.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where files are published"
    )]
    pub(super) fn replace(mut self, name: &str) -> Result<()> {
        let to = self.path.with_file_name(name);
        let named = self.file.flush().and_then(|()| fs::rename(&self.path, &to));
        self.published = named.is_ok();
        named.map_err(|error| Error::io(&to, error))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is where files are published"
    )]
    fn name(&mut self, to: &Path) -> io::Result<()> {
        self.file.flush()?;
        let file = self.file.get_ref();
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions)?;
        file.sync_all()?;
        fs::rename(&self.path, to)?;
        self.published = true;
        sync_folder(to.parent().unwrap_or(Path::new(".")))
    }
}

/// Makes names in a folder durable, where the system has such a thing.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a draft stays behind");
        }
    }
}
