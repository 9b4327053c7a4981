//! Runs the real program with an empty environment, captures its output, and kills it at its deadline.
//!
//! Owns: its environment, its standard streams, its deadline; no process outlives the test.
//! Does not own: judging its output (see [`crate::check_golden`]).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use tempfile::TempDir;

use super::limits::Limits;

/// Settings to run the program with. One value may run it many times; all runs share the home folder.
///
/// ```no_run
/// let dir = tempfile::tempdir()?;
/// # let program = "haul"; // env!("CARGO_BIN_EXE_haul") in a test
/// let run = haul_testkit::Haul::new(program).dir(dir.path()).run(["seal", "missing.txt"]);
/// assert_eq!(run.status, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Haul {
    program: PathBuf,
    home: TempDir,
    dir: Option<PathBuf>,
    stdin: Vec<u8>,
    env: Vec<(OsString, OsString)>,
    timeout: Duration,
    limits: Limits,
}

/// The result of a finished run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The arguments, without the program.
    pub args: Vec<OsString>,
    /// Where it ran.
    pub dir: PathBuf,
    /// Its home folder.
    pub home: PathBuf,
    /// The exit code, or 128 plus the number of the signal that killed it, as in a shell.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// A run in progress. Dropping it kills the program and its children.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pid: Pid,
    deadline: Instant,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    ended: bool,
    unfinished: Run,
}

impl Haul {
    /// Settings for `program`; tests of `haul-cli` pass `env!("CARGO_BIN_EXE_haul")`.
    ///
    /// The environment contains only `HOME` and `TMPDIR`, which are a temporary folder, and `LC_ALL=C`. The working
    /// directory is the same folder unless [`Haul::dir`] sets another.
    ///
    /// # Panics
    ///
    /// When no temporary folder can be created.
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            home: tempfile::tempdir().expect("a temporary folder"),
            dir: None,
            stdin: Vec::new(),
            env: Vec::new(),
            timeout: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }

    /// Runs it in `dir`.
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Passes these bytes on standard input. Defaults to none.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Sets one variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Kills the program and fails the test after this time. Defaults to 60 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it under these limits. Defaults to those of the test.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Its home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    ///
    /// When it can't be started, takes too long, or leaves processes that hold its output.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        self.spawn(args).finish()
    }

    /// Starts the program, for a test that interrupts it.
    ///
    /// # Panics
    ///
    /// When it can't be started.
    #[track_caller]
    pub fn spawn<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Running {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let home = self.home.path().to_owned();
        let dir = self.dir.clone().unwrap_or_else(|| home.clone());
        let child = self.limits.start(self.command(&args, &dir));
        let mut child = child.unwrap_or_else(|e| panic!("cannot start {}: {e}", self.program.display()));
        if let Some(stdin) = child.stdin.take() {
            feed(stdin, self.stdin.clone());
        }
        Running {
            pid: Pid::from_child(&child),
            deadline: Instant::now() + self.timeout,
            stdout: collect(child.stdout.take()),
            stderr: collect(child.stderr.take()),
            child,
            ended: false,
            unfinished: Run { args, dir, home, status: 0, stdout: Vec::new(), stderr: Vec::new() },
        }
    }

    /// Starts it with its streams piped.
    pub(crate) fn start(&self, args: &[OsString]) -> io::Result<Child> {
        self.limits.start(self.command(args, self.dir.as_deref().unwrap_or(self.home.path())))
    }

    /// The command for a terminal, whose streams the caller sets.
    pub(crate) fn terminal_command(&self, args: &[OsString]) -> Command {
        self.command(args, self.dir.as_deref().unwrap_or(self.home.path()))
    }

    pub(crate) fn time_limit(&self) -> Duration {
        self.timeout
    }

    fn command(&self, args: &[OsString], dir: &Path) -> Command {
        let mut command = self.limits.command(&self.program);
        command.args(args).current_dir(dir);
        command.env_clear().env("HOME", self.home.path()).env("TMPDIR", self.home.path()).env("LC_ALL", "C");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A process group, so that its workers can be killed with it.
        command.process_group(0);
        command
    }
}

impl Run {
    /// Standard output as text; bytes that aren't UTF-8 are replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text; bytes that aren't UTF-8 are replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Fails the test, with all output in the message, unless the exit status is `status`.
    ///
    /// # Panics
    ///
    /// When the status differs.
    #[track_caller]
    pub fn expect_status(self, status: i32) -> Self {
        let (stdout, stderr) = (self.stdout_text(), self.stderr_text());
        let (have, args) = (self.status, &self.args);
        assert_eq!(have, status, "exit status of {args:?}\n--- stdout\n{stdout}--- stderr\n{stderr}");
        self
    }
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGINT to the program alone, not to its children.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends SIGTERM to the program alone.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGKILL to the program alone, as an out-of-memory killer would.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When the deadline passes or remaining processes hold its output; they are killed first.
    #[track_caller]
    pub fn finish(mut self) -> Run {
        let Some(status) = self.wait().expect("a child can be waited for") else {
            self.kill_all();
            let text = String::from_utf8_lossy(&self.stderr.recv().unwrap_or_default()).into_owned();
            panic!("{:?} took too long and was killed; it said:\n{text}", self.unfinished.args);
        };
        let (stdout, stderr) = (self.rest_of(&self.stdout), self.rest_of(&self.stderr));
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            self.kill_all();
            panic!("{:?} left processes that hold its output", self.unfinished.args);
        };
        super::json_lines::check(&self.unfinished.args, &stdout);
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Run { status: code, stdout, stderr, ..self.unfinished.clone() }
    }

    /// None when the deadline passed.
    fn wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let pidfd = pidfd_open(self.pid, PidfdFlags::empty())?;
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left)) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        let status = self.child.wait()?;
        self.ended = true;
        Ok(Some(status))
    }

    fn rest_of(&self, stream: &Receiver<Vec<u8>>) -> Option<Vec<u8>> {
        match stream.recv_timeout(self.deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => Some(bytes),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Vec::new()),
        }
    }

    fn signal(&self, signal: Signal) {
        // The child hasn't been waited for, so its id is still valid; an error means that it has ended.
        let _ = kill_process(self.pid, signal);
    }

    fn kill_all(&self) {
        // The group keeps its id while a member lives; an error means that none does.
        let _ = kill_process_group(self.pid, Signal::KILL);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.kill_all();
            let _ = self.child.wait();
        }
    }
}

fn feed(mut stdin: ChildStdin, bytes: Vec<u8>) {
    // If the program doesn't read everything, a broken pipe ends the thread.
    thread::spawn(move || stdin.write_all(&bytes));
}

fn collect(stream: Option<impl Into<std::os::fd::OwnedFd>>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    let mut stream = File::from(stream.expect("the stream is piped").into());
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}
