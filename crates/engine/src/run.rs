//! Runs a source of tasks to its end.
//!
//! Owns: choosing the engine's loop, falling back where the system refuses it, the first and last events of the stream.
//! Does not own: the loops, the order of work ([`crate::supervisor`]).

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use haul_io::{Blocking, Io, Room};

use crate::choice::Engine;
use crate::choice::tuner::{Change, TRIAL, Tuner};
use crate::config::Config;
use crate::event::{Event, Fallback, Report};
use crate::execute::catch;
use crate::job::contract::Job;
use crate::job::phases::Spreads;
use crate::job::portable::{Portable, WorkerCommand};
use crate::job::source::Source;
use crate::processes::coordinator::{self, Ran};
use crate::processes::worker;
use crate::processes::worker_pool::{PoolSize, WorkerPool};
use crate::room::{fitting, fitting_threads};
use crate::serial;
use crate::shortage::Shortages;
use crate::supervisor::Supervisor;
use crate::threads::rings::{self, RingSize};
use crate::threads::workers::{self, Shift};

/// The source of a run.
type Tasks<'s, J> = &'s mut dyn Source<<J as Job>::Task>;

/// Carries out every task of `source` with `job`. Calls `on_event` for each event as it happens, on the calling thread.
///
/// Returns once every task that was taken from the source has been reported. Memory: at most `17 ×
/// Engine::in_flight_max` tasks are held at a time, besides what the job itself allocates. For engines of processes
/// use [`run_portable`]; this function runs threads in their place.
///
/// # Panics
/// If the source or `on_event` panics. A panic of `on_event` first triggers [`Config::cancel`]; it continues when every
/// task that was begun has ended or been undone. `on_event` isn't called again.
pub fn run<J: Job>(
    job: &J,
    mut source: impl Source<J::Task>,
    config: &Config,
    mut on_event: impl FnMut(&Event<J>),
) -> Report {
    run_any(job, &mut source, config, &mut on_event)
}

/// As [`run`].
fn run_any<J: Job>(
    job: &J,
    source: Tasks<'_, J>,
    config: &Config,
    on_event: &mut dyn FnMut(&Event<J>),
) -> Report {
    let mut run = Run::new(job, config, on_event);
    let engine = match pool_size(config.engine) {
        Some(size) => run.begin_with_threads(size, "this kind of task stays in one process".to_owned()),
        None => run.begin(),
    };
    run.in_this_process(source, engine)
}

/// As [`run`], on engines of processes too; `worker` is the command that starts a worker process.
///
/// Memory: an engine of processes holds at most 4096 tasks, and as many slots of 36 KiB in shared memory, of which only
/// the pages written to are allocated.
///
/// # Panics
/// As [`run`]; and in a process that was started as a worker, which must call [`work`](crate::work) instead. Otherwise
/// a program that doesn't know its `worker` command would start workers that start workers without end.
pub fn run_portable<J: Portable>(
    job: &J,
    mut source: impl Source<J::Task>,
    config: &Config,
    worker: &WorkerCommand,
    mut on_event: impl FnMut(&Event<J>),
) -> Report {
    run_any_portable(job, &mut source, config, worker, &mut on_event)
}

/// As [`run_portable`].
fn run_any_portable<J: Portable>(
    job: &J,
    source: Tasks<'_, J>,
    config: &Config,
    worker: &WorkerCommand,
    on_event: &mut dyn FnMut(&Event<J>),
) -> Report {
    assert!(!worker::is_worker(), "this process was started as a worker and must call haul_engine::work");
    let mut run = Run::new(job, config, on_event);
    let pool = pool_size(config.engine).map(|size| {
        let io = Blocking::new(config.cancel.clone());
        (size, WorkerPool::open(job, worker, size, config.trace.is_some(), &mut |out| io.random(out)))
    });
    let engine = match pool {
        Some((_, Ok(pool))) => {
            run.emit(Event::Started { engine: config.engine, fallback: None });
            let supervisor = Supervisor::new(source, config.cancel.clone());
            let mut emit = |event| run.emit(event);
            let Ran { mut spreads, left } = coordinator::run(job, supervisor, config, pool, &mut emit);
            let shortages = Shortages::default();
            if let Some(supervisor) = left {
                spreads.merge(&run.stand_in(supervisor, &shortages));
            }
            return run.end(spreads, shortages);
        }
        Some((size, Err(refused))) => run.begin_with_threads(size, refused.to_string()),
        None => run.begin(),
    };
    run.in_this_process(source, engine)
}

/// The size of the pool of processes; `None` for an engine without one.
fn pool_size(engine: Engine) -> Option<PoolSize> {
    match engine {
        Engine::Processes(processes) => Some(PoolSize { processes, threads: NonZeroUsize::MIN }),
        Engine::Hybrid { processes, threads } => Some(PoolSize { processes, threads }),
        _ => None,
    }
}

