//! The io_uring engine: threads that each drive a ring with many jobs in flight.
//!
//! Owns: its threads, feeding jobs to the rings.
//! Does not own: the rings ([`haul_io::Uring`]), the queues between workers and supervisor
//! ([`crate::threads::dispatcher`]).

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroUsize;
use std::time::Duration;

use haul_io::{Feed, Io, RingRefused, Uring, UringConfig, reason};
use haul_queue::TryPop;

use crate::config::Config;
use crate::event::Event;
use crate::execute::{Track, Work, execute};
use crate::job::contract::Job;
use crate::job::piece::TraceRow;
use crate::job::source::Source;
use crate::shortage::Shortages;
use crate::stall::StallWatch;
use crate::supervisor::Supervisor;
use crate::threads::dispatcher::Dispatcher;
use crate::threads::recorders::Recorder;
use crate::threads::workers::{self, Shift};

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

pub(crate) fn run<J: Job, S: Source<J::Task>>(
    job: &J,
    supervisor: Supervisor<J, S>,
    config: &Config,
    size: RingSize,
    shortages: &Shortages,
    emit: &mut dyn FnMut(Event<J>),
) -> Shift<J, S> {
    let dispatcher = Dispatcher::new(supervisor, size.rings.get() * size.depth.get());
    let serve = |number, recorder: &Recorder| {
        serve(job, config, size, &dispatcher, Records { number, recorder, shortages })
    };
    let _unparks = config.cancel.unparks_this_thread();
    let watch = StallWatch::new(config.stalled_after);
    match workers::by_threads(&dispatcher, size.rings, serve, watch, shortages, emit) {
        Some(spreads) => Shift { spreads, left: dispatcher.into_supervisor() },
        None => workers::by_this_thread(job, dispatcher, config, emit),
    }
}

/// Where a ring's thread records the times of its work, and what the system refused it.
#[derive(Clone, Copy)]
struct Records<'a> {
    /// The ring's number.
    number: u32,
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
    let Records { number, recorder, shortages } = records;
    let row = |lane| TraceRow::Lane { ring: number, lane };
    let ring = match ring(config, size) {
        Ok(ring) => ring,
        Err(refused) => {
            shortages.note_one("rings", size.rings.get(), refused.to_string());
            return workers::serve(job, config, dispatcher, recorder, row(0));
        }
    };
    dispatcher.add_unparker(ring.unparker());
    let (ring_ref, lanes) = (&ring, Lanes::new(size.depth.get()));
    ring.run(|| {
        if ring.failure().is_some() {
            return Feed::End;
        }
        match dispatcher.try_next() {
            TryPop::Item(work) => {
                let lane = lanes.take();
                let track = Track::of(config, row(lane.number));
                Feed::Job(Box::pin(async move {
                    serve_lane(job, dispatcher, ring_ref, recorder, track, work).await;
                    drop(lane);
                }))
            }
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
        workers::serve(job, config, dispatcher, recorder, row(0));
    }
}

/// The numbers of the lanes of a ring that are free.
struct Lanes(RefCell<BinaryHeap<Reverse<u32>>>);

/// A number that no other lane of the ring has meanwhile.
struct Lane<'a> {
    number: u32,
    lanes: &'a Lanes,
}

impl Lanes {
    fn new(depth: usize) -> Self {
        Self(RefCell::new((0..depth as u32).map(Reverse).collect()))
    }

    /// The lowest free number. A ring has no more lanes than its depth; one beyond would share the last number.
    fn take(&self) -> Lane<'_> {
        let number = self.0.borrow_mut().pop().map_or(u32::MAX, |Reverse(number)| number);
        Lane { number, lanes: self }
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.lanes.0.borrow_mut().push(Reverse(self.number));
    }
}

/// Carries out one piece of work after the other while there is any: a future for each would cost an allocation.
async fn serve_lane<J: Job>(
    job: &J,
    dispatcher: &Dispatcher<J, impl Source<J::Task>>,
    ring: &Uring,
    recorder: &Recorder,
    track: Track<'_>,
    mut work: Work<J>,
) {
    let io = ring.task();
    loop {
        recorder.begin(work.id, io.activity());
        let returned = execute(job, &io, work, track).await;
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
