//! Running a source of tasks to its end.
//!
//! Owns: choosing the engine's loop, falling back where the system refuses it, the beginning and end of the event stream.
//! Does not own: the loops, the order of work ([`crate::supervisor`]).

use std::num::NonZeroUsize;
use std::time::Instant;

use crate::supervisor::Supervisor;
use crate::{Config, Engine, Event, Fallback, Job, Report, Source, rings, serial, threads};

/// Does every task of `source` by `job`. Events go to `on_event` as they happen, on the calling thread.
///
/// Returns when every task that was taken from the source has been reported. Memory: at most
/// `17 × in-flight limit` tasks are held at a time, besides what the job itself allocates.
pub fn run<J: Job>(
    job: &J,
    source: impl Source<J::Task>,
    config: &Config,
    mut on_event: impl FnMut(&Event<J>),
) -> Report {
    let started = Instant::now();
    let mut report = Report::default();
    let mut emit = |event: Event<J>| {
        report.record(&event);
        on_event(&event);
    };
    let (engine, fallback) = granted(config);
    emit(Event::Started { engine, fallback });
    let supervisor = Supervisor::new(source, config.cancel.clone());
    let mut settled = |settled| emit(Event::Settled(settled));
    let spreads = match engine {
        Engine::Serial => serial::run(job, supervisor, config, &mut settled),
        Engine::Threads(workers) => threads::run(job, supervisor, config, workers, &mut settled),
        Engine::Uring { rings, depth } => rings::run(job, supervisor, config, (rings, depth), &mut settled),
    };
    let cancelled = config.cancel.is_triggered();
    emit(Event::Ended { wall: started.elapsed(), cancelled, spreads: Box::new(spreads) });
    report
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
