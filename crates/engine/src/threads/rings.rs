//! The io_uring engine: ring threads, each with many jobs in flight.
//!
//! Owns: its threads, the jobs that a ring is fed with.
//! Does not own: rings ([`haul_io::Uring`]), the dispatcher between them and the supervisor ([`crate::threads::dispatcher`]).

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

/// Whether rings of this depth are to be had.
pub(crate) fn probe(config: &Config, size: (NonZeroUsize, NonZeroUsize)) -> Result<(), RingRefused> {
    ring(config, size).map(drop)
}

pub(crate) fn run<J: Job>(
    job: &J,
    supervisor: Supervisor<J, impl Source<J::Task>>,
    config: &Config,
    size: (NonZeroUsize, NonZeroUsize),
    settled: &mut dyn FnMut(Settled<J>),
) -> Spreads {
    let (rings, depth) = size;
    let dispatcher = Dispatcher::new(supervisor, rings.get() * depth.get());
    std::thread::scope(|scope| {
        let spawn = |_| scope.spawn(|| serve(job, config, size, &dispatcher));
        let threads: Vec<_> = (0..rings.get()).map(spawn).collect();
        let open = dispatcher.open();
        dispatcher.tell_all(settled);
        drop(open);
        workers::merged(threads)
    })
}

/// The life of a ring's thread. One that gets no ring after all does its share by blocking calls.
fn serve<J: Job>(
    job: &J,
    config: &Config,
    size: (NonZeroUsize, NonZeroUsize),
    dispatcher: &Dispatcher<J, impl Source<J::Task>>,
) -> Spreads {
    let Ok(ring) = ring(config, size) else { return workers::serve(job, config, dispatcher) };
    dispatcher.tell(ring.unparker());
    let spreads = RefCell::new(Spreads::default());
    ring.run(|| match dispatcher.try_next() {
        TryPop::Item(work) => Feed::Job(Box::pin(lane(job, dispatcher, ring.task(), &spreads, work))),
        // The dispatcher wakes the ring when there is more.
        TryPop::Empty => Feed::Wait(Duration::MAX),
        TryPop::Closed => Feed::End,
    });
    spreads.into_inner()
}

/// Carries out one piece of work after the other, while there are any: a future for each would have to be allocated.
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
        // Jobs that never wait mustn't keep the others from their completions.
        io.yield_now().await;
        let TryPop::Item(next) = dispatcher.try_next() else { return };
        work = next;
    }
}

fn ring(config: &Config, (rings, depth): (NonZeroUsize, NonZeroUsize)) -> Result<Uring, RingRefused> {
    // Where every core has a ring, pool threads would only take turns with it.
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let pool_threads = cores.saturating_sub(rings.get());
    let uring = UringConfig { in_flight_max: depth.get(), pool_threads, ..UringConfig::default() };
    Uring::new(uring, config.cancel.clone(), config.progress.clone())
}
