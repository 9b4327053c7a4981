//! One run of the program, from its start to its end, with the deeds on the way.
//!
//! Owns: starting it, its output, doing the deeds at their moments, the end of a run that hangs.
//! Does not own: judging what the run did (see `checker`).

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::deeds::{Deed, Timed};
use super::limits::Limits;
use super::processes;
use crate::fault::{Checked, Fault, ensure};

/// A run that takes longer hangs. Runs take a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(150);

/// The program and the folder that is its home.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) home: PathBuf,
}

/// A run to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    pub(crate) dir: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) limits: Limits,
    pub(crate) deeds: Vec<Timed>,
    /// Standard input; none is an empty one.
    pub(crate) stdin: Option<PathBuf>,
    /// Where standard output goes instead of being read as JSON lines.
    pub(crate) stdout: Option<PathBuf>,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The command line, for messages.
    pub(crate) command: String,
    /// The exit code, or 128 plus the signal's number.
    pub(crate) status: i32,
    /// The JSON lines, in order.
    pub(crate) lines: Vec<Value>,
    /// The number of lines that had been read when the power was cut.
    pub(crate) lines_at_cut: Option<usize>,
    pub(crate) stderr: String,
    /// The deeds that met the running program.
    pub(crate) done_to_it: Vec<Deed>,
    pub(crate) limits: Limits,
}

impl Ended {
    /// True where a signal of this kind met the program itself.
    pub(crate) fn got(&self, wanted: Signal) -> bool {
        self.done_to_it.iter().any(|deed| matches!(deed, Deed::Signal(signal) if *signal == wanted))
    }

    /// True where the program was asked to end.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.got(Signal::INT) || self.got(Signal::TERM)
    }

    /// True where the program was killed.
    pub(crate) fn was_killed(&self) -> bool {
        self.got(Signal::KILL)
    }

    /// True where a worker was killed.
    pub(crate) fn lost_workers(&self) -> bool {
        self.done_to_it.iter().any(|deed| matches!(deed, Deed::SignalWorker(_, Signal::KILL)))
    }
}

/// A run in progress.
pub(crate) struct Running {
    child: Child,
    pid: Pid,
    start: Instant,
    command: String,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    order: Order,
    /// Of its own, by which its processes are known.
    home: PathBuf,
    _group: Option<super::limits::Group>,
}

impl Program {
    /// Runs `order` to its end.
    pub(crate) fn run(&self, order: Order) -> Checked<Ended> {
        self.start(order)?.finish()
    }

    /// Starts `order`.
    pub(crate) fn start(&self, order: Order) -> Checked<Running> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let group = order.limits.group();
        let mut command = self.command(&order, group.as_ref());
        command.args(&order.args).current_dir(&order.dir);
        let home = self.home.join(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::create_dir(&home)?;
        command.env_clear().env("HOME", &home).env("TMPDIR", &home).env("LC_ALL", "C");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(match &order.stdin {
            Some(path) => Stdio::from(File::open(path)?),
            None => Stdio::null(),
        });
        command.stdout(match &order.stdout {
            Some(path) => Stdio::from(File::create(path)?),
            None => Stdio::piped(),
        });
        let mut child = command.stderr(Stdio::piped()).process_group(0).spawn()?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                    let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
                }
            });
        } else {
            drop(sender);
        }
        let mut stream = child.stderr.take().ok_or(Fault("stderr is piped".to_owned()))?;
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stream.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let pid = Pid::from_child(&child);
        let args: Vec<_> = order.args.iter().map(|arg| arg.to_string_lossy()).collect();
        let command = format!("haul {} ({:?})", args.join(" "), order.limits);
        Ok(Running {
            child,
            pid,
            start: Instant::now(),
            command,
            lines,
            stderr: Some(stderr),
            order,
            home,
            _group: group,
        })
    }

    fn command(&self, order: &Order, group: Option<&super::limits::Group>) -> Command {
        let limits = &order.limits;
        if limits.is_none() && limits.resolver.is_none() {
            return Command::new(&self.path);
        }
        let mut command = if limits.resolver.is_some() {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command.arg("-c").arg(limits.script(group)).arg(&self.path);
        command
    }
}

