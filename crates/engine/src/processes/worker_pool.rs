//! Worker processes: starting them, noticing their deaths, replacing the dead, sending all home.
//!
//! Owns: the processes, the pipes by which they are told what they are and when to give up, the lease table.
//! Does not own: tasks and their order ([`crate::processes`]).

use std::io::{PipeWriter, Write};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, io};

use haul_io::Cancel;
use haul_queue::lease::{self, TableError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use zeroize::Zeroizing;

use crate::job::portable::{Portable, WorkerCommand};
use crate::processes::encoding::{to_bytes, to_secret_bytes};
use crate::processes::order::Handshake;

/// How many processes, and threads in each.
#[derive(Clone, Copy)]
pub(crate) struct PoolSize {
    pub(crate) processes: NonZeroUsize,
    pub(crate) threads: NonZeroUsize,
}

/// Pieces of work that wait in the table for each thread, so that none idles while the supervisor naps.
const QUEUED_PER_THREAD: usize = 64;
const QUEUED_MIN: usize = 256;
const QUEUED_MAX: usize = 4_096;

/// The longest order: two paths, a token and some numbers.
const ORDER_BYTES_MAX: u32 = 16 << 10;
/// The longest reply: a token with a path, or an error in words.
const REPLY_BYTES_MAX: u32 = 8 << 10;
/// A task over which that many workers died isn't tried again.
pub(crate) const DEATHS_MAX: u8 = 3;

/// How long workers may take to go home before they are killed. They hold nothing by then.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

pub(crate) struct WorkerPool {
    command: WorkerCommand,
    threads: usize,
    /// What every worker is told besides its name, in the form in which it is sent.
    spec: Zeroizing<Vec<u8>>,
    /// By owner's number. `None`: not started yet, or dead and not replaced.
    members: Vec<Option<WorkerProcess>>,
    /// How many were started at first.
    started: usize,
    pub(crate) table: lease::Supervisor,
    /// A switch that isn't thrown.
    pub(crate) never: Cancel,
    /// How many died in a row without any work coming back.
    barren_deaths: usize,
}

struct WorkerProcess {
    child: Child,
    pidfd: OwnedFd,
    pipe: PipeWriter,
}

/// Why there is no pool.
#[derive(Debug)]
pub(crate) enum PoolRefused {
    Table(TableError),
    Spawn(io::Error),
}

impl fmt::Display for PoolRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(TableError::System { step, source }) => {
                write!(f, "no shared memory: {step}: {}", haul_io::reason(source))
            }
            Self::Table(error) => write!(f, "no shared memory: {error}"),
            Self::Spawn(error) => write!(f, "no worker process: {}", haul_io::reason(error)),
        }
    }
}

