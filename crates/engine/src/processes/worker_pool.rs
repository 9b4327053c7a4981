//! The pool of worker processes: starting them, detecting and replacing dead ones, shutting all down.
//!
//! Owns: the processes, their pidfds, the pipes that carry the handshake and the cancellation, the lease table.
//! Does not own: tasks and their order ([`crate::processes::coordinator`]).

use std::cell::Cell;
use std::io::{PipeWriter, Write as _};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io};

use haul_io::Cancel;
use haul_queue::lease::{self, TableError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{ioctl_fionbio, ioctl_fionread};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use zeroize::Zeroizing;

use crate::choice::Engine;
use crate::execute::catch;
use crate::job::portable::{Portable, WorkerCommand};
use crate::processes::encoding::{to_bytes, to_secret_bytes};
use crate::processes::order::Handshake;
use crate::processes::sentry::Sentry;

/// How many processes, and how many threads in each.
#[derive(Clone, Copy)]
pub(crate) struct PoolSize {
    pub(crate) processes: NonZeroUsize,
    pub(crate) threads: NonZeroUsize,
}

impl PoolSize {
    /// The number of threads that take the place of such a pool.
    pub(crate) fn thread_count(self) -> NonZeroUsize {
        let most = NonZeroUsize::new(Engine::PROCESSES_MAX).unwrap_or(NonZeroUsize::MIN);
        self.processes.saturating_mul(self.threads).min(most)
    }
}

/// Pieces of work queued in the table for each thread, so that no thread idles while the supervisor sleeps.
const QUEUED_PER_THREAD: usize = 64;
const QUEUED_MIN: usize = 256;
const QUEUED_MAX: usize = 4_096;

/// The longest order in bytes: two paths, a token and some numbers.
const ORDER_BYTES_MAX: u32 = 16 << 10;
/// The longest reply in bytes: a token with a path, or the text of an error.
const REPLY_BYTES_MAX: u32 = 8 << 10;
/// A piece of work is given up after the deaths of so many workers, the last of which ran nothing else.
pub(crate) const DEATHS_MAX: u8 = 3;

/// The name of worker processes in lists of processes.
pub(crate) const WORKER_NAME: &str = "haul-worker";

/// A worker that has read nothing of its handshake at so many looks, in five seconds, is killed. It holds no work.
/// Looks are counted, not time, as a run that was stopped meanwhile has stopped its workers, too.
const SILENT_LOOKS_MAX: u32 = 20;

/// How long workers may take to exit before they are killed. They hold no work by then.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

pub(crate) struct WorkerPool {
    command: WorkerCommand,
    threads: usize,
    is_traced: bool,
    /// The job's specification, encoded; it follows the handshake of every worker.
    spec: Zeroizing<Vec<u8>>,
    /// Indexed by owner number. `None`: not started yet, or dead and not replaced.
    workers: Vec<Option<WorkerProcess>>,
    /// The number of workers started so far, replacements not counted.
    started: usize,
    pub(crate) table: lease::Supervisor,
    /// A switch that is never triggered.
    pub(crate) never: Cancel,
    /// `None`: the system refuses it, and the coordinator has to look for what it would be woken for.
    sentry: Option<Sentry>,
    /// The sentry couldn't be given a descriptor to watch.
    is_blind: Cell<bool>,
    /// Deaths since the last piece of work came back.
    deaths_without_progress: usize,
}

struct WorkerProcess {
    child: Child,
    pidfd: Arc<OwnedFd>,
    /// Never blocks.
    pipe: PipeWriter,
    /// The message before the specification.
    head: Vec<u8>,
    /// Bytes that the pipe has taken of the head and the specification.
    sent: usize,
    /// At how many looks it had read nothing; `None` once it has read something.
    silent_looks: Option<u32>,
    /// Set once the run is cancelled.
    cancelled: Option<Told>,
}

#[derive(Clone, Copy)]
enum Told {
    NotYet,
    Sent,
}

/// Why there is no pool.
#[derive(Debug)]
pub(crate) enum PoolRefused {
    Table(TableError),
    Spawn(io::Error),
    /// More threads than [`Engine::PROCESSES_MAX`] over all processes.
    TooMany,
    /// The job panicked over its specification.
    Panicked(String),
}

impl fmt::Display for PoolRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(TableError::System { step, source }) => {
                write!(f, "no shared memory: {step}: {}", haul_io::reason(source))
            }
            Self::Table(error) => write!(f, "no shared memory: {error}"),
            Self::Spawn(error) => write!(f, "no worker process: {}", haul_io::reason(error)),
            Self::TooMany => write!(f, "more than {} threads over all processes", Engine::PROCESSES_MAX),
            Self::Panicked(message) => write!(f, "the job panicked: {message}"),
        }
    }
}

