//! The io_uring engine: threads that each drive a ring with many jobs in flight.
//!
//! Owns: its threads, feeding jobs to the rings.
//! Does not own: the rings ([`haul_io::Uring`]), the queues between workers and supervisor
//! ([`crate::threads::dispatcher`]).

use std::num::NonZeroUsize;
use std::time::Duration;

use haul_io::{Feed, Io, RingRefused, Uring, UringConfig, reason};
use haul_queue::TryPop;

use crate::config::Config;
use crate::event::Event;
use crate::execute::{Work, execute};
use crate::job::contract::Job;
use crate::job::phases::Spreads;
use crate::job::source::Source;
use crate::shortage::Shortages;
use crate::stall::StallWatch;
use crate::supervisor::Supervisor;
use crate::threads::dispatcher::Dispatcher;
use crate::threads::recorders::Recorder;
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
    shortages: &Shortages,
    emit: &mut dyn FnMut(Event<J>),
) -> Spreads {
    let dispatcher = Dispatcher::new(supervisor, size.rings.get() * size.depth.get());
    let serve = |recorder: &Recorder| serve(job, config, size, &dispatcher, Records { recorder, shortages });
    let _unparks = config.cancel.unparks_this_thread();
    let watch = StallWatch::new(config.stalled_after);
    match workers::by_threads(&dispatcher, size.rings, serve, watch, shortages, emit) {
        Some(spreads) => spreads,
        None => workers::by_this_thread(job, dispatcher, config, emit),
    }
}

/// Where a ring's thread records the times of its work, and what the system refused it.
#[derive(Clone, Copy)]
struct Records<'a> {
    recorder: &'a Recorder,
    shortages: &'a Shortages,
}

/// The body of a ring's thread. If the system refuses this thread a ring after all, or refuses in the middle of the run
/// to enter it, the thread works by blocking calls.
fn serve<J: Job>(
    job: &J,
    config: &Config,
    size: RingSize,
    dispatcher: &Dispatcher<J, impl Source<J::Task>>,
    records: Records<'_>,
) {
    let Records { recorder, shortages } = records;
    let ring = match ring(config, size) {
        Ok(ring) => ring,
        Err(refused) => {
            shortages.note_one("rings", size.rings.get(), refused.to_string());
            return workers::serve(job, config, dispatcher, recorder);
        }
    };
    dispatcher.add_unparker(ring.unparker());
    ring.run(|| {
        if ring.failure().is_some() {
            return Feed::End;
        }
        match dispatcher.try_next() {
            TryPop::Item(work) => Feed::Job(Box::pin(lane(job, dispatcher, &ring, recorder, work))),
            // The dispatcher unparks the ring when there is new work.
            TryPop::Empty => Feed::Wait(Duration::MAX),
            TryPop::Closed => Feed::End,
        }
    });
    if ring.kernel_workers_refused() {
        let wanted = UringConfig::default().kernel_workers_max as usize;
        shortages.note("kernel workers", wanted, 0, "the kernel could not start one".to_owned());
    }
    if let Some((granted, error)) = ring.pool_thread_refused() {
        shortages.note("pool threads", granted + 1, granted, reason(&error));
    }
    if let Some(failure) = ring.failure() {
        shortages.note_one("rings", size.rings.get(), reason(&failure));
        drop(ring);
        workers::serve(job, config, dispatcher, recorder);
    }
}

/// Carries out one piece of work after the other while there is any: a future for each would cost an allocation.
async fn lane<J: Job>(
    job: &J,
    dispatcher: &Dispatcher<J, impl Source<J::Task>>,
    ring: &Uring,
    recorder: &Recorder,
    mut work: Work<J>,
) {
    let io = ring.task();
    loop {
        recorder.begin(work.id, io.activity());
        let returned = execute(job, &io, work).await;
        recorder.end(io.activity(), &returned.phases);
        dispatcher.answer(returned);
        if ring.failure().is_some() {
            return dispatcher.settle_answers();
        }
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