impl WorkerPool {
    /// A table and its workers, each of which can do the tasks of `job`.
    pub(crate) fn open<J: Portable>(
        job: &J,
        command: &WorkerCommand,
        size: PoolSize,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Self, PoolRefused> {
        let (processes, threads) = (size.processes.get(), size.threads.get());
        let slot_count = (processes * threads * QUEUED_PER_THREAD).clamp(QUEUED_MIN, QUEUED_MAX);
        let table = lease::Supervisor::create(lease::Config {
            slot_count: slot_count.max(processes * threads) as u32,
            task_bytes_max: ORDER_BYTES_MAX,
            outcome_bytes_max: REPLY_BYTES_MAX,
            deaths_max: DEATHS_MAX,
            ..lease::Config::default()
        })
        .map_err(PoolRefused::Table)?;
        let spec = to_secret_bytes(&job.job_spec(random));
        let members = (0..processes).map(|_| None).collect();
        let command = command.clone();
        let never = Cancel::new().map_err(PoolRefused::Spawn)?;
        let mut pool = Self { command, threads, spec, members, started: 0, table, never, barren_deaths: 0 };
        pool.start_one().map_err(PoolRefused::Spawn)?;
        Ok(pool)
    }

    /// Starts one more worker, if not all are started.
    pub(crate) fn start_one(&mut self) -> io::Result<()> {
        if self.started < self.members.len() {
            let member = self.spawn(self.started as u16)?;
            self.members[self.started] = Some(member);
            self.started += 1;
        }
        Ok(())
    }

    /// How many workers were started at first, of how many.
    pub(crate) fn started(&self) -> (usize, usize) {
        (self.started, self.members.len())
    }

    fn spawn(&self, owner: u16) -> io::Result<WorkerProcess> {
        let (reader, mut pipe) = io::pipe()?;
        let child = Command::new(&self.command.program)
            .args(&self.command.arguments)
            .stdin(Stdio::from(self.table.memfd().try_clone_to_owned()?))
            .stdout(Stdio::from(reader))
            // Keys of the terminal are for the supervisor, which tells its workers.
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_child(&child);
        let mut member =
            WorkerProcess { pidfd: pidfd_open(pid, PidfdFlags::empty())?, child, pipe: pipe.try_clone()? };
        let head = Handshake {
            supervisor_pid: rustix::process::getpid().as_raw_nonzero().get(),
            owner,
            threads: self.threads,
        };
        let handshake = Zeroizing::new([to_bytes(&head), self.spec.to_vec()].concat());
        let length = (handshake.len() as u64).to_le_bytes();
        let sent = pipe.write_all(&length).and_then(|()| pipe.write_all(&handshake));
        match sent {
            // It is dead already: that is noticed, and counted, like any death.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(member),
            Err(error) => {
                member.end();
                Err(error)
            }
            Ok(()) => Ok(member),
        }
    }

    /// Whether any worker is left.
    pub(crate) fn has_members(&self) -> bool {
        self.members.iter().any(Option::is_some)
    }

    /// Jobs that run at once.
    pub(crate) fn capacity(&self) -> usize {
        self.members.len() * self.threads
    }

    /// Work came back: whatever kills workers, it isn't all that there is.
    pub(crate) fn is_fruitful(&mut self) {
        self.barren_deaths = 0;
    }

    /// Tells every worker that the run was cancelled.
    pub(crate) fn cancel(&mut self) {
        for member in self.members.iter_mut().flatten() {
            // One that is dead needn't know.
            let _ = member.pipe.write_all(b"c");
        }
    }

    /// The owners that have died since the last call. Their processes are gone.
    pub(crate) fn reap(&mut self) -> Vec<u16> {
        let living: Vec<usize> = (0..self.members.len()).filter(|at| self.members[*at].is_some()).collect();
        let mut polled: Vec<PollFd<'_>> = living
            .iter()
            .map(|at| PollFd::new(&self.members[*at].as_ref().expect("filtered").pidfd, PollFlags::IN))
            .collect();
        if !matches!(poll(&mut polled, Some(&Timespec::default())), Ok(1..)) {
            return Vec::new();
        }
        let dead: Vec<usize> = living
            .iter()
            .zip(&polled)
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(at, _)| *at)
            .collect();
        for at in &dead {
            if let Some(mut member) = self.members[*at].take() {
                member.end();
            }
        }
        dead.into_iter().map(|at| at as u16).collect()
    }

    /// Puts a new worker in the place of the dead `owner`, whose leases were taken back; unless workers die of themselves.
    pub(crate) fn replace(&mut self, owner: u16) {
        self.barren_deaths += 1;
        // Every thread of the pool may hold a task that kills.
        let barren_deaths_max = usize::from(DEATHS_MAX) * self.capacity() + 16;
        if self.barren_deaths <= barren_deaths_max {
            self.members[usize::from(owner)] = self.spawn(owner).ok();
        }
    }
}

impl WorkerProcess {
    /// Kills it, if it isn't dead, and waits for that.
    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.table.close();
        let deadline = Instant::now() + SHUTDOWN_TIMEOUT;
        for mut member in self.members.drain(..).flatten() {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            let _ = poll(&mut [PollFd::from_borrowed_fd(member.pidfd.as_fd(), PollFlags::IN)], Some(&left));
            member.end();
        }
    }
}
