//! Running a source of tasks to its end.
//!
//! Owns: choosing the engine's loop, falling back where the system refuses it, the beginning and end of the event stream.
//! Does not own: the loops, the order of work ([`crate::supervisor`]).

use std::num::NonZeroUsize;
use std::time::Instant;

use haul_io::{Blocking, Io};

use crate::choice::Engine;
use crate::config::Config;
use crate::event::{Event, Fallback, Report};
use crate::job::contract::Job;
use crate::job::phases::Spreads;
use crate::job::portable::{Portable, WorkerCommand};
use crate::job::source::Source;
use crate::processes::coordinator;
use crate::processes::worker_pool::{Pool, Size};
use crate::serial;
use crate::supervisor::Supervisor;
use crate::threads::rings;
use crate::threads::workers;

/// Does every task of `source` by `job`. Events go to `on_event` as they happen, on the calling thread.
///
/// Returns when every task that was taken from the source has been reported. Memory: at most
/// `17 × in-flight limit` tasks are held at a time, besides what the job itself allocates. Engines of processes need
/// [`run_portable`]; here threads stand in for them.
pub fn run<J: Job>(
    job: &J,
    source: impl Source<J::Task>,
    config: &Config,
    on_event: impl FnMut(&Event<J>),
) -> Report {
    let mut run = Run::new(job, config, on_event);
    let engine = match size_of(config.engine) {
        Some(size) => run.begin_instead(size, "this kind of task stays in one process".to_owned()),
        None => run.begin(),
    };
    let spreads = run.here(source, engine);
    run.end(spreads)
}

/// As [`run`], on engines of processes too, whose workers are started by `worker`. Memory: these hold at most 4096 tasks, and
/// as many slots of 36 KiB in shared memory, of which only what is written to is there.
pub fn run_portable<J: Portable>(
    job: &J,
    source: impl Source<J::Task>,
    config: &Config,
    worker: &WorkerCommand,
    on_event: impl FnMut(&Event<J>),
) -> Report {
    let mut run = Run::new(job, config, on_event);
    let pool = size_of(config.engine).map(|size| {
        let io = Blocking::new(config.cancel.clone());
        (size, Pool::open(job, worker, size, &mut |out| io.random(out)))
    });
    let engine = match pool {
        Some((_, Ok(pool))) => {
            run.emit(Event::Started { engine: config.engine, fallback: None });
            let supervisor = Supervisor::new(source, config.cancel.clone());
            let mut settled = |settled| run.emit(Event::Settled(settled));
            let spreads = coordinator::run(job, supervisor, config, pool, &mut settled);
            return run.end(spreads);
        }
        Some((size, Err(refused))) => run.begin_instead(size, refused.to_string()),
        None => run.begin(),
    };
    let spreads = run.here(source, engine);
    run.end(spreads)
}

/// Processes and threads, where the engine is one of processes.
fn size_of(engine: Engine) -> Option<Size> {
    match engine {
        Engine::Processes(processes) => Some(Size { processes, threads: NonZeroUsize::MIN }),
        Engine::Hybrid { processes, threads } => Some(Size { processes, threads }),
        _ => None,
    }
}

/// One run, and what leaves it.
struct Run<'a, J, F> {
    job: &'a J,
    config: &'a Config,
    started: Instant,
    report: Report,
    on_event: F,
}

impl<'a, J: Job, F: FnMut(&Event<J>)> Run<'a, J, F> {
    fn new(job: &'a J, config: &'a Config, on_event: F) -> Self {
        Self { job, config, started: Instant::now(), report: Report::default(), on_event }
    }

    fn emit(&mut self, event: Event<J>) {
        self.report.record(&event);
        (self.on_event)(&event);
    }

    /// Begins with the engine that was asked for, or the next best one where the system refuses it.
    fn begin(&mut self) -> Engine {
        let (engine, fallback) = granted(self.config);
        self.emit(Event::Started { engine, fallback });
        engine
    }

    /// Begins with threads instead of processes.
    fn begin_instead(&mut self, size: Size, reason: String) -> Engine {
        let engine = Engine::Threads(size.processes.saturating_mul(size.threads));
        let fallback = Some(Fallback { asked: self.config.engine, reason });
        self.emit(Event::Started { engine, fallback });
        engine
    }

    /// Runs in this process.
    fn here(&mut self, source: impl Source<J::Task>, engine: Engine) -> Spreads {
        let (job, config) = (self.job, self.config);
        let supervisor = Supervisor::new(source, config.cancel.clone());
        let mut settled = |settled| self.emit(Event::Settled(settled));
        match engine {
            Engine::Serial => serial::run(job, supervisor, config, &mut settled),
            Engine::Threads(workers) => workers::run(job, supervisor, config, workers, &mut settled),
            Engine::Uring { rings, depth } => {
                rings::run(job, supervisor, config, (rings, depth), &mut settled)
            }
            Engine::Processes(_) | Engine::Hybrid { .. } => {
                unreachable!("threads stand in for processes here")
            }
        }
    }

    fn end(mut self, spreads: Spreads) -> Report {
        let cancelled = self.config.cancel.is_triggered();
        let wall = self.started.elapsed();
        self.emit(Event::Ended { wall, cancelled, spreads: Box::new(spreads) });
        self.report
    }
}

/// The engine that was asked for, or the next best one where the system refuses it.
fn granted(config: &Config) -> (Engine, Option<Fallback>) {
    let Engine::Uring { rings, depth } = config.engine else { return (config.engine, None) };
    match rings::probe(config, (rings, depth)) {
        Ok(()) => (config.engine, None),
        Err(refused) => {
            let workers =
                NonZeroUsize::new(rings.get() * depth.get().min(THREADS_FOR_A_RING)).unwrap_or(rings);
            let fallback = Fallback { asked: config.engine, reason: refused.to_string() };
            (Engine::Threads(workers), Some(fallback))
        }
    }
}

/// Threads that stand in for each ring that is refused.
const THREADS_FOR_A_RING: usize = 16;
