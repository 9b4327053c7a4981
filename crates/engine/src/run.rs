//! Running a source of tasks to its end.
//!
//! Owns: the loops of the serial and the threaded engine, the beginning and end of the event stream.
//! Does not own: the order of work ([`crate::supervisor`]).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::Thread;
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

/// How long the supervisor sleeps at most: answers are told of that late, and a source that has nothing yet is asked that
/// rarely.
const NAP: Duration = Duration::from_millis(10);

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
            Ready::Wait => std::thread::sleep(NAP),
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
    let desk = Desk::new(workers.get());
    std::thread::scope(|scope| {
        let spawn = |_| scope.spawn(|| serve(job, config, &desk));
        let threads: Vec<_> = (0..workers.get()).map(spawn).collect();
        supervise(&mut supervisor, &desk, settled);
        desk.work.close();
        let mut spreads = Spreads::default();
        for thread in threads {
            let counted = thread.join().expect("workers catch the panics of their jobs");
            spreads.merge(&counted);
        }
        spreads
    })
}

/// What lies between the supervisor and its workers.
struct Desk<J: Job> {
    work: Ring<Work<J>>,
    answers: Ring<Returned<J>>,
    /// Work that may be out at a time. No more than either ring holds, so nobody ever waits to push.
    out_max: usize,
    workers: usize,
    supervisor: Thread,
}

impl<J: Job> Desk<J> {
    fn new(workers: usize) -> Self {
        let out_max = workers * (1 + QUEUED_PER_WORKER);
        let (work, answers) = (Ring::with_capacity(out_max), Ring::with_capacity(out_max));
        Self { work, answers, out_max, workers, supervisor: std::thread::current() }
    }

    /// Gives an answer back. The supervisor is woken only where something depends on it: waking it for every small task
    /// costs more than the task.
    fn answer(&self, returned: Returned<J>) {
        if self.answers.push(returned).is_err() {
            unreachable!("answers are taken until every worker has ended");
        }
        if self.work.len() <= 2 * self.workers || self.answers.len() >= self.out_max / 2 {
            self.supervisor.unpark();
        }
    }
}

/// The life of a worker: takes work until there is none.
fn serve<J: Job>(job: &J, config: &Config, desk: &Desk<J>) -> Spreads {
    let io = Blocking::counting(config.cancel.clone(), config.progress.clone());
    let mut spreads = Spreads::default();
    while let Some(work) = desk.work.pop() {
        let returned = execute(job, &io, work);
        spreads.record(&returned.phases);
        desk.answer(returned);
    }
    spreads
}

fn supervise<J: Job>(
    supervisor: &mut Supervisor<J, impl Source<J::Task>>,
    desk: &Desk<J>,
    settled: &mut dyn FnMut(Settled<J>),
) {
    loop {
        while supervisor.in_flight() < desk.out_max {
            match supervisor.next() {
                Ready::Work(ready) => {
                    if desk.work.push(ready).is_err() {
                        unreachable!("the ring is closed after the last task");
                    }
                }
                Ready::Wait => break,
                Ready::End => return,
            }
        }
        let mut answer = desk.answers.try_pop();
        if matches!(answer, TryPop::Empty) {
            std::thread::park_timeout(NAP);
            answer = desk.answers.try_pop();
        }
        while let TryPop::Item(returned) = answer {
            supervisor.returned(returned).map(&mut *settled);
            answer = desk.answers.try_pop();
        }
    }
}
