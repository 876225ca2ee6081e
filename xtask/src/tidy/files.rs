//! The files to check: what git tracks or would track, else what is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// One text file. Its path is relative to the root, with `/` on every system.
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The path below `crates/<name>/src/`, if it is there, with the name.
    pub(super) fn in_crate(&self) -> Option<(&str, &str)> {
        let (name, rest) = self.path.strip_prefix("crates/")?.split_once('/')?;
        Some((name, rest.strip_prefix("src/")?))
    }
}

/// All files, by path; binary ones are known but have no text.
pub(super) struct Files {
    files: BTreeMap<String, File>,
}

impl Files {
    /// Lists and reads everything below `root` that is not ignored.
    pub(super) fn list(root: &Path) -> Result<Self, String> {
        let paths = match tracked(root) {
            Some(paths) => paths,
            None => walked(root)?,
        };
        let mut files = Vec::new();
        for path in paths {
            let full = root.join(&path);
            // In the index but deleted, or a submodule: not a file to check.
            if !full.is_file() {
                continue;
            }
            let bytes = fs::read(&full).map_err(|error| format!("{path}: {error}"))?;
            files.push(File::new(&path, &text(bytes)));
        }
        Ok(Self::of(files))
    }

    pub(super) fn of(files: Vec<File>) -> Self {
        let files = files.into_iter().map(|file| (file.path.clone(), file));
        Self {
            files: files.collect(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Whether the path is a file, or a folder with files in it.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self
                .files
                .range(folder.clone()..)
                .next()
                .is_some_and(|(found, _)| found.starts_with(&folder))
    }

    /// Whether some file or folder, in whatever folder, ends with this path.
    pub(super) fn has_ending(&self, path: &str) -> bool {
        let path = format!("/{}", path.trim_end_matches('/'));
        let folder = format!("{path}/");
        self.files
            .keys()
            .any(|found| found.ends_with(&path) || found.contains(&folder))
    }
}

/// A file with a zero byte is not text; it is kept, empty, for its path.
fn text(bytes: Vec<u8>) -> String {
    if bytes.contains(&0) {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What git lists, or None where there is no git, or not this repository's.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "-co", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let paths: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .split_terminator('\0')
        .map(str::to_owned)
        .collect();
    paths
        .iter()
        .any(|path| path == "Cargo.toml")
        .then_some(paths)
}

const NOT_WALKED: &[&str] = &[".git", ".venv", "__pycache__", "node_modules", "target"];

fn walked(root: &Path) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let failed = |error| format!("{folder}: {error}");
        for entry in fs::read_dir(root.join(&folder)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() && !NOT_WALKED.contains(&name.as_str()) {
                folders.push(format!("{folder}{name}/"));
            } else if kind.is_file() {
                paths.push(format!("{folder}{name}"));
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files::of(vec![
            File::new("crates/a/src/log.rs", ""),
            File::new("crates/a/src/log/read.rs", ""),
            File::new("crates/ab/tests/it/main.rs", ""),
        ])
    }

    #[test]
    fn files_and_folders_are_found_by_their_whole_names() {
        for path in ["crates/a/src/log.rs", "crates/a/src/log", "crates/ab/", ""] {
            assert!(files().has(path), "{path}");
        }
        for path in ["crates/a/src/lo", "crates/b", "log.rs"] {
            assert!(!files().has(path), "{path}");
        }
    }

    #[test]
    fn an_ending_begins_at_a_folder() {
        for path in ["tests/it/main.rs", "tests/it", "tests/", "log/read.rs"] {
            assert!(files().has_ending(path), "{path}");
        }
        for path in ["ests/it/main.rs", "tests/i", "og.rs"] {
            assert!(!files().has_ending(path), "{path}");
        }
    }

    #[test]
    fn the_walk_finds_hidden_folders_and_leaves_out_what_is_built() {
        let root = crate::cargo::workspace_root().expect("cargo test runs in the workspace");
        let paths = walked(&root).expect("the repository can be read");
        assert!(paths.iter().any(|path| path == ".cargo/config.toml"));
        assert!(paths.iter().any(|path| path == "xtask/src/tidy/files.rs"));
        assert!(!paths.iter().any(|path| path.starts_with(".git/")));
        assert!(!paths.iter().any(|path| path.starts_with("target/")));
    }

    #[test]
    fn a_source_file_knows_its_crate() {
        let file = File::new("crates/dkdc-state/src/log/read.rs", "");
        assert_eq!(file.in_crate(), Some(("dkdc-state", "log/read.rs")));
        assert_eq!(File::new("crates/a/tests/it/main.rs", "").in_crate(), None);
        assert_eq!(File::new("xtask/src/main.rs", "").in_crate(), None);
    }

    #[test]
    fn a_binary_file_has_no_text() {
        assert_eq!(text(b"PAR1\0\xff".to_vec()), "");
        assert_eq!(text(b"plain".to_vec()), "plain");
    }
}
