//! How a command ends: with one code, and on failure with one line on stderr.
//!
//! Owns the exit codes, which are part of the interface: they follow
//! [`ErrorKind`], what a caller can do about an error.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dkdc_state::ErrorKind;

use crate::output::escaped;
use crate::records::in_shell;

/// A result whose error is [`Failure`].
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// The disk, permissions, the system; or a question answered with no.
    Failure = 1,
    /// Arguments or input that cannot be.
    Usage = 2,
    /// The record, table, file or store is not there.
    NotFound = 3,
    /// It is there already.
    AlreadyExists = 4,
    /// Somebody else wrote first.
    Conflict = 5,
    /// Another process holds the store.
    Busy = 6,
    /// The store does not say what was written to it.
    Damaged = 7,
}

/// The table of codes, for `dkdc --help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  ok
  1  failure: the disk, permissions, the system
  2  usage: arguments or input that cannot be
  3  not found: a record, a table, a file, a folder, a store
  4  already exists
  5  conflict: somebody else wrote first
  6  busy: another process holds the store
  7  damaged: the store does not say what was written to it";

/// Why a command ends before it is done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever read our output has gone, as `head` does: nothing to report.
    Unread,
    /// clap answered: help, a version. Its code, and nothing more to say.
    Answered(u8),
    /// A store that is damaged.
    Damaged {
        /// The store.
        path: PathBuf,
        /// What was found.
        message: String,
    },
    /// Anything else that a person must know.
    Failed {
        /// The exit code.
        code: Code,
        /// What happened; becomes one line.
        message: String,
    },
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure::Failed {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Code::Usage, message)
    }

    /// What the system said about a file of the user's.
    pub(crate) fn file(path: &Path, error: &io::Error) -> Failure {
        let code = match error.kind() {
            io::ErrorKind::NotFound => Code::NotFound,
            io::ErrorKind::AlreadyExists => Code::AlreadyExists,
            io::ErrorKind::IsADirectory | io::ErrorKind::InvalidData => Code::Usage,
            _ => Code::Failure,
        };
        Failure::new(code, format!("{}: {}", path.display(), reason(error)))
    }

    /// What the system said when results were written.
    pub(crate) fn stdout(error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Unread,
            _ => Failure::new(Code::Failure, format!("stdout: {}", reason(error))),
        }
    }

    /// The same failure; of damage, with what to do about it.
    pub(crate) fn advised(self) -> Failure {
        match self {
            Failure::Damaged { ref path, .. } => {
                let path = in_shell(&path.display().to_string());
                let advice = format!("dkdc --db {path} check names all that is damaged");
                self.if_damaged(&advice)
            }
            other => other,
        }
    }

    /// The same failure; of damage, with what this does about it.
    pub(crate) fn if_damaged(self, help: &str) -> Failure {
        match self {
            Failure::Damaged { message, .. }
            | Failure::Failed {
                code: Code::Damaged,
                message,
            } => Failure::new(Code::Damaged, format!("{message}; {help}")),
            other => other,
        }
    }

    /// The same failure, saying where in the input it was met.
    pub(crate) fn at(self, place: &str) -> Failure {
        match self {
            Failure::Failed { code, message } => Failure::Failed {
                code,
                // The place is a line of its own; a parser knows only of one.
                message: format!(
                    "{place}: {}",
                    message.replace(" at line 1 column ", " at column ")
                ),
            },
            other => other,
        }
    }

    fn of(kind: ErrorKind, error: &dyn std::fmt::Display) -> Failure {
        let code = match kind {
            ErrorKind::Input => Code::Usage,
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::AlreadyExists => Code::AlreadyExists,
            ErrorKind::Conflict => Code::Conflict,
            ErrorKind::Busy => Code::Busy,
            ErrorKind::Damaged => Code::Damaged,
            // Whatever comes to be there besides.
            _ => Code::Failure,
        };
        Failure::new(code, reason(error))
    }
}

/// `Permission denied` instead of `Permission denied (os error 13)`, and without
/// the name of a temporary file that may follow.
fn reason(error: &dyn std::fmt::Display) -> String {
    let mut text = error.to_string();
    if let Some(at) = text.find(" (os error ") {
        text.truncate(at);
    }
    text
}

