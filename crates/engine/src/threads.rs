//! The threaded engine: workers on one bounded ring, a job at a time on each.
//!
//! Owns: its threads.
//! Does not own: the rings ([`crate::desk`]).

use std::num::NonZeroUsize;

use haul_io::{Blocking, run_ready};

use crate::desk::Desk;
use crate::execute::execute;
use crate::supervisor::Supervisor;
use crate::{Config, Job, Settled, Source, Spreads};

pub(crate) fn run<J: Job>(
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
        let open = desk.open();
        desk.supervise(&mut supervisor, settled);
        drop(open);
        let mut spreads = Spreads::default();
        for thread in threads {
            let counted = thread.join().expect("workers catch the panics of their jobs");
            spreads.merge(&counted);
        }
        spreads
    })
}

/// The life of a worker: takes work until there is none.
pub(crate) fn serve<J: Job>(job: &J, config: &Config, desk: &Desk<J>) -> Spreads {
    let io = Blocking::counting(config.cancel.clone(), config.progress.clone());
    let mut spreads = Spreads::default();
    while let Some(work) = desk.work.pop() {
        let returned = run_ready(execute(job, &io, work));
        spreads.record(&returned.phases);
        desk.answer(returned);
    }
    spreads
}
