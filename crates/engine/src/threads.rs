//! The threaded engine: workers on one bounded ring, a job at a time on each.
//!
//! Owns: its threads.
//! Does not own: the rings ([`crate::desk`]).

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;

use haul_io::{Blocking, run_ready};

use crate::desk::Desk;
use crate::execute::execute;
use crate::supervisor::Supervisor;
use crate::{Config, Job, Settled, Source, Spreads};

pub(crate) fn run<J: Job>(
    job: &J,
    supervisor: Supervisor<J, impl Source<J::Task>>,
    config: &Config,
    workers: NonZeroUsize,
    settled: &mut dyn FnMut(Settled<J>),
) -> Spreads {
    let desk = Desk::new(supervisor, workers.get());
    std::thread::scope(|scope| {
        let spawn = |_| scope.spawn(|| serve(job, config, &desk));
        let threads: Vec<_> = (0..workers.get()).map(spawn).collect();
        let open = desk.open();
        desk.tell_all(settled);
        drop(open);
        merged(threads)
    })
}

/// What workers counted, once they have ended.
///
/// # Panics
/// With the panic of the source, if that happened on a worker.
pub(crate) fn merged(threads: Vec<ScopedJoinHandle<'_, Spreads>>) -> Spreads {
    let mut spreads = Spreads::default();
    for thread in threads {
        match thread.join() {
            Ok(counted) => spreads.merge(&counted),
            Err(panic) => resume_unwind(panic),
        }
    }
    spreads
}

/// The life of a worker: takes work until there is none.
pub(crate) fn serve<J: Job>(job: &J, config: &Config, desk: &Desk<J, impl Source<J::Task>>) -> Spreads {
    let io = Blocking::counting(config.cancel.clone(), config.progress.clone());
    let mut spreads = Spreads::default();
    while let Some(work) = desk.next() {
        let returned = run_ready(execute(job, &io, work));
        spreads.record(&returned.phases);
        desk.answer(returned);
    }
    spreads
}
