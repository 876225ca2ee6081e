//! The processes of a round.

use std::io::Read;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::Round;
use crate::Result;
use crate::vfs::Plan;

/// How a writer is started.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub(super) worker: u64,
    pub(super) threads: u64,
    pub(super) operations: u64,
    pub(super) seal_rows: u64,
    pub(super) seed: u64,
    pub(super) relaxed: bool,
    pub(super) wobble: bool,
    pub(super) plan: Option<Plan>,
}

/// A process; killed when dropped.
pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Round<'_> {
    pub(super) fn writer(&self, writing: &Writing) -> Result<Process> {
        let mut command = Command::new(&self.run.program);
        command.arg("work").arg(self.store()).arg(self.ledgers());
        let numbers = [
            ("--worker", writing.worker),
            ("--threads", writing.threads),
            ("--operations", writing.operations),
            ("--seal-rows", writing.seal_rows),
            ("--seed", writing.seed),
        ];
        for (name, number) in numbers {
            command.arg(name).arg(number.to_string());
        }
        if writing.relaxed {
            command.arg("--relaxed");
        }
        if writing.wobble {
            command.arg("--wobble");
        }
        if let Some(plan) = &writing.plan {
            command.arg("--plan").arg(plan.to_string());
        }
        start(command)
    }

    pub(super) fn reader(&self, read_only: bool) -> Result<Process> {
        let mut command = Command::new(&self.run.program);
        command.arg("read").arg(self.store());
        if read_only {
            command.arg("--read-only");
        }
        start(command)
    }
}

pub(super) fn start(mut command: Command) -> Result<Process> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = child.stdin.take();
    Ok(Process { child, input })
}

impl Process {
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal)?;
        Ok(())
    }

    /// Kills it. False: it had ended by itself.
    pub(super) fn kill(&mut self) -> Result<bool> {
        if let Some(status) = self.child.try_wait()? {
            self.judged(status)?;
            return Ok(false);
        }
        self.child.kill()?;
        let status = self.child.wait()?;
        if status.success() {
            return Ok(false);
        }
        self.judged(status)?;
        Ok(true)
    }

    /// Tells it to stop, waits for its end, and returns what it said.
    pub(super) fn finish(mut self) -> Result<String> {
        drop(self.input.take());
        let mut said = String::new();
        if let Some(mut output) = self.child.stdout.take() {
            output.read_to_string(&mut said)?;
        }
        let status = self.child.wait()?;
        if status.success() {
            Ok(said)
        } else {
            Err(format!("a process ended with {status}: {said}").into())
        }
    }

    /// Waits for its end. True: it died by a kill, as planned.
    pub(super) fn wait(mut self) -> Result<(bool, String)> {
        let mut said = String::new();
        if let Some(mut output) = self.child.stdout.take() {
            output.read_to_string(&mut said)?;
        }
        let status = self.child.wait()?;
        if status.success() {
            return Ok((false, said));
        }
        use std::os::unix::process::ExitStatusExt;
        // `strace` ends as its process did, or says so by its code.
        if status.signal() == Some(Signal::KILL.as_raw()) || status.code() == Some(137) {
            return Ok((true, said));
        }
        Err(format!("a process ended with {status}: {said}").into())
    }

    /// A panic or an error of a process that was to be killed is a failure too.
    fn judged(&mut self, status: ExitStatus) -> Result<()> {
        use std::os::unix::process::ExitStatusExt;
        if status.success() || status.signal() == Some(Signal::KILL.as_raw()) {
            return Ok(());
        }
        let mut said = String::new();
        if let Some(output) = &mut self.child.stdout {
            output.read_to_string(&mut said)?;
        }
        Err(format!("a process ended with {status}: {said}").into())
    }
}
