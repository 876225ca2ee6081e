//! Content on its way out of the lake.
//!
//! What must hold: a file on disk is either what it was or all of the content;
//! names from the lake lead to no other folder; a terminal gets only text.

use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use clap::Args;
use dkdc_lake::{File, Lake};

use super::{Name, find};
use crate::cli::AsOf;
use crate::exit::{Failure, Result};
use crate::file::NewFile;
use crate::output::{Output, say};
use crate::progress::Bytes;

#[derive(Args, Debug)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(super) name: Name,
    /// Where to write it, replacing what is there; - is stdout [default: its
    /// filename, here, if nothing has that name]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    as_of: AsOf,
}

pub(crate) fn run(get: &Get, lake: &Lake, output: &mut Output) -> Result<()> {
    let file = find(lake, &get.name.parsed()?, &get.as_of)?;
    let target = match &get.output {
        Some(path) if path.as_os_str() == "-" => return to_stdout(lake, &file, output),
        Some(path) => path.clone(),
        None => here(&file.filename)?,
    };
    to_disk(lake, &file, &target, get.output.is_some())?;
    say(&format!("{}: {} bytes", target.display(), file.size));
    output.report([
        ("file", target.display().to_string().into()),
        ("bytes", u64::try_from(file.size).unwrap_or(0).into()),
    ])
}

/// A name from the lake as a name in the current folder.
fn here(filename: &str) -> Result<PathBuf> {
    let path = Path::new(filename);
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) if name == filename && !filename.contains('\0') => {
            Ok(path.to_owned())
        }
        _ => Err(Failure::usage(format!(
            "{filename:?} is no name for a file here; say where with -o"
        ))),
    }
}

fn to_disk(lake: &Lake, file: &File, target: &Path, replace: bool) -> Result<()> {
    let mut to = NewFile::begin(target, replace, mode(file), lake.state().path())?;
    let mut done = Bytes::of("writing", Some(file.data.size));
    let copied = copy(lake, file, |bytes| {
        let written = to.content().write_all(bytes);
        written.map_err(|error| Failure::file(target, &error))?;
        done.add(bytes.len());
        Ok(())
    });
    // Before anything is said.
    drop(done);
    copied?;
    if let Some(mtime) = file.mtime {
        // A file system that keeps no such time keeps the content all the same.
        let _ = to.content().set_modified(mtime.into());
    }
    to.finish()
}

/// Writes content to stdout; a terminal gets it only if it is text.
pub(crate) fn to_stdout(lake: &Lake, file: &File, output: &mut Output) -> Result<()> {
    let only_text = output.is_terminal();
    let check = |bytes: &[u8]| {
        if !only_text || is_text(bytes) {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "{} is not text; write it to a file with get -o, or into a pipe",
            file.filename
        )))
    };
    copy(lake, file, |bytes| {
        check(bytes)?;
        let written = output.bytes().write_all(bytes);
        written.map_err(|error| Failure::stdout(&error))
    })?;
    output.flush()
}

/// Gives content, part by part.
fn copy(lake: &Lake, file: &File, mut give: impl FnMut(&[u8]) -> Result<()> + Send) -> Result<()> {
    enum Stop {
        Content(io::Error),
        Given(Failure),
    }
    impl From<io::Error> for Stop {
        fn from(error: io::Error) -> Stop {
            Stop::Content(error)
        }
    }
    let given = lake
        .read_file(file)?
        .each(|bytes| give(bytes).map_err(Stop::Given));
    given.map_err(|stop| match stop {
        Stop::Given(failure) => failure,
        Stop::Content(source) => {
            let name = file.name();
            dkdc_lake::Error::Content { name, source }.into()
        }
    })
}

/// Whether a terminal shows these bytes and obeys none of them. A character may
/// be cut in two at the end.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.valid_up_to() + 4 > bytes.len() || error.valid_up_to() < 4,
    };
    let obeyed = |byte: &u8| *byte < 0x20 && !b"\t\n\r\x0c".contains(byte);
    valid && !bytes.iter().any(|byte| obeyed(byte) || *byte == 0x7f)
}

/// As the file had it, less the bits that lend somebody's rights.
fn mode(file: &File) -> u32 {
    let mode = file.mode.and_then(|mode| u32::try_from(mode & 0o777).ok());
    mode.unwrap_or(0o666)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_the_lake_leads_to_no_other_folder() {
        assert_eq!(here("test.txt").expect("a name"), Path::new("test.txt"));
        for name in ["..", ".", "", "/etc/passwd", "../x", "a/b", "a/", "nul\0"] {
            assert!(here(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_terminal_gets_only_text() {
        for text in ["", "plain\n", "tab\there\r\n", "ünïcode 日本"] {
            assert!(is_text(text.as_bytes()), "{text:?}");
        }
        // Cut in two: the end of one buffer, the beginning of the next.
        assert!(is_text(&"abcd日".as_bytes()[..6]));
        assert!(is_text(&"日abcd".as_bytes()[1..]));
        for bytes in [
            &b"\x1b[2J"[..],
            b"a\0b",
            b"\x7f",
            b"plain, then \xff\xfe and more",
        ] {
            assert!(!is_text(bytes), "{bytes:?}");
        }
    }
}
