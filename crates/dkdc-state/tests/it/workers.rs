//! Other processes: this test binary, run again for one role.
//!
//! A worker is started with the name of its role in the environment, so that
//! the test `worker` is not a test then but that role. It answers in lines that
//! begin with `@`, since the test runner prints too, and is told things by
//! lines on its standard input.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::{
    a_request_is_made_once, many_processes_share_a_store, nobody_waits_for_ever,
    only_stores_are_opened, schemas_evolve, who_may_only_read,
};
#[cfg(feature = "query")]
use crate::{the_model, what_is_erased_is_gone};

const ROLE: &str = "DKDC_TEST_WORKER_ROLE";
const ARGS: &str = "DKDC_TEST_WORKER_ARGS";

type Role = fn(&[String]);

const ROLES: &[(&str, Role)] = &[
    ("claim", many_processes_share_a_store::claim),
    ("evolve", many_processes_share_a_store::evolve),
    (
        "go-on-with-the-first-type",
        schemas_evolve::go_on_with_the_first_type,
    ),
    ("hold-lock", nobody_waits_for_ever::hold_lock),
    ("increment", many_processes_share_a_store::increment),
    #[cfg(feature = "query")]
    ("make-the-mirror", the_model::questions::make_the_mirror),
    ("make-request", a_request_is_made_once::make_request),
    ("open-and-tell", only_stores_are_opened::open_and_tell),
    ("read-again", who_may_only_read::read_again),
    ("read-on", nobody_waits_for_ever::read_on),
    #[cfg(feature = "query")]
    ("serve-people", what_is_erased_is_gone::serve),
    ("stay-inside", nobody_waits_for_ever::stay_inside),
    ("short-of-files", who_may_only_read::short_of_files),
    ("write-one", many_processes_share_a_store::write_one),
];

#[test]
fn worker() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let args = std::env::var(ARGS).expect("the worker's arguments");
    let args: Vec<String> = serde_json::from_str(&args).expect("arguments in JSON");
    let found = ROLES.iter().find(|(name, _)| *name == role);
    found.expect("a role").1(&args);
}

/// A running worker; killed when dropped.
pub(crate) struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    pub(crate) fn start(role: &str, path: &Path, args: &[&str]) -> Worker {
        let program = std::env::current_exe().expect("this program");
        Worker::start_by(Command::new(program), role, path, args)
    }

    /// Starts it by a command that was prepared, such as for another user.
    pub(crate) fn start_by(mut command: Command, role: &str, path: &Path, args: &[&str]) -> Worker {
        let path = path.to_str().expect("a path in UTF-8");
        let args: Vec<&str> = std::iter::once(path).chain(args.iter().copied()).collect();
        let mut child = command
            .args([
                "workers::worker",
                "--exact",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(ROLE, role)
            .env(ARGS, serde_json::json!(args).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a worker");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Worker {
            child,
            input,
            output,
        }
    }

    /// Starts it as a user without rights; `None` when that cannot be done here.
    pub(crate) fn start_as_nobody(role: &str, path: &Path) -> Option<Worker> {
        use std::os::unix::process::CommandExt;
        const NOBODY: u32 = 65_534;
        // The program itself must be where nobody can read it.
        let copy = path.parent()?.join("it-by-nobody");
        if !copy.exists() {
            std::fs::copy(std::env::current_exe().ok()?, &copy).ok()?;
        }
        let mut probe = Command::new(&copy);
        probe
            .args(["--list"])
            .uid(NOBODY)
            .gid(NOBODY)
            .stdout(Stdio::null());
        if !probe.status().is_ok_and(|status| status.success()) {
            return None;
        }
        let mut command = Command::new(&copy);
        command.uid(NOBODY).gid(NOBODY);
        Some(Worker::start_by(command, role, path, &[]))
    }

    /// What it answers next.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> String {
        self.next_answer()
            .expect("the worker ended without an answer")
    }

    /// What it answers next; `None` when it has ended.
    pub(crate) fn next_answer(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line).expect("its output") == 0 {
                return None;
            }
            // The runner does not end its own line before ours.
            if let Some(at) = line.find('@') {
                return Some(line[at + 1..].trim_end().to_owned());
            }
        }
    }

    /// Sends it a signal, by name.
    pub(crate) fn signal(&self, name: &str) {
        let signal = format!("-{name}");
        let sent = Command::new("kill")
            .args([signal, self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success(), "it is not there");
    }

    /// Tells it to go on.
    pub(crate) fn tell(&mut self, text: &str) {
        writeln!(self.input, "{text}").expect("it listens");
        self.input.flush().expect("it listens");
    }

    /// Waits for its end, and returns what it answered until then.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Vec<String> {
        let mut answers = Vec::new();
        while let Some(answer) = self.next_answer() {
            answers.push(answer);
        }
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "a worker failed: {status}");
        answers
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A worker's answer.
pub(crate) fn say(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "@{text}").expect("somebody listens");
    out.flush().expect("somebody listens");
}

/// What the worker is told next.
pub(crate) fn listen() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("input");
    line.trim_end().to_owned()
}
