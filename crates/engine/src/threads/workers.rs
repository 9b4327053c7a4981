//! The threaded engine: worker threads on one bounded ring, one job at a time on each.
//!
//! Owns: its threads, and going on with fewer if the system refuses some.
//! Does not own: the rings between workers and supervisor ([`crate::threads::dispatcher`]).

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;

use haul_io::{Blocking, reason, run_ready};

use crate::config::Config;
use crate::event::Event;
use crate::execute::{Track, execute};
use crate::job::contract::Job;
use crate::job::phases::Spreads;
use crate::job::piece::TraceRow;
use crate::job::source::Source;
use crate::serial;
use crate::shortage::Shortages;
use crate::stall::StallWatch;
use crate::supervisor::Supervisor;
use crate::threads::dispatcher::Dispatcher;
use crate::threads::recorders::{Recorder, Recorders, RunningKey};

/// What an engine did.
pub(crate) struct Shift<J: Job, S> {
    pub(crate) spreads: Spreads,
    /// The supervisor, for another engine to go on with; none after a panic.
    pub(crate) left: Option<Supervisor<J, S>>,
}

pub(crate) fn run<J: Job, S: Source<J::Task>>(
    job: &J,
    supervisor: Supervisor<J, S>,
    config: &Config,
    workers: NonZeroUsize,
    shortages: &Shortages,
    emit: &mut dyn FnMut(Event<J>),
) -> Shift<J, S> {
    let dispatcher = Dispatcher::new(supervisor, workers.get());
    let serve =
        |number, recorder: &Recorder| serve(job, config, &dispatcher, recorder, TraceRow::Thread(number));
    let _unparks = config.cancel.unparks_this_thread();
    let watch = StallWatch::new(config.stalled_after);
    match by_threads(&dispatcher, workers, serve, watch, shortages, emit) {
        Some(spreads) => Shift { spreads, left: dispatcher.into_supervisor() },
        None => by_this_thread(job, dispatcher, config, emit),
    }
}

/// Has up to `count` threads run `serve`, each with its number, while the calling thread reports the ends of tasks. If
/// the system refuses a thread, the threads before it do the work; `None` if it refuses even the first.
pub(crate) fn by_threads<J: Job, S: Source<J::Task>>(
    dispatcher: &Dispatcher<J, S>,
    count: NonZeroUsize,
    serve: impl Fn(u32, &Recorder) + Send + Copy,
    watch: StallWatch<RunningKey>,
    shortages: &Shortages,
    emit: &mut dyn FnMut(Event<J>),
) -> Option<Spreads> {
    let recorders = Recorders::for_workers(count);
    let did_work = std::thread::scope(|scope| {
        // However this ends, no thread waits for ever.
        let guard = dispatcher.close_on_drop();
        let mut threads = Vec::new();
        while threads.len() < count.get() {
            let (number, recorder) = (threads.len() as u32, recorders.of(threads.len()));
            match std::thread::Builder::new().spawn_scoped(scope, move || serve(number, recorder)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    shortages.note("threads", count.get(), threads.len(), reason(&error));
                    break;
                }
            }
        }
        if threads.is_empty() {
            return false;
        }
        dispatcher.report_all(&recorders, watch, emit);
        drop(guard);
        join(threads);
        true
    });
    did_work.then(|| recorders.into_spreads())
}

/// Does all the work on the calling thread, after the system has refused every other.
pub(crate) fn by_this_thread<J: Job, S: Source<J::Task>>(
    job: &J,
    dispatcher: Dispatcher<J, S>,
    config: &Config,
    emit: &mut dyn FnMut(Event<J>),
) -> Shift<J, S> {
    let Some(mut supervisor) = dispatcher.into_supervisor() else {
        unreachable!("no worker has touched the supervisor");
    };
    supervisor.end_shift_at(None);
    let spreads = serial::run(job, &mut supervisor, config, emit);
    Shift { spreads, left: Some(supervisor) }
}

/// Joins the workers.
///
/// # Panics
/// With the panic of the source, if the source panicked on a worker.
fn join(threads: Vec<ScopedJoinHandle<'_, ()>>) {
    for thread in threads {
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
    }
}

/// The body of a worker thread: takes work until there won't be any more.
pub(crate) fn serve<J: Job>(
    job: &J,
    config: &Config,
    dispatcher: &Dispatcher<J, impl Source<J::Task>>,
    recorder: &Recorder,
    row: TraceRow,
) {
    let track = Track::of(config, row);
    let io = Blocking::counting(config.cancel.clone(), config.progress.clone());
    while let Some(work) = dispatcher.next() {
        recorder.begin(work.id, io.activity());
        let returned = run_ready(execute(job, &io, work, track));
        recorder.end(io.activity(), &returned.phases);
        dispatcher.answer(returned);
    }
}
