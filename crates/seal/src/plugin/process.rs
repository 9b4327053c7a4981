//! A plugin's process: its pipes and its end.
//!
//! Owns: starting it, moving bytes both ways at once (so that neither side waits for the other forever), killing and reaping.
//! Does not own: what is said.

use std::io::{Read, Write};
use std::os::fd::AsFd;
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

use super::{PluginLimits, PluginProblem};

/// A running plugin. Dropping it kills and reaps it.
pub(super) struct Process {
    child: Child,
    stdin: ChildStdin,
    /// `None` once it has ended, as the next.
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    reader: PluginReader,
    /// The end of what it wrote to its standard error.
    complaint: Vec<u8>,
    limits: PluginLimits,
    /// It has talked to a person, whom it may wait for.
    patient: bool,
    cancel: Cancel,
}

/// What is read at a time, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// How much of a complaint is kept, in bytes.
const COMPLAINT_BYTES_MAX: usize = 1_000;

impl Process {
    pub(super) fn start(
        path: &Path,
        argument: &str,
        reader: PluginReader,
        limits: PluginLimits,
        cancel: &Cancel,
    ) -> Result<Self, PluginProblem> {
        // Plugins must not depend on a directory, and none should be kept busy.
        let mut command = Command::new(path);
        command.arg(argument).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), stdout, stderr) = pipes else { unreachable!("all three are piped") };
        let (cancel, complaint) = (cancel.clone(), Vec::new());
        let process =
            Self { child, stdin, stdout, stderr, reader, complaint, limits, patient: false, cancel };
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

    /// From now on it isn't hurried.
    pub(super) fn may_take_any_time(&mut self) {
        self.patient = true;
    }

    /// Says `bytes`, while listening. One that has closed its end isn't told any more; that is an error only where more is
    /// expected of it.
    pub(super) fn send(&mut self, mut bytes: &[u8]) -> Result<(), PluginProblem> {
        while !bytes.is_empty() {
            let sent = self.exchange(bytes)?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// The next stanza that it says.
    pub(super) fn receive(&mut self) -> Result<Stanza, PluginProblem> {
        loop {
            if let Some(stanza) = self.reader.take()? {
                return Ok(stanza);
            }
            if self.stdout.is_none() {
                return Err(self.hung_up());
            }
            self.exchange(&[])?;
        }
    }

    /// Lets it end by itself, for a while.
    pub(super) fn leave(mut self) -> Result<(), PluginProblem> {
        self.wait()?;
        Ok(())
    }

    /// Waits once until something can be moved, and moves it; how much of `bytes` was sent.
    fn exchange(&mut self, bytes: &[u8]) -> Result<usize, PluginProblem> {
        let ready = self.wait_for_pipes(!bytes.is_empty())?;
        if ready.complaint {
            self.hear_complaint();
        }
        if ready.from {
            self.hear()?;
        }
        if !ready.to {
            return Ok(0);
        }
        match self.stdin.write(bytes) {
            Ok(sent) => Ok(sent),
            Err(error) if may_pass(&error) => Ok(0),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            Err(error) => Err(error.into()),
        }
    }

    fn wait_for_pipes(&self, sending: bool) -> Result<Ready, PluginProblem> {
        let mut events = vec![PollFd::new(&self.cancel, PollFlags::IN)];
        // Where nothing is sent, the end of that pipe is no news: it shows in the others.
        let to = sending.then(|| PollFd::new(&self.stdin, PollFlags::OUT));
        let from = self.stdout.as_ref().map(|stdout| PollFd::new(stdout, PollFlags::IN));
        let complaint = self.stderr.as_ref().map(|stderr| PollFd::new(stderr, PollFlags::IN));
        let places = [to, from, complaint].map(|event| {
            let event = event?;
            events.push(event);
            Some(events.len() - 1)
        });
        let limit = Some(self.limits.silence_max).filter(|_| !self.patient);
        let any = poll_until(&mut events, limit.map(|limit| Instant::now() + limit))?;
        if self.cancel.is_triggered() {
            return Err(PluginProblem::Cancelled);
        }
        if !any {
            return Err(PluginProblem::Silent);
        }
        let is_ready = |place: Option<usize>| place.is_some_and(|place| !events[place].revents().is_empty());
        let [to, from, complaint] = places.map(is_ready);
        Ok(Ready { to, from, complaint })
    }

    fn hear(&mut self) -> Result<(), PluginProblem> {
        let Some(stdout) = &mut self.stdout else { return Ok(()) };
        let mut bytes = Zeroizing::new([0; READ_BYTES]);
        match stdout.read(&mut *bytes) {
            Ok(0) => self.stdout = None,
            Ok(count) => self.reader.push(&bytes[..count])?,
            Err(error) if may_pass(&error) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn hear_complaint(&mut self) {
        let Some(stderr) = &mut self.stderr else { return };
        let mut bytes = [0; READ_BYTES];
        match stderr.read(&mut bytes) {
            Ok(count) if count > 0 => {
                self.complaint.extend_from_slice(&bytes[..count]);
                let surplus = self.complaint.len().saturating_sub(COMPLAINT_BYTES_MAX);
                self.complaint.drain(..surplus);
            }
            Err(error) if may_pass(&error) => {}
            _ => self.stderr = None,
        }
    }

    /// How it ended, and what it said last.
    fn hung_up(&mut self) -> PluginProblem {
        let status = match self.wait() {
            Ok(status) => status,
            Err(problem) => return problem,
        };
        // Whatever it wrote lies in the pipe now, which nobody waits for.
        let mut before = usize::MAX;
        while self.stderr.is_some() && before != self.complaint.len() {
            before = self.complaint.len();
            self.hear_complaint();
        }
        let said = String::from_utf8_lossy(&self.complaint).into_owned();
        PluginProblem::HungUp { status: status.and_then(|status| status.code()), said }
    }

    /// Waits for its end, and brings it about where it doesn't come; `None`: it was killed.
    fn wait(&mut self) -> Result<Option<ExitStatus>, PluginProblem> {
        let end = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        let mut events = [PollFd::new(&end, PollFlags::IN), PollFd::new(&self.cancel, PollFlags::IN)];
        poll_until(&mut events, Some(Instant::now() + self.limits.leave_max))?;
        let status = end_of(&mut self.child)?;
        Ok(Some(status).filter(|status| status.signal().is_none()))
    }
}

/// Which pipes can be used without waiting.
struct Ready {
    to: bool,
    from: bool,
    complaint: bool,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its end was seen, or comes now; neither call can fail for a child that wasn't waited for.
        let _ = end_of(&mut self.child);
    }
}

/// Kills a child, if it still runs, and reaps it.
fn end_of(child: &mut Child) -> std::io::Result<ExitStatus> {
    child.kill()?;
    child.wait()
}

fn may_pass(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
}

/// Whether one of `events` came before the time was up.
fn poll_until(events: &mut [PollFd<'_>], deadline: Option<Instant>) -> Result<bool, PluginProblem> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.map(|left| Timespec::try_from(left.min(Duration::from_secs(1 << 30))));
        let left = left.transpose().map_err(std::io::Error::other)?;
        match poll(events, left.as_ref()) {
            Err(Errno::INTR) => {}
            result => return Ok(result? > 0),
        }
    }
}
