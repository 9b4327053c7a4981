//! The threaded engine: worker threads on one bounded ring, one job at a time on each.
//!
//! Owns: its threads, and merging the times that they recorded.
//! Does not own: the rings between workers and supervisor ([`crate::threads::dispatcher`]).

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;

use haul_io::{Blocking, run_ready};

use crate::config::Config;
use crate::event::Settled;
use crate::execute::execute;
use crate::job::contract::Job;
use crate::job::phases::Spreads;
use crate::job::source::Source;
use crate::supervisor::Supervisor;
use crate::threads::dispatcher::Dispatcher;

pub(crate) fn run<J: Job>(
    job: &J,
    supervisor: Supervisor<J, impl Source<J::Task>>,
    config: &Config,
    workers: NonZeroUsize,
    settled: &mut dyn FnMut(Settled<J>),
) -> Spreads {
    let dispatcher = Dispatcher::new(supervisor, workers.get());
    std::thread::scope(|scope| {
        let spawn = |_| scope.spawn(|| serve(job, config, &dispatcher));
        let threads: Vec<_> = (0..workers.get()).map(spawn).collect();
        let guard = dispatcher.close_on_drop();
        dispatcher.report_all(settled);
        drop(guard);
        merged(threads)
    })
}

/// Joins the workers and merges the times that they recorded.
///
/// # Panics
/// With the panic of the source, if the source panicked on a worker.
pub(crate) fn merged(threads: Vec<ScopedJoinHandle<'_, Spreads>>) -> Spreads {
    let mut spreads = Spreads::default();
    for thread in threads {
        match thread.join() {
            Ok(recorded) => spreads.merge(&recorded),
            Err(panic) => resume_unwind(panic),
        }
    }
    spreads
}

/// The body of a worker thread: takes work until there won't be any more.
pub(crate) fn serve<J: Job>(
    job: &J,
    config: &Config,
    dispatcher: &Dispatcher<J, impl Source<J::Task>>,
) -> Spreads {
    let io = Blocking::counting(config.cancel.clone(), config.progress.clone());
    let mut spreads = Spreads::default();
    while let Some(work) = dispatcher.next() {
        let returned = run_ready(execute(job, &io, work));
        spreads.record(&returned.phases);
        dispatcher.answer(returned);
    }
    spreads
}
