//! Running a source of tasks to its end.
//!
//! Owns: choosing the engine's loop, falling back where the system refuses it, the beginning and end of the event stream.
//! Does not own: the loops, the order of work ([`crate::supervisor`]).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use haul_io::Cancel;

use crate::supervisor::Supervisor;
use crate::{Engine, Event, Fallback, Job, Report, rings, serial, threads};

/// What a source has.
#[derive(Debug)]
pub enum Next<T> {
    /// A task.
    Task(T),
    /// Nothing now; ask again within milliseconds.
    Later,
    /// Nothing ever.
    End,
}

/// Where tasks come from. Every iterator is one; it is asked only when there is room, so it may be endless.
pub trait Source<T> {
    /// The next task. Should not block: answers are dealt with between the calls.
    fn next(&mut self) -> Next<T>;
}

impl<T, I: Iterator<Item = T>> Source<T> for I {
    fn next(&mut self) -> Next<T> {
        Iterator::next(self).map_or(Next::End, Next::Task)
    }
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which engine.
    pub engine: Engine,
    /// Ends the run early when thrown.
    pub cancel: Cancel,
    /// Counts payload bytes while tasks are still running, for whoever watches.
    pub progress: Arc<AtomicU64>,
}

/// How long the supervisor sleeps at most: answers are told of that late, and a source that has nothing yet is asked that
/// rarely.
pub(crate) const NAP: Duration = Duration::from_millis(10);

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
    match rings::probe(config, depth) {
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
