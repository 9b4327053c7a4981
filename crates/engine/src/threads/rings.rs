//! The io_uring engine: threads that each drive a ring with many jobs in flight.
//!
//! Owns: its threads, feeding jobs to the rings.
//! Does not own: the rings ([`haul_io::Uring`]), the queues between workers and supervisor
//! ([`crate::threads::dispatcher`]).

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::time::Duration;

use haul_io::{Feed, Io, RingRefused, TaskIo, Uring, UringConfig};
use haul_queue::TryPop;

use crate::config::Config;
use crate::event::Settled;
use crate::execute::{Work, execute};
use crate::job::contract::Job;
use crate::job::phases::Spreads;
use crate::job::source::Source;
use crate::supervisor::Supervisor;
use crate::threads::dispatcher::Dispatcher;
use crate::threads::workers;

/// How many rings, and how many jobs in flight on each.
#[derive(Clone, Copy)]
pub(crate) struct RingSize {
    pub(crate) rings: NonZeroUsize,
    pub(crate) depth: NonZeroUsize,
}

/// Checks that the system grants a ring of this size.
pub(crate) fn probe(config: &Config, size: RingSize) -> Result<(), RingRefused> {
    ring(config, size).map(drop)
}

pub(crate) fn run<J: Job>(
    job: &J,
    supervisor: Supervisor<J, impl Source<J::Task>>,
    config: &Config,
    size: RingSize,
    settled: &mut dyn FnMut(Settled<J>),
) -> Spreads {
    let dispatcher = Dispatcher::new(supervisor, size.rings.get() * size.depth.get());
    std::thread::scope(|scope| {
        let spawn = |_| scope.spawn(|| serve(job, config, size, &dispatcher));
        let threads: Vec<_> = (0..size.rings.get()).map(spawn).collect();
        let guard = dispatcher.close_on_drop();
        dispatcher.report_all(settled);
        drop(guard);
        workers::merged(threads)
    })
}

/// The body of a ring's thread. If the system refuses this thread a ring after all, the thread works by blocking calls.
fn serve<J: Job>(
    job: &J,
    config: &Config,
    size: RingSize,
    dispatcher: &Dispatcher<J, impl Source<J::Task>>,
) -> Spreads {
    let Ok(ring) = ring(config, size) else { return workers::serve(job, config, dispatcher) };
    dispatcher.add_unparker(ring.unparker());
    let spreads = RefCell::new(Spreads::default());
    ring.run(|| match dispatcher.try_next() {
        TryPop::Item(work) => Feed::Job(Box::pin(lane(job, dispatcher, ring.task(), &spreads, work))),
        // The dispatcher unparks the ring when there is new work.
        TryPop::Empty => Feed::Wait(Duration::MAX),
        TryPop::Closed => Feed::End,
    });
    spreads.into_inner()
}

/// Carries out one piece of work after the other while there is any: a future for each would cost an allocation.
async fn lane<J: Job>(
    job: &J,
    dispatcher: &Dispatcher<J, impl Source<J::Task>>,
    io: TaskIo,
    spreads: &RefCell<Spreads>,
    mut work: Work<J>,
) {
    loop {
        let returned = execute(job, &io, work).await;
        spreads.borrow_mut().record(&returned.phases);
        dispatcher.answer(returned);
        // A job that never waits must not keep the other lanes from their completions.
        io.yield_now().await;
        let TryPop::Item(next) = dispatcher.try_next() else { return };
        work = next;
    }
}

fn ring(config: &Config, size: RingSize) -> Result<Uring, RingRefused> {
    // If every core has a ring, pool threads would only compete with them.
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let pool_threads = cores.saturating_sub(size.rings.get());
    let uring = UringConfig { in_flight_max: size.depth.get(), pool_threads, ..UringConfig::default() };
    Uring::new(uring, config.cancel.clone(), config.progress.clone())
}
