//! A small file system of its own, in memory: the one disk that can be filled
//! without harm to others.

use std::path::Path;
use std::process::Command;

use crate::Result;

/// A file system of so many KiB; gone when dropped.
#[derive(Debug)]
pub struct Small(tempfile::TempDir);

impl Small {
    /// `None` where this user may mount nothing.
    ///
    /// # Errors
    /// When there is no folder to mount it on.
    pub fn mount(kib: u64) -> Result<Option<Small>> {
        let folder = tempfile::tempdir()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(folder.path())
            .output();
        let mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        Ok(mounted.then_some(Small(folder)))
    }

    /// From now on nothing can be written there, by whoever.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make_read_only(&self) -> Result<()> {
        let mut mount = Command::new("mount");
        mount.args(["-o", "remount,ro"]).arg(self.path());
        match mount.status()?.success() {
            true => Ok(()),
            false => Err("it stays writable".into()),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What cannot be unmounted stays: it is a folder for temporary files.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