impl WorkerPool {
    /// Creates the table and starts the first worker for the tasks of `job`. If it `is_traced`, replies say when each
    /// piece of work was carried out.
    ///
    /// # Errors
    /// If the system refuses the shared memory or the process, if there are too many, or if the job panics.
    pub(crate) fn open<J: Portable>(
        job: &J,
        command: &WorkerCommand,
        size: PoolSize,
        is_traced: bool,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Self, PoolRefused> {
        let (processes, threads) = (size.processes.get(), size.threads.get());
        if processes.saturating_mul(threads) > Engine::PROCESSES_MAX {
            return Err(PoolRefused::TooMany);
        }
        let slot_count = (processes * threads * QUEUED_PER_THREAD).clamp(QUEUED_MIN, QUEUED_MAX);
        let table = lease::Supervisor::create(lease::Config {
            slot_count: slot_count.max(processes * threads) as u32,
            task_bytes_max: ORDER_BYTES_MAX,
            outcome_bytes_max: REPLY_BYTES_MAX,
            deaths_max: DEATHS_MAX - 1,
            ..lease::Config::default()
        })
        .map_err(PoolRefused::Table)?;
        let mut pool = Self {
            command: command.clone(),
            threads,
            is_traced,
            spec: catch(|| to_secret_bytes(&job.job_spec(random))).map_err(PoolRefused::Panicked)?,
            workers: (0..processes).map(|_| None).collect(),
            started: 0,
            table,
            never: Cancel::new().map_err(PoolRefused::Spawn)?,
            sentry: None,
            is_blind: Cell::new(false),
            deaths_without_progress: 0,
        };
        pool.start_one().map_err(PoolRefused::Spawn)?;
        Ok(pool)
    }

    /// Starts one more worker, unless all have been started.
    pub(crate) fn start_one(&mut self) -> io::Result<()> {
        if self.started < self.workers.len() {
            let worker = self.spawn(self.started as u16)?;
            self.workers[self.started] = Some(worker);
            self.started += 1;
        }
        Ok(())
    }

    /// The number of workers started so far, replacements not counted.
    pub(crate) fn started_count(&self) -> usize {
        self.started
    }

    /// Whether `pieces` of work are more than the started workers carry out at once, and another one can be started.
    pub(crate) fn wants_worker(&self, pieces: usize) -> bool {
        self.started < self.workers.len() && pieces > self.started * self.threads
    }

    fn spawn(&self, owner: u16) -> io::Result<WorkerProcess> {
        let (reader, pipe) = io::pipe()?;
        // A worker that doesn't read must not block this process.
        ioctl_fionbio(&pipe, true)?;
        let mut alive = self.command.workers.lock();
        let child = Command::new(&self.command.program)
            .arg0(WORKER_NAME)
            .args(&self.command.arguments)
            .stdin(Stdio::from(self.table.memfd().try_clone_to_owned()?))
            .stdout(Stdio::from(reader))
            // The terminal's signals (Ctrl-C) go to the supervisor alone, which then cancels its workers.
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_child(&child);
        let handshake = Handshake {
            supervisor_pid: rustix::process::getpid().as_raw_nonzero().get(),
            owner,
            threads: self.threads,
            is_traced: self.is_traced,
        };
        let head = to_bytes(&handshake);
        let length = (head.len() + self.spec.len()) as u64;
        let head = [length.to_le_bytes().as_slice(), &head].concat();
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Arc::new(pidfd),
            Err(error) => {
                let mut child = child;
                let _ = child.kill();
                let _ = child.wait();
                return Err(error.into());
            }
        };
        alive.push(pidfd.clone());
        drop(alive);
        let silent_looks = Some(0);
        let mut worker = WorkerProcess { child, pidfd, pipe, head, sent: 0, silent_looks, cancelled: None };
        if let Some(sentry) = &self.sentry {
            self.is_blind.set(self.is_blind.get() || sentry.watch_death(&worker.pidfd).is_err());
        }
        worker.talk(&self.spec);
        Ok(worker)
    }

    /// Has the end of the coordinator's sleep ([`lease::Supervisor::wait`]) follow deaths of workers, pipes that take
    /// bytes again, and `cancel`.
    pub(crate) fn watch(&mut self, cancel: &Cancel) {
        let sentry = Sentry::start(cancel, self.table.alarm()).and_then(|sentry| {
            self.workers.iter().flatten().try_for_each(|worker| sentry.watch_death(&worker.pidfd))?;
            Ok(sentry)
        });
        self.sentry = sentry.ok();
    }

    /// Whether something that happens outside the table may leave the coordinator asleep.
    pub(crate) fn is_unwatched(&self) -> bool {
        self.sentry.is_none() || self.is_blind.get()
    }

    /// Whether a worker may have died since the last call.
    pub(crate) fn may_have_deaths(&self) -> bool {
        self.sentry.as_ref().is_none_or(Sentry::take_deaths) || self.is_blind.get()
    }

    /// Sends what the pipes did not take so far. Never sleeps.
    pub(crate) fn talk(&mut self) {
        for worker in self.workers.iter_mut().flatten() {
            let is_full = worker.talk(&self.spec);
            if let (true, Some(sentry)) = (is_full, &self.sentry) {
                self.is_blind.set(self.is_blind.get() || sentry.watch_pipe(&worker.pipe).is_err());
            }
        }
    }

    /// The owners in the table that are no living workers: their numbers come from corrupt words.
    pub(crate) fn lost_owners(&self) -> Vec<u16> {
        let mut owners = self.table.owners();
        owners.retain(|owner| self.pid(*owner).is_none());
        owners
    }

