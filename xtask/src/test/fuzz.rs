//! The fuzz targets, which no other step sees: they are a workspace of their own, whose
//! programs need nightly and sanitizers. Whether they compile, stable can tell.
//!
//! Without DuckDB, and with the versions and the profile of the workspace, so that what
//! both need is built once. `tidy` sees to the versions.

use std::env;
use std::path::Path;

use crate::cargo;

pub(super) fn check(root: &Path) -> Result<(), String> {
    let mut command = cargo::command(root, &["clippy", "--manifest-path", "fuzz/Cargo.toml"]);
    command.arg("--bins");
    if env::var_os("CARGO_TARGET_DIR").is_none() {
        command.arg("--target-dir").arg(root.join("target"));
    }
    command.args(["--", "-D", "warnings"]);
    cargo::run(command)
}
