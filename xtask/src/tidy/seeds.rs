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

/// Where random choices begin: a word, and what is behind it.
const BEGINNINGS: &[(&str, &str)] = &[
    ("Random", "::new("),
    ("RngSeed", "::Fixed("),
    ("from_seed", "("),
    ("seed_from_u64", "("),
    ("seed", ":"),
    ("seed", "="),
    ("seeds", ":"),
    ("seeds", "="),
];

/// What is another number at each run.
const CHANGING: &[&str] = &["now()", "elapsed()", "UNIX_EPOCH", "process::id()"];

pub(super) fn check(file: &File) -> Vec<Finding> {
    let is_checked = file.path.ends_with(".rs") && file.path.starts_with("crates/");
    if !is_checked || SOURCES.contains(&&*file.path) || file.path == CASES {
        return Vec::new();
    }
    let code = Code::new(&file.text);
    let mut findings = Vec::new();
    let own = format!("a seed of its own: {}", SOURCES.join(", "));
    for at in made(file, &code) {
        findings.push(Finding::new(file, code.line(at), own.as_str()));
    }
    for at in code.words("TestRunner") {
        let behind = behind(&code, at, "TestRunner");
        if behind.starts_with("::") && !behind.starts_with("::new(cases(") {
            let message =
                format!("`TestRunner` without `cases(...)` of {CASES}: its seed is not printed");
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

/// Where a seed is made of the hasher that the system gives, or of the time.
fn made(file: &File, code: &Code) -> Vec<usize> {
    let hashes = code.words("build_hasher").filter(|&at| {
        let behind = behind(code, at, "build_hasher");
        behind.starts_with("().finish()")
    });
    let is_test = file.path.contains("/tests") || file.path.starts_with("crates/dkdc-torture/");
    // What is no test may keep others from choosing what collides.
    let states = code.words("RandomState").filter(|&at| {
        let behind = behind(code, at, "RandomState");
        let is_made = behind.starts_with("::new(") || behind.starts_with("::default(");
        is_made && (is_test || code.in_tests(at))
    });
    let mut made: Vec<usize> = hashes.chain(states).collect();
    for (word, begins) in BEGINNINGS {
        made.extend(code.words(word).filter(|&at| {
            let behind = behind(code, at, word);
            let seed = behind.strip_prefix(begins).map(expression);
            seed.is_some_and(|seed| CHANGING.iter().any(|time| seed.contains(time)))
        }));
    }
    made
}

/// The code behind a word, without the blanks that may stand anywhere in it.
fn behind(code: &Code, at: usize, word: &str) -> String {
    let behind = code.after(at, word).chars();
    behind.filter(|c| !c.is_whitespace()).take(500).collect()
}

/// What a text begins with, up to where no expression goes on.
fn expression(text: &str) -> &str {
    let mut open = 0_usize;
    let end = text.find(|c: char| {
        match c {
            '(' | '[' => open += 1,
            ')' | ']' if open > 0 => open -= 1,
            ')' | ']' | ';' | '{' | '}' => return true,
            ',' => return open == 0,
            _ => {}
        }
        false
    });
    &text[..end.unwrap_or(text.len())]
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
        let broken = "fn f(s: S) -> u64 { s\n    .build_hasher()\n    .finish() }";
        assert_eq!(found("crates/a/src/b.rs", broken), 1);
    }

    #[test]
    fn a_test_makes_no_hasher_of_its_own() {
        let made = "fn f() -> u64 { RandomState::new().hash_one(1) }";
        let tested = format!("#[cfg(test)]\nmod tests {{ {made} }}");
        for (path, text, expected) in [
            ("crates/a/src/b.rs", made, 0),
            ("crates/a/src/b.rs", &tested, 1),
            ("crates/a/src/b/tests.rs", made, 1),
            ("crates/a/tests/it/b.rs", made, 1),
            ("crates/dkdc-torture/src/b.rs", made, 1),
        ] {
            assert_eq!(found(path, text), expected, "{path}: {text}");
        }
    }

    #[test]
    fn no_seed_is_the_time() {
        let found = |text| found("crates/a/tests/it/b.rs", text);
        for bad in [
            "fn f() { let seed = Instant::now()\n.elapsed()\n.subsec_nanos(); }",
            "fn f() { let seed: u64 = clock.now(); }",
            "fn f() { g(Random::new(h(1, clock.now())), 2) }",
            "fn f() { W { seed: u64::from(process::id()), x: 1 } }",
            "fn f() { StdRng::seed_from_u64(clock.now()) }",
        ] {
            assert!(found(bad) > 0, "{bad}");
        }
        for good in [
            "fn f() { let seed = seed(); let now = clock.now(); }",
            "fn f(seed: u64) { clock.now() }",
            "fn f() { W { seed: 7, begun: Instant::now() } }",
            "fn f() { g(Random::new(seed()), Instant::now()) }",
        ] {
            assert_eq!(found(good), 0, "{good}");
        }
    }

    #[test]
    fn a_runner_of_properties_has_cases_whose_seed_is_printed() {
        let found = |text| found("crates/a/src/b.rs", text);
        assert_eq!(found("fn f() { let r = TestRunner::default(); }"), 1);
        assert_eq!(
            found("fn f() { let r = TestRunner::new(Config::default()); }"),
            1
        );
        assert_eq!(found("fn f() { let r = TestRunner::new(cases(12)); }"), 0);
        assert_eq!(found("use proptest::test_runner::TestRunner;"), 0);
    }
}
