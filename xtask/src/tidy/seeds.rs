//! Random choices: all of them come from a seed that a failure prints, so nothing
//! but the places that print one makes one.

use super::Finding;
use super::code::Code;
use super::files::File;

/// Where seeds come from that nobody chose.
const SOURCES: &[&str] = &[
    "crates/dkdc-state/tests/it/seed.rs",
    "crates/dkdc-torture/src/random.rs",
];

/// How many of a property's cases there are is said by the function that also says
/// where they come from.
const CASES: &str = "crates/dkdc-state/tests/it/cases.rs";

pub(super) fn check(file: &File) -> Vec<Finding> {
    let is_checked = file.path.ends_with(".rs") && file.path.starts_with("crates/");
    if !is_checked || SOURCES.contains(&&*file.path) || file.path == CASES {
        return Vec::new();
    }
    let code = Code::new(&file.text);
    let mut findings = Vec::new();
    for at in code.words("build_hasher") {
        if code.after(at, "build_hasher").starts_with("().finish()") {
            let message = format!("a seed of its own: {}", SOURCES.join(", "));
            findings.push(Finding::new(file, code.line(at), message));
        }
    }
    for at in code.words("proptest") {
        let Some(property) = code.after(at, "proptest").strip_prefix('!') else {
            continue;
        };
        // The configuration stands at the beginning of either form.
        let end = property
            .find(['|', '&'])
            .into_iter()
            .chain(property.find("fn "));
        let begins = &property[..end.min().unwrap_or(property.len())];
        if !begins.contains("cases(") || begins.contains("with_cases(") {
            let message =
                format!("`proptest!` without `cases(...)` of {CASES}: its seed is not printed");
            findings.push(Finding::new(file, code.line(at), message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&File::new(path, text)).len()
    }

    #[test]
    fn a_property_prints_where_its_cases_come_from() {
        let found = |text| found("crates/a/src/b.rs", text);
        for good in [
            "proptest! {\n    #![proptest_config(cases(64))]\n    #[test]\n    fn f(x: u8) {}\n}",
            "proptest! {\n    #![proptest_config(Config { x: 2, ..cases(64) })]\n    fn f(x: u8) {}\n}",
            "fn f() { proptest!(cases(12), |(x: u8)| {}); }",
            "use proptest::prelude::*;",
        ] {
            assert_eq!(found(good), 0, "{good}");
        }
        for bad in [
            "proptest! {\n    #[test]\n    fn f(x: u8) { cases(1) }\n}",
            "proptest! {\n    #![proptest_config(Config::with_cases(64))]\n    fn f(x: u8) {}\n}",
            "fn f() { proptest!(|(x: u8)| { cases(1) }); }",
        ] {
            assert_eq!(found(bad), 1, "{bad}");
        }
    }

    #[test]
    fn a_seed_by_chance_is_made_where_it_is_printed() {
        let made = "fn f() -> u64 { RandomState::new().build_hasher().finish() }";
        assert_eq!(found("crates/a/src/b.rs", made), 1);
        assert_eq!(found(SOURCES[0], made), 0);
        let hasher = "fn f(s: &RandomState) -> u64 { s.hash_one(1) }";
        assert_eq!(found("crates/a/src/b.rs", hasher), 0);
    }
}