    /// The process of a living worker.
    pub(crate) fn pid(&self, owner: u16) -> Option<u32> {
        Some(self.workers.get(usize::from(owner))?.as_ref()?.child.id())
    }

    /// Whether any worker is alive.
    pub(crate) fn has_workers(&self) -> bool {
        self.workers.iter().any(Option::is_some)
    }

    /// The number of jobs that run at once when all workers have been started.
    pub(crate) fn capacity(&self) -> usize {
        self.workers.len() * self.threads
    }

    /// Records that work came back, so that earlier deaths no longer count against the pool.
    pub(crate) fn record_progress(&mut self) {
        self.deaths_without_progress = 0;
    }

    /// Tells every worker that the run was cancelled.
    pub(crate) fn cancel(&mut self) {
        for worker in self.workers.iter_mut().flatten() {
            worker.cancelled.get_or_insert(Told::NotYet);
        }
        self.talk();
    }

    /// Kills the workers that have read nothing for too long since they were started: the program isn't the one that
    /// was meant, or can't run. They aren't replaced unless others carry out work. To be called every
    /// [`LOOK_INTERVAL`](crate::stall::LOOK_INTERVAL).
    pub(crate) fn kill_silent(&mut self) {
        let deaths_max = self.deaths_max();
        for worker in self.workers.iter_mut().flatten() {
            if worker.is_silent() {
                self.deaths_without_progress = deaths_max;
                let _ = pidfd_send_signal(&worker.pidfd, Signal::KILL);
            }
        }
    }

    /// So many deaths without any work coming back aren't due to particular tasks. Every thread of the pool may hold a
    /// task that kills its worker.
    fn deaths_max(&self) -> usize {
        usize::from(DEATHS_MAX) * self.capacity() + 16
    }

    /// Reaps the workers that have died since the last call and returns their owner numbers.
    pub(crate) fn reap(&mut self) -> Vec<u16> {
        let alive: Vec<usize> = (0..self.workers.len()).filter(|at| self.workers[*at].is_some()).collect();
        let mut polled: Vec<PollFd<'_>> = alive
            .iter()
            .map(|at| PollFd::new(&self.workers[*at].as_ref().expect("filtered").pidfd, PollFlags::IN))
            .collect();
        if !matches!(poll(&mut polled, Some(&Timespec::default())), Ok(1..)) {
            return Vec::new();
        }
        let dead: Vec<usize> =
            alive.iter().zip(&polled).filter(|(_, fd)| !fd.revents().is_empty()).map(|(at, _)| *at).collect();
        for at in &dead {
            if let Some(mut worker) = self.workers[*at].take() {
                self.command.workers.remove(&worker.pidfd);
                worker.end();
            }
        }
        dead.into_iter().map(|at| at as u16).collect()
    }

    /// Starts a new worker under the number of the dead `owner`, whose leases were reclaimed. Does nothing if too many
    /// workers have died without any work coming back: then they don't die of particular tasks.
    pub(crate) fn replace(&mut self, owner: u16) {
        self.deaths_without_progress += 1;
        if self.deaths_without_progress <= self.deaths_max() {
            self.workers[usize::from(owner)] = self.spawn(owner).ok();
        }
    }
}

impl WorkerProcess {
    /// Looks at whether the process has begun to read. Returns whether it is late.
    fn is_silent(&mut self) -> bool {
        let Some(looks) = self.silent_looks else { return false };
        let has_read = ioctl_fionread(&self.pipe).is_ok_and(|unread| unread < self.sent as u64);
        self.silent_looks = (!has_read).then_some(looks + 1);
        !has_read && looks >= SILENT_LOOKS_MAX
    }

    /// Sends as much as the pipe takes of the handshake, the specification `spec` and the cancellation, in this order.
    /// Returns whether the pipe is full.
    fn talk(&mut self, spec: &[u8]) -> bool {
        loop {
            let is_told = !matches!(self.cancelled, Some(Told::NotYet));
            let (head_left, spec_sent) =
                (self.sent < self.head.len(), self.sent.saturating_sub(self.head.len()));
            // Not joined to one message: a copy of the specification would have to be wiped.
            let left = match () {
                () if head_left => &self.head[self.sent..],
                () if spec_sent < spec.len() => &spec[spec_sent..],
                () if !is_told => b"c",
                () => return false,
            };
            let is_cancellation = !head_left && spec_sent == spec.len();
            match self.pipe.write(left) {
                Ok(_) if is_cancellation => self.cancelled = Some(Told::Sent),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // If the worker is dead, `reap` will see and count its death like any other.
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Kills the process, if it is still alive, and waits for its end.
    fn end(&mut self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.table.close();
        let deadline = Instant::now() + SHUTDOWN_TIMEOUT;
        for mut worker in self.workers.drain(..).flatten() {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            let _ = poll(&mut [PollFd::from_borrowed_fd(worker.pidfd.as_fd(), PollFlags::IN)], Some(&left));
            self.command.workers.remove(&worker.pidfd);
            worker.end();
        }
    }
}
