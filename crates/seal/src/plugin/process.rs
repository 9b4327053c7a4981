//! A plugin's process: its pipes and its end.
//!
//! Owns: starting it, reading and writing at the same time (so that neither side blocks the other forever), killing and
//! reaping.
//! Does not own: the protocol ([`haul_age_format::PluginReader`]).

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use haul_age_format::{PluginReader, Stanza};
use haul_io::Cancel;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use zeroize::Zeroizing;

use super::ui::PluginLimits;
use crate::error::PluginProblem;

/// A running plugin. Dropping it kills and reaps it.
pub(super) struct Process {
    child: Child,
    /// Becomes readable when the program has exited.
    exit: OwnedFd,
    /// The program has exited. Programs that it started may still hold its pipes open.
    has_exited: bool,
    stdin: ChildStdin,
    /// `None` after its end.
    stdout: Option<ChildStdout>,
    /// `None` after its end.
    stderr: Option<ChildStderr>,
    reader: PluginReader,
    /// The last part of its standard error.
    stderr_tail: Vec<u8>,
    limits: PluginLimits,
    /// Whether it has talked to the user and may wait for an answer or a touch.
    may_wait_for_user: bool,
    cancel: Cancel,
}

/// Length of one read in bytes.
const READ_BYTES: usize = 16 * 1024;
/// How much of the standard error is kept, in bytes.
const STDERR_TAIL_BYTES_MAX: usize = 1_000;