/// One run: its events go to the report and to the caller.
struct Run<'a, J: Job> {
    job: &'a J,
    config: &'a Config,
    started: Instant,
    report: Report,
    on_event: &'a mut dyn FnMut(&Event<J>),
    /// The panic of `on_event`.
    panicked: Option<Box<dyn Any + Send>>,
    changes: Vec<Change>,
}

impl<'a, J: Job> Run<'a, J> {
    fn new(job: &'a J, config: &'a Config, on_event: &'a mut dyn FnMut(&Event<J>)) -> Self {
        let (started, report) = (Instant::now(), Report::default());
        Self { job, config, started, report, on_event, panicked: None, changes: Vec::new() }
    }

    fn emit(&mut self, event: Event<J>) {
        self.report.record(&event);
        if self.panicked.is_none() {
            let on_event = &mut self.on_event;
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| on_event(&event))) {
                self.panicked = Some(payload);
                self.config.cancel.trigger();
            }
        }
        // A panic while a reported task is dropped has no task left to fail.
        let _ = catch(|| drop(event));
    }

    /// Begins with the configured engine, or with its substitute if the system refuses it.
    fn begin(&mut self) -> Engine {
        let (engine, fallback) = granted(self.config.engine, self.config);
        self.emit(Event::Started { engine, fallback });
        engine
    }

    /// Begins with as many threads as the processes would have had.
    fn begin_with_threads(&mut self, size: PoolSize, reason: String) -> Engine {
        let engine = Engine::Threads(fitting_threads(size.thread_count(), Room::left()));
        let fallback = Some(Fallback { asked: self.config.engine, reason });
        self.emit(Event::Started { engine, fallback });
        engine
    }

    /// Runs the rest of a run whose worker processes can't work. Threads stand in.
    fn stand_in(&mut self, supervisor: Supervisor<J, Tasks<'_, J>>, shortages: &Shortages) -> Spreads {
        let (job, config) = (self.job, self.config);
        let count = pool_size(config.engine).map_or(NonZeroUsize::MIN, PoolSize::thread_count);
        let count = fitting_threads(count, Room::left());
        let reason = "the worker processes died before they did any work".to_owned();
        self.report.engine = Some(Engine::Threads(count));
        self.report.fallback = Some(Fallback { asked: config.engine, reason });
        let mut emit = |event| self.emit(event);
        workers::run(job, supervisor, config, count, shortages, &mut emit).spreads
    }

    /// Runs all tasks on `engine`, after the first event and up to the last one.
    fn in_this_process(mut self, source: Tasks<'_, J>, engine: Engine) -> Report {
        if self.config.adapts {
            return self.in_shifts(source, engine, TRIAL);
        }
        let shortages = Shortages::default();
        let supervisor = Supervisor::new(source, self.config.cancel.clone());
        let spreads = self.shift(engine, supervisor, &shortages).spreads;
        self.end(spreads, shortages)
    }

    /// As [`Run::in_this_process`], on `engine` or what turns out faster in trials of this length.
    fn in_shifts(mut self, source: Tasks<'_, J>, engine: Engine, trial: Duration) -> Report {
        let (shortages, mut spreads) = (Shortages::default(), Spreads::default());
        let mut supervisor = Supervisor::new(source, self.config.cancel.clone());
        let mut tuner = Tuner::new(engine, available_parallelism().unwrap_or(NonZeroUsize::MIN), trial);
        loop {
            let (engine, length) = tuner.shift();
            let (engine, begun, done) = (granted(engine, self.config).0, Instant::now(), self.work_done());
            supervisor.end_shift_at(begun.checked_add(length));
            let shift = self.shift(engine, supervisor, &shortages);
            spreads.merge(&shift.spreads);
            let Some(left) = shift.left.filter(|left| !left.is_over()) else { break };
            supervisor = left;
            let rate = (self.work_done() - done) / begun.elapsed().as_secs_f64();
            if let Some((from, gain)) = tuner.did(rate) {
                let after = self.started.elapsed();
                self.changes.push(Change { from, to: tuner.shift().0, after, gain });
            }
        }
        self.end(spreads, shortages)
    }

    /// What was done so far, in bytes: each task costs as much as that many besides its own.
    fn work_done(&self) -> f64 {
        let tasks = self.report.succeeded + self.report.failed + self.report.cancelled_tasks;
        self.config.progress.load(Ordering::Relaxed) as f64 + tasks as f64 * TASK_BYTES
    }

    /// Runs the tasks of `supervisor` on `engine`, up to the end of the shift.
    fn shift<'s>(
        &mut self,
        engine: Engine,
        mut supervisor: Supervisor<J, Tasks<'s, J>>,
        shortages: &Shortages,
    ) -> Shift<J, Tasks<'s, J>> {
        let (job, config) = (self.job, self.config);
        let mut emit = |event| self.emit(event);
        match engine {
            Engine::Serial => {
                let spreads = serial::run(job, &mut supervisor, config, &mut emit);
                Shift { spreads, left: Some(supervisor) }
            }
            Engine::Threads(count) => workers::run(job, supervisor, config, count, shortages, &mut emit),
            Engine::Uring { rings, depth } => {
                let size = RingSize { rings, depth };
                rings::run(job, supervisor, config, size, shortages, &mut emit)
            }
            Engine::Processes(_) | Engine::Hybrid { .. } => {
                unreachable!("an engine of processes was replaced by threads before")
            }
        }
    }

    fn end(mut self, spreads: Spreads, shortages: Shortages) -> Report {
        let cancelled = self.config.cancel.is_triggered();
        let wall = self.started.elapsed();
        let (spreads, shortages) = (Box::new(spreads), shortages.into_inner());
        let changes = std::mem::take(&mut self.changes);
        self.emit(Event::Ended { wall, cancelled, spreads, shortages, changes });
        if let Some(payload) = self.panicked {
            resume_unwind(payload);
        }
        self.report
    }
}

