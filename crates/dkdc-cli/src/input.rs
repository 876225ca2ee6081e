//! Lines of input: numbered, UTF-8, and kept until they are written.
//!
//! stdin may be as slow as a person typing, and a transaction keeps other
//! writers waiting. So lines are read, and what they say is checked, before the
//! transaction begins; many of them wait in a temporary file.

use std::io::{self, BufRead, BufReader, Seek, Write};

use tempfile::SpooledTempFile;

use crate::exit::{Code, Failure, Result};

/// Lines up to this size in all wait in memory.
const IN_MEMORY: usize = 8 << 20;

/// Lines that have been read to the last.
pub(crate) struct Spool {
    lines: BufReader<SpooledTempFile>,
    /// Those that are not blank.
    pub(crate) count: u64,
}

impl Spool {
    /// Reads lines to the end; `check` sees each that is not blank, with its
    /// number. `name` is what the input is called in errors.
    pub(crate) fn read(
        input: impl BufRead,
        name: &str,
        mut check: impl FnMut(u64, &str) -> Result<()>,
    ) -> Result<Spool> {
        let failed =
            |error: io::Error| Failure::new(Code::Failure, format!("a temporary file: {error}"));
        let mut spool = SpooledTempFile::new(IN_MEMORY);
        let mut count = 0;
        for line in lines(input, name) {
            let (number, line) = line?;
            check(number, &line)?;
            count += 1;
            // The number goes along: blank lines are not kept.
            writeln!(spool, "{number} {line}").map_err(failed)?;
        }
        spool.rewind().map_err(failed)?;
        Ok(Spool {
            lines: BufReader::new(spool),
            count,
        })
    }

    /// The lines again, with their numbers.
    pub(crate) fn lines(self) -> impl Iterator<Item = Result<(u64, String)>> {
        self.lines.lines().map(|line| {
            let gone = || Failure::new(Code::Failure, "a temporary file did not keep its lines");
            let line = line.map_err(|_| gone())?;
            let (number, line) = line.split_once(' ').ok_or_else(gone)?;
            Ok((number.parse().map_err(|_| gone())?, line.to_owned()))
        })
    }
}

/// The lines that are not blank, numbered from 1.
pub(crate) fn lines(
    mut input: impl BufRead,
    name: &str,
) -> impl Iterator<Item = Result<(u64, String)>> {
    let mut number = 0;
    std::iter::from_fn(move || {
        loop {
            number += 1;
            let mut bytes = Vec::new();
            match input.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    return Some(Err(Failure::new(Code::Failure, format!("{name}: {error}"))));
                }
            }
            match text(bytes, number) {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => return Some(Ok((number, line))),
                None => {
                    let message = format!("{name} line {number}: it is not UTF-8");
                    return Some(Err(Failure::usage(message)));
                }
            }
        }
    })
}

/// A line without its end; the first also without the mark that some programs
/// put before it.
fn text(bytes: Vec<u8>, number: u64) -> Option<String> {
    let mut line = String::from_utf8(bytes).ok()?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    if number == 1
        && let Some(rest) = line.strip_prefix('\u{feff}')
    {
        return Some(rest.to_owned());
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(input: &[u8]) -> Vec<(u64, String)> {
        let lines = lines(input, "stdin").collect::<Result<_>>();
        lines.expect("good lines")
    }

    #[test]
    fn lines_are_numbered_as_an_editor_numbers_them() {
        let expected = [
            (1, "a".to_owned()),
            (4, " b ".to_owned()),
            (5, "c".to_owned()),
        ];
        assert_eq!(found("\u{feff}a\r\n\n  \n b \nc".as_bytes()), expected);
        assert_eq!(found(b""), []);
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_named() {
        let error = lines(&b"a\n\xff\n"[..], "stdin").nth(1).expect("a line");
        let Err(Failure::Failed { code, message }) = error else {
            panic!("not a failure");
        };
        assert_eq!(
            (code, message.as_str()),
            (Code::Usage, "stdin line 2: it is not UTF-8")
        );
    }

    #[test]
    fn spooled_lines_come_back_as_they_were() {
        let long = "x".repeat(IN_MEMORY);
        let input = format!("a\n\n{long}\n1 2\n");
        let mut seen = Vec::new();
        let spool = Spool::read(input.as_bytes(), "stdin", |number, _| {
            seen.push(number);
            Ok(())
        })
        .expect("good lines");
        assert_eq!((spool.count, seen), (3, vec![1, 3, 4]));
        let lines: Vec<_> = spool.lines().map(|line| line.expect("a line")).collect();
        assert_eq!(
            lines,
            [(1, "a".to_owned()), (3, long), (4, "1 2".to_owned())]
        );
    }
}
