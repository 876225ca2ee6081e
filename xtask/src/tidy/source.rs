//! Rust files: how they begin, how long they are, and which engine, macro or
//! module they may name.

use super::Finding;
use super::code::{Code, is_name};
use super::files::File;

/// The most lines a source file may have.
const LONGEST: usize = 500;

/// Who may name which engine, as beginnings of paths. Tests, the bench and the
/// torture may name any: they look from outside.
const OWNERS: &[(&str, &[&str])] = &[
    (
        "rusqlite",
        &[
            "crates/dkdc-state/src/log.rs",
            "crates/dkdc-state/src/log/",
            "crates/dkdc-state/src/blob.rs",
            "crates/dkdc-state/src/schema/sql.rs",
        ],
    ),
    (
        "duckdb",
        &[
            "crates/dkdc-state/src/query.rs",
            "crates/dkdc-state/src/query/",
        ],
    ),
    (
        "parquet",
        &[
            "crates/dkdc-state/src/mirror.rs",
            "crates/dkdc-state/src/mirror/",
            "crates/dkdc-state/src/query/content/",
            "crates/dkdc-cli/src/import",
            "crates/dkdc-cli/src/export",
        ],
    ),
];

/// Programs, which may print; every other crate is a library.
const PROGRAMS: &[&str] = &["dkdc-cli", "dkdc-bench", "dkdc-torture"];

/// Crates that are told everything by their callers.
const WITHOUT_ENVIRONMENT: &[&str] = &["dkdc-state", "dkdc-todo", "dkdc-lake"];

pub(super) fn check(file: &File) -> Vec<Finding> {
    if !file.path.ends_with(".rs") {
        return Vec::new();
    }
    let code = Code::new(&file.text);
    let mut findings = Vec::new();
    findings.extend(opening(file));
    findings.extend(name(file));
    findings.extend(length(file));
    findings.extend(engines(file, &code));
    findings.extend(allows(file, &code));
    findings.extend(prints(file, &code));
    findings.extend(environment(file, &code));
    findings
}

fn opening(file: &File) -> Option<Finding> {
    let message = "the file does not begin with `//!` and what it is for";
    (!file.text.starts_with("//!")).then(|| Finding::new(file, 1, message))
}

fn name(file: &File) -> Option<Finding> {
    let message = "a module `x` is `x.rs` beside `x/`, not `x/mod.rs`";
    let is_mod = file.path.rsplit('/').next() == Some("mod.rs");
    is_mod.then(|| Finding::new(file, 1, message))
}

fn length(file: &File) -> Option<Finding> {
    let in_src = file.in_crate().is_some() || file.path.starts_with("xtask/src/");
    let lines = file.text.lines().count();
    if !in_src || is_test_file(file) || lines <= LONGEST {
        return None;
    }
    let message = format!("{lines} lines, {LONGEST} at most: split it by a concept");
    Some(Finding::new(file, LONGEST + 1, message))
}

/// Modules of unit tests in files of their own.
fn is_test_file(file: &File) -> bool {
    file.path.ends_with("/tests.rs") || file.path.contains("/tests/")
}

fn engines(file: &File, code: &Code) -> Vec<Finding> {
    let Some((package, _)) = file.in_crate() else {
        return Vec::new();
    };
    if ["dkdc-bench", "dkdc-torture"].contains(&package) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (engine, owners) in OWNERS {
        if owners.iter().any(|owner| file.path.starts_with(owner)) {
            continue;
        }
        for at in code.words(engine).filter(|&at| is_crate(code, at, engine)) {
            let message = format!("`{engine}` belongs to {}", owners.join(", "));
            findings.push(Finding::new(file, code.line(at), message));
        }
    }
    findings
}