impl Process {
    pub(super) fn start(
        path: &Path,
        argument: &str,
        reader: PluginReader,
        limits: PluginLimits,
        cancel: &Cancel,
    ) -> Result<Self, PluginProblem> {
        // A plugin must not depend on the working directory, nor keep its file system busy.
        let mut command = Command::new(path);
        command.arg(argument).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), stdout, stderr) = pipes else { unreachable!("all three are piped") };
        let exit = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        let process = Self {
            child,
            exit,
            has_exited: false,
            stdin,
            stdout,
            stderr,
            reader,
            stderr_tail: Vec::new(),
            limits,
            may_wait_for_user: false,
            cancel: cancel.clone(),
        };
        process.make_pipes_nonblocking()?;
        Ok(process)
    }

    fn make_pipes_nonblocking(&self) -> Result<(), PluginProblem> {
        let from = [self.stdout.as_ref().map(AsFd::as_fd), self.stderr.as_ref().map(AsFd::as_fd)];
        for pipe in from.into_iter().flatten().chain([self.stdin.as_fd()]) {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(())
    }

    /// From now on the limit is [`PluginLimits::user_max`], because the plugin may wait for the user.
    pub(super) fn may_wait_for_user(&mut self) {
        self.may_wait_for_user = true;
    }

    /// Writes `bytes` to the plugin while reading from it. If the plugin has closed its standard input, the bytes are
    /// dropped; that is an error only if the plugin still owes an answer.
    pub(super) fn send(&mut self, mut bytes: &[u8]) -> Result<(), PluginProblem> {
        let mut deadline = self.deadline();
        while !bytes.is_empty() {
            let sent = self.exchange(bytes, deadline)?;
            if sent > 0 {
                deadline = self.deadline();
            }
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Returns the plugin's next stanza. What the plugin writes on its standard error, and parts of a stanza, don't
    /// give it more time.
    pub(super) fn receive(&mut self) -> Result<Stanza, PluginProblem> {
        let deadline = self.deadline();
        loop {
            if let Some(stanza) = self.reader.take()? {
                return Ok(stanza);
            }
            if self.stdout.is_none() {
                return Err(self.hung_up());
            }
            self.exchange(&[], deadline)?;
        }
    }

    fn deadline(&self) -> Instant {
        let limit = if self.may_wait_for_user { self.limits.user_max } else { self.limits.silence_max };
        Instant::now() + limit
    }

    /// Waits for its exit, for a limited time.
    pub(super) fn finish(mut self) -> Result<(), PluginProblem> {
        self.wait()?;
        Ok(())
    }

    /// Waits until a pipe is ready, reads and writes once, and returns how much of `bytes` was written.
    fn exchange(&mut self, bytes: &[u8], deadline: Instant) -> Result<usize, PluginProblem> {
        if self.has_exited {
            // All that it wrote is in the pipe.
            if !self.read_stdout()? {
                self.stdout = None;
            }
            return Ok(bytes.len());
        }
        let ready = self.wait_for_pipes(!bytes.is_empty(), deadline)?;
        self.has_exited = ready.exit;
        if ready.stderr {
            self.read_stderr();
        }
        if ready.stdout {
            self.read_stdout()?;
        }
        if !ready.stdin {
            return Ok(0);
        }
        match self.stdin.write(bytes) {
            Ok(sent) => Ok(sent),
            Err(error) if is_transient(&error) => Ok(0),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            Err(error) => Err(error.into()),
        }
    }

    fn wait_for_pipes(&self, sending: bool, deadline: Instant) -> Result<Ready, PluginProblem> {
        let mut events =
            vec![PollFd::new(&self.cancel, PollFlags::IN), PollFd::new(&self.exit, PollFlags::IN)];
        // A closed standard input matters only while something is sent.
        let stdin = sending.then(|| PollFd::new(&self.stdin, PollFlags::OUT));
        let stdout = self.stdout.as_ref().map(|stdout| PollFd::new(stdout, PollFlags::IN));
        let stderr = self.stderr.as_ref().map(|stderr| PollFd::new(stderr, PollFlags::IN));
        let positions = [stdin, stdout, stderr].map(|event| {
            let event = event?;
            events.push(event);
            Some(events.len() - 1)
        });
        let any = poll_until(&mut events, deadline)?;
        if self.cancel.is_triggered() {
            return Err(PluginProblem::Cancelled);
        }
        // A plugin that chatters is ready all the time.
        if !any || Instant::now() >= deadline {
            return Err(PluginProblem::Silent);
        }
        let is_ready =
            |position: Option<usize>| position.is_some_and(|index| !events[index].revents().is_empty());
        let [stdin, stdout, stderr] = positions.map(is_ready);
        Ok(Ready { exit: is_ready(Some(1)), stdin, stdout, stderr })
    }

    /// Returns false if there is nothing to read now.
    fn read_stdout(&mut self) -> Result<bool, PluginProblem> {
        let Some(stdout) = &mut self.stdout else { return Ok(false) };
        let mut bytes = Zeroizing::new([0; READ_BYTES]);
        match stdout.read(&mut *bytes) {
            Ok(0) => self.stdout = None,
            Ok(count) => self.reader.push(&bytes[..count])?,
            Err(error) if is_transient(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    fn read_stderr(&mut self) {
        let Some(stderr) = &mut self.stderr else { return };
        let mut bytes = [0; READ_BYTES];
        match stderr.read(&mut bytes) {
            Ok(count) if count > 0 => {
                self.stderr_tail.extend_from_slice(&bytes[..count]);
                let surplus = self.stderr_tail.len().saturating_sub(STDERR_TAIL_BYTES_MAX);
                self.stderr_tail.drain(..surplus);
            }
            Err(error) if is_transient(&error) => {}
            _ => self.stderr = None,
        }
    }

    /// Describes how it ended, with the end of its standard error.
    fn hung_up(&mut self) -> PluginProblem {
        let status = match self.wait() {
            Ok(status) => status,
            Err(problem) => return problem,
        };
        // All of its output is in the pipe now, so reading doesn't need to wait.
        let mut before = usize::MAX;
        while self.stderr.is_some() && before != self.stderr_tail.len() {
            before = self.stderr_tail.len();
            self.read_stderr();
        }
        let said = String::from_utf8_lossy(&self.stderr_tail).into_owned();
        PluginProblem::HungUp { status: status.and_then(|status| status.code()), said }
    }

    /// Waits for its exit and kills it after the time limit. Returns `None` if it was killed.
    fn wait(&mut self) -> Result<Option<ExitStatus>, PluginProblem> {
        let mut events = [PollFd::new(&self.exit, PollFlags::IN), PollFd::new(&self.cancel, PollFlags::IN)];
        poll_until(&mut events, Instant::now() + self.limits.leave_max)?;
        let status = kill_and_reap(&mut self.child)?;
        Ok(Some(status).filter(|status| status.signal().is_none()))
    }
}

/// Which pipes can be used without waiting.
struct Ready {
    exit: bool,
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Neither call fails for a child that was not reaped, and a reaped child makes both return at once.
        let _ = kill_and_reap(&mut self.child);
    }
}

/// Kills a child if it is still running, and reaps it.
fn kill_and_reap(child: &mut Child) -> std::io::Result<ExitStatus> {
    child.kill()?;
    child.wait()
}

/// Whether the call must simply be repeated.
fn is_transient(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
}

/// Waits for one of `events`. Returns false if `deadline` passed first.
fn poll_until(events: &mut [PollFd<'_>], deadline: Instant) -> Result<bool, PluginProblem> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).min(Duration::from_secs(1 << 30));
        let left = Timespec::try_from(left).map_err(std::io::Error::other)?;
        match poll(events, Some(&left)) {
            Err(Errno::INTR) => {}
            result => return Ok(result? > 0),
        }
    }
}