impl Running {
    /// Does the deeds at their moments and waits for the end.
    pub(crate) fn finish(mut self) -> Checked<Ended> {
        let mut deeds: std::collections::VecDeque<Timed> = self.order.deeds.drain(..).collect();
        let (mut lines, mut done_to_it, mut lines_at_cut) = (Vec::new(), Vec::new(), None);
        let deadline = self.start + PATIENCE;
        let mut open = true;
        let status = loop {
            let due = deeds.front().map_or(deadline, |timed| self.start + timed.at);
            // With the output at its end, the wait for the process is polled; it ends at once.
            let wait = due.saturating_duration_since(Instant::now());
            let wait = if open { wait } else { wait.min(Duration::from_millis(2)) };
            match self.lines.recv_timeout(wait) {
                Ok(line) => {
                    lines.push(line);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) if open => open = false,
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !open && let Some(status) = self.child.try_wait()? {
                break status;
            }
            let now = Instant::now();
            if let Some(timed) = deeds.pop_front_if(|timed| self.start + timed.at <= now) {
                let met = self.child.try_wait()?.is_none() && self.perform(&timed.deed)?;
                if met {
                    lines_at_cut =
                        matches!(timed.deed, Deed::CutPower(_)).then_some(lines.len()).or(lines_at_cut);
                    done_to_it.push(timed.deed);
                }
            }
            if now > deadline {
                return Err(self.hangs(&lines));
            }
        };
        self.leaves_no_process()?;
        // It is the folder for temporary files too.
        if let Some(entry) = std::fs::read_dir(&self.home)?.next() {
            return Err(Fault(format!("{}: leaves {:?}", self.command, entry?.path())));
        }
        let stderr = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        let command = self.command.clone();
        ensure!(code != 99, "the soak itself: a limit couldn't be set: {stderr}");
        let mut values = Vec::new();
        for line in &lines {
            let value = serde_json::from_str(line);
            // A killed program may have written half a line.
            let Ok(value) = value else {
                ensure!(code > 128, "{command}: not JSON: {line:?}");
                continue;
            };
            values.push(value);
        }
        let limits = self.order.limits.clone();
        Ok(Ended { command, status: code, lines: values, lines_at_cut, stderr, done_to_it, limits })
    }

    /// Does one deed. False if it met nothing.
    fn perform(&self, deed: &Deed) -> Checked<bool> {
        Ok(match deed {
            Deed::Signal(signal) => kill_process(self.pid, *signal).is_ok(),
            Deed::SignalWorker(choice, signal) => {
                let workers = processes::workers(self.pid);
                workers
                    .get(choice % workers.len().max(1))
                    .is_some_and(|pid| kill_process(*pid, *signal).is_ok())
            }
            Deed::ContinueAll => {
                for pid in processes::at_home(&self.home) {
                    let _ = kill_process(pid, Signal::CONT);
                }
                true
            }
            Deed::CutPower(mountpoint) => {
                cut_power(mountpoint)?;
                true
            }
        })
    }

    /// Workers end with the program, however it ended.
    fn leaves_no_process(&self) -> Checked {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let left = processes::at_home(&self.home);
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let threads: String = left.iter().map(|pid| processes::threads(*pid)).collect();
                self.kill_all();
                return Err(Fault(format!("{}: leaves {} processes:\n{threads}", self.command, left.len())));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn kill_all(&self) {
        for pid in processes::at_home(&self.home) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    fn hangs(&mut self, lines: &[String]) -> Fault {
        let mut threads = processes::threads(self.pid);
        for worker in processes::workers(self.pid) {
            threads += &format!(" worker {}\n{}", worker.as_raw_nonzero(), processes::threads(worker));
        }
        self.kill_all();
        let _ = self.child.wait();
        let last = lines.last().map_or("", String::as_str);
        let count = lines.len();
        Fault(format!(
            "{}: hangs after {count} lines, the last {last}; its threads:\n{threads}",
            self.command
        ))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill_all();
            let _ = self.child.wait();
        }
    }
}

/// Shuts the file system down without flushing its log.
fn cut_power(mountpoint: &Path) -> Checked {
    let status = Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(mountpoint).status()?;
    ensure!(status.success(), "the soak itself: xfs_io: {status}");
    Ok(())
}