impl From<dkdc_state::Error> for Failure {
    fn from(error: dkdc_state::Error) -> Failure {
        let failure = Failure::of(error.kind(), &error);
        match (failure, error) {
            (Failure::Failed { message, .. }, dkdc_state::Error::Damaged { path, .. }) => {
                Failure::Damaged { path, message }
            }
            (failure, _) => failure,
        }
    }
}

impl From<dkdc_todo::Error> for Failure {
    fn from(error: dkdc_todo::Error) -> Failure {
        match error {
            dkdc_todo::Error::State(error) => error.into(),
            error => Failure::of(error.kind(), &error),
        }
    }
}

impl From<dkdc_lake::Error> for Failure {
    fn from(error: dkdc_lake::Error) -> Failure {
        let file = match &error {
            dkdc_lake::Error::Disk { path, source } if in_the_way(source) => file_in(path),
            _ => None,
        };
        match (file, error) {
            (Some(file), _) => Failure::new(Code::AlreadyExists, not_a_folder(&file)),
            (None, dkdc_lake::Error::State(error)) => error.into(),
            (None, error) => match error.of_state() {
                // With the name of the file.
                Some(dkdc_state::Error::Damaged { path, .. }) => Failure::Damaged {
                    path: path.clone(),
                    message: error.to_string(),
                },
                _ => Failure::of(error.kind(), &error),
            },
        }
    }
}

/// True where a folder was to be, and something else is.
fn in_the_way(error: &io::Error) -> bool {
    let kind = error.kind();
    kind == io::ErrorKind::AlreadyExists || kind == io::ErrorKind::NotADirectory
}

/// The file in a path of folders, which it may end with, if there is one.
fn file_in(path: &Path) -> Option<PathBuf> {
    let plain: PathBuf = path.components().collect();
    let file = plain.ancestors().find(|path| path.is_file())?;
    Some(file.to_owned())
}

/// What is said of a file where a folder is wanted.
pub(crate) fn not_a_folder(file: &Path) -> String {
    format!("{}: it is a file, not a folder", file.display())
}

/// Ends the process.
pub(crate) fn with(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(Failure::Answered(code)) => ExitCode::from(code),
        Err(Failure::Damaged { message, .. }) => told(Code::Damaged, &message),
        Err(Failure::Failed { code, message }) => told(code, &message),
    }
}

fn told(code: Code, message: &str) -> ExitCode {
    // Nobody is left to be told when stderr is gone, too.
    let _ = writeln!(io::stderr(), "dkdc: {}", one_line(message));
    ExitCode::from(code as u8)
}

/// A message as one line: parts below each other come one after the other, and
/// what would move the terminal's cursor is escaped.
pub(crate) fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for part in message.lines().map(str::trim) {
        // DuckDB points at a place in the line above; here it would point nowhere.
        if part.trim_matches(['^', '~']).is_empty() {
            continue;
        }
        match line.chars().next_back() {
            None => {}
            Some(':' | ';' | ',') => line.push(' '),
            Some(_) => line.push_str("; "),
        }
        // Writing to a String cannot fail.
        let _ = write!(line, "{}", escaped(part));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_holds() {
        for (message, line) in [
            ("plain", "plain"),
            (
                "not as declared:\n  a: int\n  b: text",
                "not as declared: a: int; b: text",
            ),
            (
                "Parser Error: x\n\nLINE 1: selec 1\n        ^",
                "Parser Error: x; LINE 1: selec 1",
            ),
            (
                "todo \u{1b}[2J does not exist",
                "todo \\x1b[2J does not exist",
            ),
            ("a\rb\tc", "a\\rb\\tc"),
            ("", ""),
        ] {
            assert_eq!(one_line(message), line);
        }
    }

    #[test]
    fn the_systems_numbers_are_not_shown() {
        let error = io::Error::from_raw_os_error(13);
        assert_eq!(reason(&error), "Permission denied");
        let error = io::Error::other(format!("{error} at path \"/tmp/.dkdc-get-x\""));
        assert_eq!(reason(&error), "Permission denied");
    }

    #[test]
    fn help_lists_every_code() {
        for code in 0..=7 {
            assert!(HELP.contains(&format!("\n  {code}  ")), "{code}");
        }
    }
}
