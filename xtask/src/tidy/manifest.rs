//! Versions, dependencies and lints stand once, in the workspace's `Cargo.toml`.
//!
//! Reads as much TOML as member manifests use: tables, and entries whose value
//! may go on over lines while a bracket is open.

use super::Finding;
use super::files::File;

pub(super) fn check(file: &File) -> Vec<Finding> {
    if !is_member(&file.path) {
        return Vec::new();
    }
    let entries = entries(&file.text);
    let mut findings: Vec<Finding> = entries
        .iter()
        .filter_map(|entry| Some(Finding::new(file, entry.line, complaint(entry)?)))
        .collect();
    if !entries.iter().any(Entry::inherits_lints) {
        let message = "the lints of the workspace are missing: [lints] workspace = true";
        findings.push(Finding::new(file, 1, message));
    }
    findings
}

fn is_member(path: &str) -> bool {
    path == "xtask/Cargo.toml" || (path.starts_with("crates/") && path.ends_with("/Cargo.toml"))
}

/// `key = value` in a table, blanks around both cut off.
struct Entry {
    table: String,
    key: String,
    value: String,
    line: usize,
}

impl Entry {
    fn inherits_lints(&self) -> bool {
        self.table == "lints" && self.key == "workspace" && self.value == "true"
    }

    /// Whether the table lists dependencies, one an entry.
    fn is_dependency(&self) -> bool {
        self.table.ends_with("dependencies")
    }

    /// Whether the table describes one dependency, as in `[dependencies.serde]`.
    fn describes_dependency(&self) -> bool {
        self.table.contains("dependencies.")
    }
}

fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut table = String::new();
    let mut lines = text.lines().map(without_comment).zip(1..);
    while let Some((start, line)) = lines.next() {
        if start.starts_with('[') {
            table = start.trim_matches(['[', ']']).to_owned();
            continue;
        }
        let mut whole = start.to_owned();
        while open_brackets(&whole) > 0 {
            let Some((more, _)) = lines.next() else { break };
            whole.push_str(more);
        }
        if let Some((key, value)) = whole.split_once('=') {
            entries.push(Entry {
                table: table.clone(),
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                line,
            });
        }
    }
    entries
}

fn open_brackets(text: &str) -> usize {
    let opened = text.matches(['[', '{']).count();
    opened.saturating_sub(text.matches([']', '}']).count())
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let end = line.find(|c| {
        quoted ^= c == '"';
        c == '#' && !quoted
    });
    line[..end.unwrap_or(line.len())].trim()
}

fn complaint(entry: &Entry) -> Option<String> {
    let Entry { key, value, .. } = entry;
    if entry.table == "package" && key == "version" && value.starts_with('"') {
        return Some("the version stands in the workspace: version.workspace = true".to_owned());
    }
    if entry.describes_dependency() && matches!(key.as_str(), "version" | "git") {
        return Some(format!("[{}] has a {key} of its own", entry.table));
    }
    if entry.is_dependency() && !is_inherited(key, value) {
        let name = key.split('.').next().unwrap_or(key);
        return Some(format!(
            "`{name}` has a version of its own: put it in the workspace's Cargo.toml \
             and write {name}.workspace = true"
        ));
    }
    None
}

fn is_inherited(key: &str, value: &str) -> bool {
    let (_, field) = key.split_once('.').unwrap_or((key, ""));
    match field {
        "version" | "git" => false,
        "" => {
            let value: String = value.split_whitespace().collect();
            let has = |field: &str| {
                value.contains(&format!("{{{field}=")) || value.contains(&format!(",{field}="))
            };
            (has("workspace") || has("path")) && !has("version") && !has("git")
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "\n[lints]\nworkspace = true\n";

    fn found(manifest: &str) -> Vec<usize> {
        let manifest = format!("{manifest}{LINTS}");
        let findings = check(&File::new("crates/a/Cargo.toml", &manifest));
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn inherited_and_local_dependencies_pass() {
        let good = r#"[package]
name = "a"
version.workspace = true
[features]
query = ["dep:duckdb"]
[dependencies]
jiff.workspace = true # time
duckdb = { workspace = true, optional = true }
renamed = { package = "dkdc-state", path = "../dkdc-state" }
clap = { workspace = true, features = [
    "derive",
] }
[target.'cfg(unix)'.dependencies]
rustix.workspace = true
[dev-dependencies.proptest]
workspace = true
"#;
        assert_eq!(found(good), Vec::<usize>::new());
    }

    #[test]
    fn versions_of_ones_own_are_found() {
        for bad in [
            "[dependencies]\njiff = \"0.2\"",
            "[dev-dependencies]\njiff = { version = \"0.2\" }",
            "[build-dependencies]\ncc.version = \"1\"",
            "[dependencies]\nx = { path = \"../x\", version = \"0.1\" }",
            "[dependencies]\nx = { git = \"https://example.org/x\" }",
            "[dependencies.jiff]\nversion = \"0.2\"",
            "[target.'cfg(unix)'.dependencies]\nrustix = \"1\"",
            "[package]\nversion = \"0.1.0\"",
        ] {
            assert_eq!(found(bad), [2], "{bad}");
        }
    }

    #[test]
    fn a_member_without_the_lints_is_found() {
        let file = File::new("xtask/Cargo.toml", "[package]\nname = \"xtask\"\n");
        assert_eq!(check(&file).len(), 1);
    }

    #[test]
    fn the_workspace_itself_has_the_versions() {
        let file = File::new("Cargo.toml", "[workspace.dependencies]\njiff = \"0.2\"\n");
        assert_eq!(check(&file), []);
    }
}
