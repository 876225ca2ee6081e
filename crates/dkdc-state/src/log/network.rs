//! Where a store may not be. On a network file system: its locks do not reach
//! other machines reliably, and memory shared by mapping a file does not at all,
//! so that two writers would not see each other. And where the file alone is
//! mounted, as containers are told to by mistake: the `-wal` beside it is then one
//! of the container's, which nobody else sees, and which goes with it.

use std::path::Path;

use crate::error::{Error, Result};

/// Refuses a path on a network file system.
#[cfg(target_os = "linux")]
pub(super) fn refuse(path: &Path) -> Result<()> {
    let at = if path.exists() {
        path
    } else {
        path.parent().unwrap_or(path)
    };
    // What cannot be asked is for the opening to tell.
    let Ok(found) = rustix::fs::statfs(at) else {
        return Ok(());
    };
    match name(i128::from(found.f_type)) {
        None => Ok(()),
        Some(name) => Err(Error::NotAStore {
            path: path.to_owned(),
            why: format!(
                "it is on a network file system ({name}), where writers on two machines \
                 cannot see each other: keep it on a disk of this machine"
            ),
        }),
    }
}

/// Refuses to write a file that is mounted by itself.
#[cfg(target_os = "linux")]
pub(super) fn refuse_mounted(path: &Path) -> Result<()> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::INO);
    let mounted = found.is_ok_and(|found| {
        let asked = found.stx_attributes & found.stx_attributes_mask;
        asked.contains(StatxAttributes::MOUNT_ROOT)
    });
    match mounted {
        false => Ok(()),
        true => Err(Error::NotAStore {
            path: path.to_owned(),
            why: "the file is mounted by itself, and what was written last is in files \
                  beside it: mount its folder"
                .to_owned(),
        }),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn refuse_mounted(_path: &Path) -> Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn refuse(_path: &Path) -> Result<()> {
    Ok(())
}

/// The network file system that has this number in the kernel.
#[cfg(target_os = "linux")]
fn name(magic: i128) -> Option<&'static str> {
    // A number of 32 bits, with a sign on some machines.
    Some(match magic & 0xffff_ffff {
        0x6969 => "NFS",
        0x517b => "SMB",
        0xff53_4d42 => "CIFS",
        0xfe53_4d42 => "SMB2",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x00c3_6400 => "Ceph",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_network_file_system_is_refused_and_a_disk_is_not() {
        assert_eq!(name(0x6969), Some("NFS"));
        // The same number, as a machine with signed ones gives it.
        assert_eq!(name(-11_317_950), Some("CIFS"));
        let (ext4, tmpfs, btrfs, overlay) = (0xef53, 0x0102_1994, 0x9123_683e, 0x794c_7630);
        for disk in [ext4, tmpfs, btrfs, overlay] {
            assert_eq!(name(disk), None, "{disk:#x}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        assert!(refuse(&folder.path().join("data.db")).is_ok());
    }
}
