//! Measures the lease table: nanoseconds per task, which is offered, claimed, read, finished and collected.
//!
//! Owns: the table that is measured, its workers: threads of this process, or processes.
//! Does not own: the table (the queue crate's), how a process becomes a worker ([`crate::run::workers`]).

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use haul_engine::WorkError;
use haul_queue::lease::{Config, Next, OfferError, Supervisor, TableError, Worker};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::team::{Start, together};

/// What carries out the tasks.
#[derive(Clone, Copy)]
pub(super) enum Workers {
    Threads(usize),
    Processes(usize),
}

pub(super) const CASES: [Workers; 6] = [
    Workers::Threads(1),
    Workers::Threads(2),
    Workers::Threads(4),
    Workers::Processes(1),
    Workers::Processes(2),
    Workers::Processes(4),
];

/// The longest sleep of either side. Wake-ups end it earlier.
const SLEEP_MAX: Duration = Duration::from_millis(5);
/// Processes are given tasks for this long before they are measured, so that all of them have started.
const WARM_UP: Duration = Duration::from_millis(100);
const TASK: &[u8] = b"a task about as long as the path of a file in a tree";

impl Workers {
    pub(super) fn name(self) -> String {
        match self {
            Self::Threads(count) => format!("threads={count}"),
            Self::Processes(count) => format!("processes={count}"),
        }
    }
}

/// Nanoseconds per task. `command` starts a process that calls [`serve`].
///
/// # Errors
/// If the system refuses the table, a thread or a process.
pub(super) fn measure(workers: Workers, tasks: usize, command: impl Fn() -> Command) -> io::Result<f64> {
    let config = Config { slot_count: 256, task_bytes_max: 64, outcome_bytes_max: 64, ..Config::default() };
    let mut table = Supervisor::create(config).map_err(system_error)?;
    let taken = match workers {
        Workers::Threads(count) => by_threads(&mut table, count, tasks)?,
        Workers::Processes(count) => {
            let mut processes = Processes(Vec::new());
            for _ in 0..count {
                let mut command = command();
                command.stdin(Stdio::from(table.memfd().try_clone_to_owned()?)).stdout(Stdio::null());
                processes.0.push(command.spawn()?);
            }
            let begun = Instant::now();
            while begun.elapsed() < WARM_UP {
                drive(&mut table, tasks / 100 + 1, &mut processes)?;
            }
            let taken = drive(&mut table, tasks, &mut processes)?;
            table.close();
            processes.end()?;
            taken
        }
    };
    Ok(taken.as_nanos() as f64 / tasks as f64)
}

fn by_threads(table: &mut Supervisor, count: usize, tasks: usize) -> io::Result<Duration> {
    let start = Start::default();
    let attached: Result<Vec<_>, _> = (0..count).map(|_| Worker::attach(table.memfd())).collect();
    let attached = attached.map_err(system_error)?;
    // The thread that drives is one of the team, so that it never waits for workers that were refused.
    let (_, taken) = together(&start, |team| {
        for worker in attached {
            let start = &start;
            team.add(move || {
                if start.wait() {
                    work(&worker)
                }
            })?;
        }
        let start = &start;
        team.add(move || {
            if start.wait() {
                drive(table, tasks, &mut Processes(Vec::new())).expect("no process ends");
                table.close();
            }
        })
    })?;
    Ok(taken)
}

/// Offers `tasks` tasks and collects their outcomes.
fn drive(table: &mut Supervisor, tasks: usize, processes: &mut Processes) -> io::Result<Duration> {
    let started = Instant::now();
    let (mut offered, mut finished) = (0, 0);
    while finished < tasks {
        while offered < tasks {
            match table.offer(TASK) {
                Ok(_) => offered += 1,
                Err(OfferError::Full) => break,
                Err(error) => return Err(io::Error::other(error.to_string())),
            }
        }
        let done = table.collect().len();
        finished += done;
        if done == 0 && !table.wait(SLEEP_MAX) {
            processes.check()?;
        }
    }
    Ok(started.elapsed())
}

fn work(worker: &Worker) {
    let mut task = Vec::new();
    loop {
        match worker.next(0, SLEEP_MAX) {
            Next::Lease(lease) => {
                // Nobody reaps here, so that no lease is lost.
                let read = worker.read_task(&lease, &mut task).is_ok() && task == TASK;
                if !read || worker.finish(&lease, b"done").is_err() {
                    return;
                }
            }
            Next::Idle => {}
            Next::Closed => return,
        }
    }
}

/// The body of a worker process: the table is its standard input.
///
/// # Errors
/// If there is no table.
pub(crate) fn serve() -> Result<(), WorkError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    let worker = Worker::attach(io::stdin()).map_err(WorkError::Table)?;
    work(&worker);
    Ok(())
}

/// The worker processes of a measurement, killed when dropped.
struct Processes(Vec<Child>);

impl Processes {
    /// Fails if a process has ended: its task would never be finished.
    fn check(&mut self) -> io::Result<()> {
        for process in &mut self.0 {
            if let Some(status) = process.try_wait()? {
                return Err(io::Error::other(format!("a worker process ended: {status}")));
            }
        }
        Ok(())
    }

    /// Waits for the ends of processes that have nothing to do any more.
    fn end(&mut self) -> io::Result<()> {
        self.0.drain(..).try_for_each(|mut process| process.wait().map(drop))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for mut process in self.0.drain(..) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn system_error(error: TableError) -> io::Error {
    match error {
        TableError::System { source, .. } => source,
        other => io::Error::other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_finish_every_task() {
        for count in [1, 3] {
            let never = || unreachable!("no process is measured");
            assert!(measure(Workers::Threads(count), 2_000, never).unwrap() > 0.0);
        }
    }

    #[test]
    fn a_process_that_ends_ends_the_measurement() {
        let error = measure(Workers::Processes(1), 10, || Command::new("true")).unwrap_err();
        assert!(error.to_string().starts_with("a worker process ended: "), "{error}");
    }
}
