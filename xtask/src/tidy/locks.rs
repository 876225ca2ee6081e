//! The fuzz targets are a workspace of their own, whose lock file has the versions of
//! the workspace's: what both need is built once, and needs no network.

use std::collections::BTreeSet;

use super::Finding;
use super::files::{File, Files};

pub(super) fn check(file: &File, files: &Files) -> Vec<Finding> {
    let workspace = files.get("Cargo.lock");
    let Some(workspace) = workspace.filter(|_| file.path == "fuzz/Cargo.lock") else {
        return Vec::new();
    };
    let ours: BTreeSet<(&str, &str)> = packages(&workspace.text).map(|(_, it)| it).collect();
    packages(&file.text)
        .filter(|(_, it)| !ours.contains(it) && ours.iter().any(|(name, _)| *name == it.0))
        .map(|(line, (name, version))| {
            let message = format!(
                "{name} {version} is not the workspace's: cp Cargo.lock fuzz/ && \
                 cargo metadata --manifest-path fuzz/Cargo.toml --format-version 1 > /dev/null"
            );
            Finding::new(file, line, message)
        })
        .collect()
}

/// Each package's name and version, and the line of the version.
fn packages(lock: &str) -> impl Iterator<Item = (usize, (&str, &str))> {
    let versions = lock.lines().skip(1).zip(2..);
    lock.lines()
        .zip(versions)
        .filter_map(|(name, (version, line))| {
            let name = name.strip_prefix("name = ")?.trim_matches('"');
            let version = version.strip_prefix("version = ")?.trim_matches('"');
            Some((line, (name, version)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_other_than_the_workspaces_is_found() {
        let package = |name, version| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"x\"\n\n")
        };
        let (old, new, only) = (
            package("a", "1.0.0"),
            package("a", "2.0.0"),
            package("b", "1.0.0"),
        );
        let ours = File::new("Cargo.lock", &format!("version = 4\n\n{old}"));
        let theirs = |text: String| File::new("fuzz/Cargo.lock", &text);
        let files = Files::of(vec![ours]);
        assert_eq!(check(&theirs(format!("{old}{only}")), &files), []);
        let found = check(&theirs(format!("{only}{new}")), &files);
        assert_eq!(found.iter().map(|it| it.line).collect::<Vec<_>>(), [8]);
        assert!(
            found[0].message.starts_with("a 2.0.0 is not"),
            "{}",
            found[0].message
        );
    }
}