/// Whether a name stands where only a crate can: first in a path, or imported.
fn is_crate(code: &Code, at: usize, name: &str) -> bool {
    let before = code.before(at).trim_end();
    if let Some(parent) = before.strip_suffix("::") {
        return !parent.trim_end().ends_with(|c| is_name(c) || c == '>');
    }
    let imports = ["use", "crate"].iter().any(|word| {
        before
            .strip_suffix(word)
            .is_some_and(|rest| !rest.ends_with(is_name))
    });
    imports || code.after(at, name).trim_start().starts_with("::")
}

/// `expect` says why and ends when its cause does; `allow` does neither.
fn allows(file: &File, code: &Code) -> Vec<Finding> {
    code.attributes()
        .filter(|(_, attribute)| calls(attribute, "allow"))
        .map(|(at, _)| {
            let message = "`allow`: write `#[expect(lint, reason = \"...\")]`";
            Finding::new(file, code.line(at), message)
        })
        .collect()
}

fn calls(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        !text[..at].ends_with(is_name) && text[at + name.len()..].trim_start().starts_with('(')
    })
}

fn prints(file: &File, code: &Code) -> Vec<Finding> {
    let is_library = file
        .in_crate()
        .is_some_and(|(package, _)| !PROGRAMS.contains(&package));
    if !is_library || is_test_file(file) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for name in ["print", "println", "eprint", "eprintln", "dbg"] {
        for at in code.words(name) {
            if code.after(at, name).starts_with('!') && !code.in_tests(at) {
                let message = format!("`{name}!`: a library does not print");
                findings.push(Finding::new(file, code.line(at), message));
            }
        }
    }
    findings
}

