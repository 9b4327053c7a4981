//! The running program: its output line by line, and its worker processes, which a test may kill.
//!
//! Owns: reading its output by lines, finding its workers, killing it at its deadline.
//! Does not own: how it is started (see [`crate::Haul`]).

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::io::ioctl_fionread;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process};

use super::haul::Haul;

/// A run whose output the test reads as it appears. Dropping it kills the program, and its workers end with it.
#[derive(Debug)]
pub struct Watched {
    child: Child,
    pid: Pid,
    stdout: BufReader<ChildStdout>,
    /// How much of its output was read.
    read_bytes: usize,
    /// How much it had written when a worker was killed last.
    written_bytes_at_kill: Cell<usize>,
    stderr: Option<JoinHandle<String>>,
    /// Dropping it ends the watchdog.
    _alive: Sender<()>,
}

/// The smallest pipe that Linux has.
const PIPE_BYTES: usize = 4096;

impl Haul {
    /// Starts the program with empty standard input and kills it at its deadline.
    ///
    /// # Panics
    ///
    /// When it can't be started.
    #[track_caller]
    pub fn watch<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Watched {
        let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let mut child = self.start(&args).expect("the program can be started");
        let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        drop(child.stdin.take());
        // What is read was written a moment ago, however late this process gets its turn.
        fcntl_setpipe_size(&stdout, PIPE_BYTES).expect("a pipe can be small");
        let pid = Pid::from_child(&child);
        let (alive, watchdog) = channel::<()>();
        let timeout: Duration = self.time_limit();
        std::thread::spawn(move || {
            if watchdog.recv_timeout(timeout) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = BufReader::new(stderr).read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Watched {
            child,
            pid,
            stdout: BufReader::with_capacity(PIPE_BYTES, stdout),
            read_bytes: 0,
            written_bytes_at_kill: Cell::new(0),
            stderr: Some(stderr),
            _alive: alive,
        }
    }
}

impl Watched {
    /// The next line of standard output; `None` at its end.
    pub fn next_line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.read_bytes += self.stdout.read_line(&mut line).ok().filter(|&bytes| bytes > 0)?;
        if line.ends_with('\n') {
            line.pop();
        }
        Some(line)
    }

    /// Whether the line that was read last was written after the last kill of a worker.
    pub fn is_past_kill(&self) -> bool {
        self.read_bytes > self.written_bytes_at_kill.get()
    }

    /// Its current worker processes.
    pub fn workers(&self) -> Vec<Pid> {
        let pid = self.pid.as_raw_nonzero();
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
    }

    /// Kills one of its workers, selected by `choice` modulo their number. False when there is none.
    pub fn kill_worker(&self, choice: usize) -> bool {
        let workers = self.workers();
        match workers.get(choice % workers.len().max(1)) {
            // If the worker has died meanwhile, it is a zombie or the call fails.
            Some(worker) => {
                let killed = kill_process(*worker, Signal::KILL).is_ok();
                let unread = ioctl_fionread(self.stdout.get_ref()).unwrap_or(0) as usize;
                self.written_bytes_at_kill.set(self.read_bytes + self.stdout.buffer().len() + unread);
                killed
            }
            None => false,
        }
    }

    /// Sends SIGINT.
    pub fn interrupt(&self) {
        let _ = kill_process(self.pid, Signal::INT);
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends `signal`.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid, signal);
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        let _ = kill_process(self.pid, Signal::KILL);
    }

    /// Reads the remaining output and waits for the end. Returns the exit code, or 128 plus the signal's number, and
    /// the text on standard error.
    pub fn finish(mut self) -> (i32, String) {
        while self.next_line().is_some() {}
        let status = self.child.wait().expect("a child can be waited for");
        let stderr =
            self.stderr.take().map(|thread| thread.join().expect("it only reads")).unwrap_or_default();
        (status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)), stderr)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
