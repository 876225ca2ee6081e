//! Files in the lake, beside git, restic, tar, plain SQLite and the file system.

mod large;
mod tree;
mod versions;

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Plan, leave};
use crate::Result;
use crate::report::Report;

/// All of it.
pub(super) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    if !plan.dkdc.is_file() {
        report.skip("the lake", "there is no program dkdc; name it by --dkdc");
        return Ok(());
    }
    let room = plan.room("lake-tree")?;
    tree::run(plan, report, &room)?;
    leave(&room)?;
    let room = plan.room("lake-large")?;
    large::run(plan, report, &room)?;
    leave(&room)?;
    let room = plan.room("lake-versions")?;
    versions::run(plan, report, &room)?;
    leave(&room)?;
    Ok(())
}

/// Bytes that do not shrink.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill(&mut self, bytes: usize) -> Vec<u8> {
        let mut data = Vec::with_capacity(bytes + 8);
        while data.len() < bytes {
            data.extend(self.next().to_le_bytes());
        }
        data.truncate(bytes);
        data
    }
}

fn there_is(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok()
}

/// The size of a file, or of all files in a folder, in megabytes.
fn megabytes(path: &Path) -> Result<f64> {
    fn bytes(path: &Path) -> Result<u64> {
        let meta = fs::symlink_metadata(path)?;
        if !meta.is_dir() {
            return Ok(meta.len());
        }
        fs::read_dir(path)?.map(|entry| bytes(&entry?.path())).sum()
    }
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    let bytes = bytes(path)? as f64;
    Ok(bytes / 1e6)
}
