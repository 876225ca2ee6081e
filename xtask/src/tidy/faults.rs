//! The table of faults: each of its rows names tests, and they exist.

use super::Finding;
use super::files::{File, Files};

const PAGE: &str = "docs/reliability.md";

pub(super) fn check(file: &File, files: &Files) -> Vec<Finding> {
    if file.path != PAGE {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut in_table = false;
    for (line, number) in file.text.lines().zip(1..) {
        if !line.starts_with('|') {
            in_table = false;
            continue;
        }
        // The row of names, which says what kind of table it is.
        if !in_table && !line.contains("| test |") {
            continue;
        }
        let is_head = !std::mem::replace(&mut in_table, true);
        if is_head || line.starts_with("|--") {
            continue;
        }
        let tests: Vec<&str> = named(line).collect();
        if tests.is_empty() {
            findings.push(Finding::new(
                file,
                number,
                "a row of the table names no test",
            ));
        }
        for test in tests.into_iter().filter(|test| !exists(test, files)) {
            findings.push(Finding::new(
                file,
                number,
                format!("there is no test `{test}`"),
            ));
        }
    }
    findings
}

/// What stands in backticks as `path::name`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let spans = line.split('`').skip(1).step_by(2);
    spans.filter(|span| span.contains(".rs::") || span.contains(".py::"))
}

fn exists(test: &str, files: &Files) -> bool {
    let Some((path, name)) = test.split_once("::") else {
        return false;
    };
    let Some(file) = files.get(path) else {
        return false;
    };
    if path.ends_with(".py") {
        return name.starts_with("test_") && file.text.contains(&format!("def {name}("));
    }
    let marked = |at: usize| {
        let before = file.text[..at].trim_end();
        // Inside `proptest!` the attribute stands there too.
        before.ends_with(']')
            && before
                .lines()
                .rev()
                .take(4)
                .any(|line| line.contains("#[test]"))
    };
    file.text
        .match_indices(&format!("fn {name}("))
        .any(|(at, _)| marked(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(row: &str) -> usize {
        let page = format!("| fault | holds | test | run |\n|--|--|--|--|\n{row}\n");
        let files = Files::of(vec![
            File::new(PAGE, &page),
            File::new(
                "crates/a/tests/it/b.rs",
                "#[test]\nfn it_holds() {}\nfn helper() {}\n",
            ),
            File::new("crates/a/tests/test_b.py", "def test_it(x):\n    pass\n"),
        ]);
        let page = files.get(PAGE).expect("just put there");
        check(page, &files).len()
    }

    #[test]
    fn a_row_names_tests_that_exist() {
        assert_eq!(
            found("| kill | all | `crates/a/tests/it/b.rs::it_holds` | 5 |"),
            0
        );
        assert_eq!(
            found("| fork | all | `crates/a/tests/test_b.py::test_it` | 1 |"),
            0
        );
        for bad in [
            "| fork | all | `crates/a/tests/test_b.py::test_that` | 1 |",
            "| kill | all | none | 5 |",
            "| kill | all | `crates/a/tests/it/b.rs::it_does_not` | 5 |",
            "| kill | all | `crates/a/tests/it/b.rs::helper` | 5 |",
            "| kill | all | `crates/a/tests/it/c.rs::it_holds` | 5 |",
        ] {
            assert_eq!(found(bad), 1, "{bad}");
        }
    }
}