fn environment(file: &File, code: &Code) -> Vec<Finding> {
    let is_told = file
        .in_crate()
        .is_some_and(|(package, _)| WITHOUT_ENVIRONMENT.contains(&package));
    if !is_told || is_test_file(file) {
        return Vec::new();
    }
    code.words("env")
        .filter(|&at| !code.in_tests(at))
        .filter(|&at| code.before(at).ends_with("std::") || code.after(at, "env").starts_with("::"))
        .map(|at| {
            let message = "`std::env`: a library reads no environment, its caller says";
            Finding::new(file, code.line(at), message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines found in a file that is in order but for this.
    fn lines(path: &str, rest: &str) -> Vec<usize> {
        let findings = check(&File::new(path, &format!("//! X.\n{rest}")));
        findings.iter().map(|finding| finding.line).collect()
    }

    const NONE: [usize; 0] = [];

    #[test]
    fn a_file_begins_with_what_it_is_for() {
        let opened = |text| opening(&File::new("crates/a/src/b.rs", text)).is_none();
        assert!(opened("//! The log.\nuse x;\n"));
        assert!(!opened("use x;\n//! The log.\n"));
        assert!(!opened("// The log.\n"));
        assert!(!opened(""));
    }

    #[test]
    fn a_module_is_not_called_mod() {
        assert_eq!(lines("crates/a/src/log.rs", ""), NONE);
        assert_eq!(lines("crates/a/src/log/mod.rs", ""), [1]);
        assert_eq!(lines("crates/a/tests/it/mod.rs", ""), [1]);
    }

    #[test]
    fn a_long_file_is_found_unless_it_is_tests() {
        let longest = "\n".repeat(LONGEST - 1);
        let longer = "\n".repeat(LONGEST);
        assert_eq!(lines("crates/a/src/b.rs", &longest), NONE);
        assert_eq!(lines("crates/a/src/b.rs", &longer), [LONGEST + 1]);
        assert_eq!(lines("xtask/src/b.rs", &longer), [LONGEST + 1]);
        assert_eq!(lines("crates/a/src/b/tests.rs", &longer), NONE);
        assert_eq!(lines("crates/a/tests/it/b.rs", &longer), NONE);
    }

    #[test]
    fn an_engine_is_named_by_its_owner_only() {
        let state = |path: &str| format!("crates/dkdc-state/src/{path}");
        for (engine, owner, other) in [
            ("rusqlite", "log.rs", "query.rs"),
            ("rusqlite", "log/append.rs", "state.rs"),
            ("rusqlite", "schema/sql.rs", "schema/arrow.rs"),
            ("duckdb", "query.rs", "log.rs"),
            ("parquet", "mirror/seal.rs", "snapshot.rs"),
        ] {
            let import = format!("use {engine}::Connection;");
            assert_eq!(lines(&state(owner), &import), NONE, "{engine} {owner}");
            assert_eq!(lines(&state(other), &import), [2], "{engine} {other}");
            assert_eq!(lines("crates/dkdc-bench/src/main.rs", &import), NONE);
            assert_eq!(lines("crates/dkdc-state/tests/it/a.rs", &import), NONE);
        }
        assert_eq!(
            lines("crates/dkdc-cli/src/import.rs", "use parquet::x;"),
            NONE
        );
        assert_eq!(lines("crates/dkdc-cli/src/sql.rs", "use parquet::x;"), [2]);
    }

    #[test]
    fn a_crate_is_told_from_a_name_that_is_its_own() {
        for named in [
            "use duckdb;",
            "use duckdb as d;",
            "extern crate duckdb;",
            "fn f(e: duckdb::Error) {}",
            "fn f() { ::duckdb::f() }",
            "use {duckdb::Error, x};",
        ] {
            assert_eq!(lines("crates/a/src/b.rs", named), [2], "{named}");
        }
        for other in [
            "mod duckdb;",
            "use crate::duckdb::x;",
            "use super::duckdb;",
            "fn f(duckdb: bool) {}",
            "/// Calls duckdb::x.\nfn f() { \"duckdb::x\" }",
        ] {
            assert_eq!(lines("crates/a/src/b.rs", other), NONE, "{other}");
        }
    }

    #[test]
    fn lints_are_expected_not_allowed() {
        for bad in [
            "#[allow(dead_code)]\nfn f() {}",
            "#![allow(dead_code)]",
            "#[cfg_attr(unix, allow(dead_code))]\nfn f() {}",
        ] {
            assert_eq!(lines("crates/a/tests/it/b.rs", bad), [2], "{bad}");
        }
        for good in [
            "#[expect(dead_code, reason = \"allow(x)\")]\nfn f() {}",
            "fn f() { allow(1) }",
            "// #[allow(dead_code)]",
        ] {
            assert_eq!(lines("crates/a/src/b.rs", good), NONE, "{good}");
        }
    }

    #[test]
    fn a_library_prints_in_tests_only() {
        for bad in [
            "println!(\"x\")",
            "eprintln!()",
            "dbg!(x)",
            "std::print!(\"x\")",
        ] {
            let bad = format!("fn f() {{ {bad}; }}");
            assert_eq!(lines("crates/dkdc-state/src/b.rs", &bad), [2], "{bad}");
            assert_eq!(lines("crates/dkdc-cli/src/b.rs", &bad), NONE);
            let tested = format!("#[cfg(test)]\nmod tests {{ {bad} }}");
            assert_eq!(lines("crates/dkdc-state/src/b.rs", &tested), NONE);
        }
        let documented = "/// println!(\"x\")\nfn println() { writeln!(f) }";
        assert_eq!(lines("crates/dkdc-state/src/b.rs", documented), NONE);
    }

    #[test]
    fn the_state_reads_no_environment() {
        for bad in [
            "use std::env;",
            "fn f() { std::env::var(x) }",
            "fn f() { env::temp_dir() }",
        ] {
            assert_eq!(lines("crates/dkdc-state/src/b.rs", bad), [2], "{bad}");
            assert_eq!(lines("crates/dkdc-cli/src/b.rs", bad), NONE);
            let tested = format!("#[cfg(test)]\nmod tests {{ {bad} }}");
            assert_eq!(lines("crates/dkdc-state/src/b.rs", &tested), NONE);
        }
        let compiled_in = "const V: &str = env!(\"CARGO_PKG_VERSION\");";
        assert_eq!(lines("crates/dkdc-state/src/b.rs", compiled_in), NONE);
    }
}
