//! Running a source of tasks to its end.
//!
//! Owns: the loops of the serial and the threaded engine, the beginning and end of the event stream.
//! Does not own: the order of work ([`crate::supervisor`]).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use haul_io::{Blocking, Cancel};
use haul_queue::{Ring, TryPop};

use crate::execute::{Returned, Work, execute};
use crate::supervisor::{Ready, Supervisor};
use crate::{Engine, Event, Job, Report, Settled, Spreads};

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

/// Pieces of work that wait on the ring for each worker, so that none idles while the supervisor is busy.
const QUEUED_PER_WORKER: usize = 16;

/// How long the supervisor sleeps at most while the source has nothing yet.
const SOURCE_NAP: Duration = Duration::from_millis(10);

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
    emit(Event::Started { engine: config.engine });
    let supervisor = Supervisor::new(source, config.cancel.clone());
    let mut settled = |settled| emit(Event::Settled(settled));
    let spreads = match config.engine {
        Engine::Serial => run_serial(job, supervisor, config, &mut settled),
        Engine::Threads(workers) => run_threads(job, supervisor, config, workers, &mut settled),
    };
    let cancelled = config.cancel.is_triggered();
    emit(Event::Ended { wall: started.elapsed(), cancelled, spreads: Box::new(spreads) });
    report
}

fn run_serial<J: Job>(
    job: &J,
    mut supervisor: Supervisor<J, impl Source<J::Task>>,
    config: &Config,
    settled: &mut dyn FnMut(Settled<J>),
) -> Spreads {
    let io = Blocking::counting(config.cancel.clone(), config.progress.clone());
    let mut spreads = Spreads::default();
    loop {
        match supervisor.next() {
            Ready::Work(work) => {
                let returned = execute(job, &io, work);
                spreads.record(&returned.phases);
                supervisor.returned(returned).map(&mut *settled);
            }
            Ready::Wait => std::thread::sleep(SOURCE_NAP),
            Ready::End => return spreads,
        }
    }
}

fn run_threads<J: Job>(
    job: &J,
    mut supervisor: Supervisor<J, impl Source<J::Task>>,
    config: &Config,
    workers: NonZeroUsize,
    settled: &mut dyn FnMut(Settled<J>),
) -> Spreads {
    // No more work is out than either ring holds, so neither a worker nor the supervisor ever waits to push.
    let out_max = workers.get() * (1 + QUEUED_PER_WORKER);
    let work: Ring<Work<J>> = Ring::with_capacity(out_max);
    let answers: Ring<Returned<J>> = Ring::with_capacity(out_max);
    std::thread::scope(|scope| {
        let spawn = |_| scope.spawn(|| serve(job, config, &work, &answers));
        let threads: Vec<_> = (0..workers.get()).map(spawn).collect();
        supervise(&mut supervisor, out_max, &work, &answers, settled);
        work.close();
        let mut spreads = Spreads::default();
        for thread in threads {
            let counted = thread.join().expect("workers catch the panics of their jobs");
            spreads.merge(&counted);
        }
        spreads
    })
}

/// The life of a worker: takes work until there is none.
fn serve<J: Job>(job: &J, config: &Config, work: &Ring<Work<J>>, answers: &Ring<Returned<J>>) -> Spreads {
    let io = Blocking::counting(config.cancel.clone(), config.progress.clone());
    let mut spreads = Spreads::default();
    while let Some(work) = work.pop() {
        let returned = execute(job, &io, work);
        spreads.record(&returned.phases);
        if answers.push(returned).is_err() {
            unreachable!("answers are taken until every worker has ended");
        }
    }
    spreads
}

fn supervise<J: Job>(
    supervisor: &mut Supervisor<J, impl Source<J::Task>>,
    out_max: usize,
    work: &Ring<Work<J>>,
    answers: &Ring<Returned<J>>,
    settled: &mut dyn FnMut(Settled<J>),
) {
    loop {
        while supervisor.in_flight() < out_max {
            match supervisor.next() {
                Ready::Work(ready) => {
                    if work.push(ready).is_err() {
                        unreachable!("the ring is closed after the last task");
                    }
                }
                Ready::Wait => break,
                Ready::End => return,
            }
        }
        let mut answer = answers.pop_timeout(SOURCE_NAP);
        while let TryPop::Item(returned) = answer {
            supervisor.returned(returned).map(&mut *settled);
            answer = answers.try_pop();
        }
    }
}
