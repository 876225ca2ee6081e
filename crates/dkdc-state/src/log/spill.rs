//! What questions spilled beside the store, and what killed processes left of it.
//!
//! DuckDB names its files by the process that they are of, and sweeps those of
//! processes that have ended when it spills the next time. A wipe cannot wait for
//! that.

use std::fs;
use std::path::{Path, PathBuf};

use super::identity::beside;

/// The folder in which questions to a store spill.
pub(crate) fn folder(store: &Path) -> PathBuf {
    beside(store, "-spill")
}

/// Removes what processes that have ended left behind. Returns the files that have
/// content and stay; what is gone is not gone for good until the store's folder, and
/// this one where it stays, are synced.
pub(super) fn sweep(store: &Path) -> Vec<PathBuf> {
    let folder = folder(store);
    let mut stay = Vec::new();
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let owner = name.to_str().and_then(owner);
        if owner.is_some_and(has_ended) && fs::remove_file(&path).is_ok() {
            continue;
        }
        if entry.metadata().is_ok_and(|meta| meta.len() > 0) {
            stay.push(path);
        }
    }
    // Where something is in it, it stays.
    let _ = fs::remove_dir(&folder);
    stay
}

/// The process that a file is of.
fn owner(name: &str) -> Option<u32> {
    let rest = name.strip_prefix("duckdb_temp_")?;
    let (process, rest) = rest.split_once('_')?;
    let (instance, _) = rest.split_once('_')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    number(instance).then(|| process.parse().ok()).flatten()
}

/// True when it is known that there is no such process.
fn has_ended(process: u32) -> bool {
    let processes = Path::new("/proc");
    processes.join("self").exists() && !processes.join(process.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_processes_that_have_ended_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().expect("a folder");
        let store = place.path().join("data.db");
        let spill = folder(&store);
        fs::create_dir(&spill).expect("a folder");
        let living = format!("duckdb_temp_{}_0_storage-0.tmp", std::process::id());
        let marker = format!("duckdb_temp_{}_0_owner", std::process::id());
        // No system gives so high a number.
        let left = "duckdb_temp_4294967295_3_block-7.block";
        for name in [&*living, left, "notes.txt"] {
            fs::write(spill.join(name), "rows").expect("a file");
        }
        fs::write(spill.join(&marker), "").expect("a file");
        let mut stay = sweep(&store);
        stay.sort();
        assert_eq!(stay, [spill.join(&living), spill.join("notes.txt")]);
        assert_eq!(spill.join(left).exists(), !Path::new("/proc/self").exists());
        for name in [&*living, &marker, "notes.txt"] {
            fs::remove_file(spill.join(name)).expect("it is still there");
        }
        assert_eq!(sweep(&store), [""; 0].map(PathBuf::from));
        assert!(!spill.exists(), "an empty folder goes, too");
    }
}
