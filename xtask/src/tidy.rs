//! `cargo xtask tidy`: what the pages say about this repository, checked.
//!
//! Each check is a small function from one file, or from all of them, to a list
//! of findings. There is no marker that silences one: an exception is written
//! into the check that makes it, where it is reviewed.

mod code;
mod docs;
mod faults;
mod files;
mod locks;
mod machine;
mod manifest;
mod seeds;
mod source;

use std::fmt;
use std::path::Path;

use self::files::{File, Files};

/// What a check has against a line.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    /// `line` counts from 1.
    fn new(file: &File, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: file.path.clone(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Prints every finding; the error says how many there are.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let files = Files::list(root)?;
    let findings = check(&files);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files, nothing found", files.len());
            Ok(())
        }
        1 => Err("tidy: 1 finding".to_owned()),
        count => Err(format!("tidy: {count} findings")),
    }
}

fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter() {
        findings.extend(machine::check(file));
        findings.extend(manifest::check(file));
        findings.extend(source::check(file));
        findings.extend(seeds::check(file));
        findings.extend(docs::check(file, files));
        findings.extend(faults::check(file, files));
        findings.extend(locks::check(file, files));
    }
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_path_line_message() {
        let file = File::new("docs/a.md", "");
        assert_eq!(
            Finding::new(&file, 7, "is wrong").to_string(),
            "docs/a.md:7: is wrong"
        );
    }

    #[test]
    fn findings_come_in_the_order_of_path_and_line() {
        let files = Files::of(vec![
            File::new("crates/b/src/lib.rs", "\n#[allow(x)]\nfn f() {}\n"),
            File::new("crates/a/src/mod.rs", "//! A.\n"),
        ]);
        let found: Vec<_> = check(&files)
            .iter()
            .map(|finding| (finding.path.clone(), finding.line))
            .collect();
        assert_eq!(
            found,
            [
                ("crates/a/src/mod.rs".to_owned(), 1),
                ("crates/b/src/lib.rs".to_owned(), 1),
                ("crates/b/src/lib.rs".to_owned(), 2),
            ]
        );
    }
}
