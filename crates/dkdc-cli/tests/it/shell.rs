//! A shell for one test: a folder of its own, and the command run in it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

/// The command under test.
pub(crate) const DKDC: &str = env!("CARGO_BIN_EXE_dkdc");

/// A folder, with the folder of dkdc in it.
pub(crate) struct Shell {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Shell {
    pub(crate) fn new() -> Shell {
        Shell {
            folder: TempDir::new().expect("a folder"),
            variables: Vec::new(),
        }
    }

    /// The same, where other commands than todo and lake find a table `people`
    /// in `./data.db`.
    pub(crate) fn with_people() -> Shell {
        let shell = Shell::new();
        shell.ok(&[
            "--db",
            "data.db",
            "table",
            "new",
            "people",
            "name:text!",
            "born:date",
            "n:int",
            "score:float",
            "tags:list<text>",
            "data:bytes",
            "extra:json",
        ]);
        shell
    }

    /// The same with a variable set.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Shell {
        self.variables.push((name, value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("a file");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a file")
    }

    /// The command, ready to be run.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_remove("DKDC_DB")
            .env_remove("NO_COLOR")
            .env("DKDC_DIR", self.path("home"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs `dkdc` to its end.
    pub(crate) fn dkdc<S: AsRef<OsStr>>(&self, args: &[S]) -> Ended {
        let mut command = self.command(DKDC);
        ended(command.args(args).output().expect("dkdc runs"))
    }

    /// The same with this on stdin.
    pub(crate) fn dkdc_reading<S: AsRef<OsStr>>(
        &self,
        input: impl AsRef<[u8]>,
        args: &[S],
    ) -> Ended {
        let mut command = self.command(DKDC);
        let command = command.args(args).stdin(Stdio::piped());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("dkdc runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        // It may end before it has read everything.
        let _ = stdin.write_all(input.as_ref());
        drop(stdin);
        ended(child.wait_with_output().expect("dkdc ends"))
    }

    /// What `dkdc` writes, which must succeed.
    pub(crate) fn ok<S: AsRef<OsStr> + std::fmt::Debug>(&self, args: &[S]) -> String {
        let ended = self.dkdc(args);
        assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
        ended.out
    }

    /// The same as JSON: an array of objects.
    pub(crate) fn json<S: AsRef<OsStr> + std::fmt::Debug>(&self, args: &[S]) -> Vec<Json> {
        let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        let out = self.ok(&[&args[..], &[OsStr::new("--json")]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// What `dkdc` says when it fails, as it must, with this code.
    pub(crate) fn fails<S: AsRef<OsStr> + std::fmt::Debug>(&self, code: i32, args: &[S]) -> String {
        self.dkdc(args).failed(code)
    }

    /// Runs a line of shell script with `dkdc` in its path on a terminal of so
    /// many columns, with this typed. Returns what the terminal is sent.
    #[cfg(target_os = "linux")]
    pub(crate) fn on_terminal(&self, columns: usize, script: &str, typed: &str) -> Ended {
        let folder = Path::new(DKDC).parent().expect("a folder");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = [folder.as_os_str(), &path].join(OsStr::new(":"));
        let mut command = self.command("script");
        command
            .env("PATH", path)
            .env("TERM", "xterm")
            .args(["--quiet", "--return", "--command"])
            .arg(format!("stty cols {columns} rows 24; {script}"))
            .arg("/dev/null");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("script runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(typed.as_bytes()).expect("typed");
        let ended = ended(child.wait_with_output().expect("script ends"));
        drop(stdin);
        ended
    }
}

impl Ended {
    /// The one line that a failure says.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        let line = self.err.strip_suffix('\n').unwrap_or_default();
        assert!(line.starts_with("dkdc: "), "{self:?}");
        assert!(!line.contains(char::is_control), "{self:?}");
        line.strip_prefix("dkdc: ").unwrap_or_default().to_owned()
    }
}

fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code().expect("an exit code, not a signal"),
        out: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
        err: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
    }
}

/// A text of a JSON object.
pub(crate) fn text<'a>(object: &'a Json, name: &str) -> &'a str {
    object[name]
        .as_str()
        .unwrap_or_else(|| panic!("no text {name} in {object}"))
}