/// What a task costs besides its bytes, in bytes: creating a file takes as long as writing so many.
const TASK_BYTES: f64 = 32_768.0;

/// Threads that replace each ring if the system refuses io_uring.
const THREADS_PER_REFUSED_RING: usize = 16;

/// `asked`, or its substitute and the reason if the system refuses it or there is no room for all of it.
fn granted(asked: Engine, config: &Config) -> (Engine, Option<Fallback>) {
    let room = Room::left();
    let (engine, cut) = fitting(asked, room);
    let fallback = cut.map(|reason| Fallback { asked, reason });
    let Engine::Uring { rings, depth } = engine else { return (engine, fallback) };
    match rings::probe(config, RingSize { rings, depth }) {
        Ok(()) => (engine, fallback),
        Err(refused) => {
            let count = rings.get() * depth.get().min(THREADS_PER_REFUSED_RING);
            let count = fitting_threads(NonZeroUsize::new(count).unwrap_or(rings), room);
            (Engine::Threads(count), Some(Fallback { asked, reason: refused.to_string() }))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use haul_io::Cancel;

    use super::*;
    use crate::job::contract::Step;

    /// Adds up its tasks, of which every seventh has parts.
    #[derive(Default)]
    struct Sum(AtomicU64);

    impl Job for Sum {
        type Task = u64;
        type State = ();
        type Output = ();
        type Error = String;

        async fn start<I: Io>(&self, _: &I, task: &u64) -> Result<Step<(), ()>, String> {
            if task.is_multiple_of(7) {
                return Ok(Step::Split { state: ().into(), parts: 3 });
            }
            self.0.fetch_add(*task, Ordering::Relaxed);
            Ok(Step::Done(()))
        }

        async fn part<I: Io>(&self, _: &I, _: &u64, (): &(), _: u64) -> Result<(), String> {
            Ok(())
        }

        async fn finish<I: Io>(&self, _: &I, task: &u64, (): &(), _: bool) -> Result<(), String> {
            self.0.fetch_add(*task, Ordering::Relaxed);
            Ok(())
        }

        fn is_cancelled(_: &String) -> bool {
            false
        }
    }

    #[test]
    fn each_task_ends_once_however_often_the_engine_changes() {
        const TASKS: u64 = 30_000;
        let two = NonZeroUsize::new(2).unwrap();
        for engine in [Engine::Serial, Engine::Threads(two), Engine::Uring { rings: two, depth: two }] {
            let (job, config) = (Sum::default(), Config::new(engine, Cancel::new().unwrap()));
            let mut ends = vec![0; TASKS as usize];
            let mut on_event = |event: &Event<Sum>| {
                if let Event::Settled(settled) = event {
                    ends[*settled.task as usize] += 1;
                }
            };
            let run = Run::new(&job, &config, &mut on_event);
            let report = run.in_shifts(&mut (0..TASKS), engine, Duration::from_micros(200));
            assert_eq!((report.succeeded, report.failed, report.cancelled_tasks), (TASKS, 0, 0), "{engine}");
            assert!(ends.iter().all(|count| *count == 1), "{engine}");
            assert_eq!(job.0.into_inner(), TASKS * (TASKS - 1) / 2, "{engine}");
            for change in &report.changes {
                assert!(change.gain >= 1.1 && change.from != change.to, "{change}");
            }
        }
    }

    #[test]
    fn a_cancellation_ends_all_shifts() {
        let two = NonZeroUsize::new(2).unwrap();
        let (job, engine) = (Sum::default(), Engine::Threads(two));
        let config = Config::new(engine, Cancel::new().unwrap());
        let (cancel, mut count) = (config.cancel.clone(), 0);
        let mut on_event = |event: &Event<Sum>| {
            if let Event::Settled(_) = event {
                count += 1;
                if count == 5_000 {
                    cancel.trigger();
                }
            }
        };
        let run = Run::new(&job, &config, &mut on_event);
        // Without the cancellation, it would never end.
        let mut tasks = (0..u64::MAX).map(|number| number % 100);
        let report = run.in_shifts(&mut tasks, engine, Duration::from_micros(200));
        assert!(report.cancelled && report.succeeded >= 5_000, "{}", report.succeeded);
    }
}
