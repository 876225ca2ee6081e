//! What a run is made on: without it a number says little.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// The machine and the build, as far as they bear on the numbers.
pub(crate) struct Machine {
    pub(crate) profile: &'static str,
    pub(crate) cores: usize,
    pub(crate) sqlite: &'static str,
    pub(crate) file_system: String,
    /// Runnable threads over the last minute, when the run began.
    pub(crate) load: String,
}

impl Machine {
    /// Looks at the machine; the databases are to be in `folder`.
    pub(crate) fn look(folder: &Path) -> Machine {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default();
        Machine {
            profile: env!("DKDC_BENCH_PROFILE"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            sqlite: rusqlite::version(),
            file_system: file_system(folder).unwrap_or_else(|| "unknown".to_owned()),
            load: if load.is_empty() { "unknown" } else { load }.to_owned(),
        }
    }

    /// True when nothing written there survives a power loss anyway.
    pub(crate) fn in_memory(&self) -> bool {
        matches!(self.file_system.as_str(), "tmpfs" | "ramfs")
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks = if cfg!(debug_assertions) { "on" } else { "off" };
        write!(
            f,
            "profile: {}, debug assertions {checks}\n{} cores, load {} at the start, \
             file system {}, SQLite {}",
            self.profile, self.cores, self.load, self.file_system, self.sqlite
        )
    }
}

/// The folder of this program: in the target folder, so on a real disk.
pub(crate) fn beside() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.parent().ok_or("this program has no folder")?;
    Ok(folder.to_owned())
}

/// The kind of file system that `folder` is in: that of the mount point with
/// the longest path above it.
fn file_system(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    mounts
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind.to_owned())
}

/// The most memory that this process has taken, in megabytes.
pub(crate) fn peak_memory() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    let kib: f64 = kib.ok_or("the system does not say VmHWM")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}
