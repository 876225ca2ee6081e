//! How many tests ran, read from the result lines of cargo's test programs.
//!
//! Each program, and each crate's documentation tests, prints its own
//! `test result: ...` line; the tally is their sum.

use std::fmt;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Tests of the program that runs that said to show nothing. They end as passed.
    pub(super) told: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Adds what a line says if it is a result line, coloured or not.
    pub(crate) fn count(&mut self, line: &str) {
        let line = without_colours(line);
        // Between other output, or after the name of a test that is under way.
        if line.contains("SKIPPED: ") {
            self.told += 1;
        }
        let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split(';') {
            let mut words = count.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => {
                    let told = std::mem::take(&mut self.told).min(number);
                    self.passed += number - told;
                    self.skipped += told;
                }
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

/// What pytest's last line says, such as `1 failed, 22 passed in 6.89s`; `None`
/// for any other line. A test that is expected to fail, and does, is skipped.
pub(crate) fn of_pytest(line: &str) -> Option<Tally> {
    let (counts, time) = line.trim_matches([' ', '=']).rsplit_once(" in ")?;
    let seconds = time.split(' ').next()?.strip_suffix('s')?;
    seconds.parse::<f64>().ok()?;
    let mut tally = Tally::default();
    for count in counts.split(", ") {
        let (number, what) = count.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match what {
            "passed" | "xpassed" => tally.passed += number,
            "failed" | "error" | "errors" => tally.failed += number,
            "skipped" | "xfailed" => tally.skipped += number,
            _ => {}
        }
    }
    Some(tally)
}

/// The last line of a run: `N passed, M failed`, and `, K skipped` if any were.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// The line without terminal escapes of the form `ESC ... letter`.
fn without_colours(line: &str) -> String {
    let mut escaped = false;
    line.chars()
        .filter(|&c| {
            let keep = !escaped && c != '\u{1b}';
            escaped = (escaped || c == '\u{1b}') && !c.is_ascii_alphabetic();
            keep
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str) -> String {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.count(line));
        tally.to_string()
    }

    #[test]
    fn unit_integration_and_doc_tests_are_summed() {
        let output = "\
running 3 tests
test a ... ok
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

test result: FAILED. 40 passed; 2 failed; 1 ignored; 0 measured; 9 filtered out; finished in 1.00s

   Doc-tests dkdc_state

test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.10s
";
        assert_eq!(tally(output), "48 passed, 2 failed, 3 skipped");
    }

    #[test]
    fn a_test_that_says_so_is_skipped_and_has_not_passed() {
        let output = "\
running 3 tests
test a ... ok
SKIPPED: b: there is no strace on this machine
test b ... ok
test c ... SKIPPED: c: nothing can be mounted
ok
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
";
        assert_eq!(tally(output), "5 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn nothing_skipped_is_not_mentioned() {
        assert_eq!(
            tally("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured"),
            "1 passed, 0 failed"
        );
    }

    #[test]
    fn colours_are_seen_through() {
        let line = "test result: \u{1b}[32mok\u{1b}[m. 7 passed; 0 failed; 0 ignored\n";
        assert_eq!(tally(line), "7 passed, 0 failed");
    }

    #[test]
    fn pytests_last_line_is_read() {
        let read = |line| of_pytest(line).map(|tally| tally.to_string());
        let line = "=== 1 failed, 22 passed, 3 skipped, 5 warnings, 1 error in 6.89s (0:00:06) ===";
        assert_eq!(
            read(line).as_deref(),
            Some("22 passed, 2 failed, 3 skipped")
        );
        assert_eq!(
            read("5 passed in 0.01s").as_deref(),
            Some("5 passed, 0 failed")
        );
        assert_eq!(read("no tests ran in 0.01s"), None);
        assert_eq!(read("1 of 2 in 3 seconds"), None);
    }

    #[test]
    fn other_lines_count_for_nothing() {
        assert_eq!(
            tally("3 passed; 4 failed\n test result: ok. 1 passed"),
            "0 passed, 0 failed"
        );
    }
}
