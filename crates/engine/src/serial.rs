//! The serial engine: one job at a time, on the calling thread. The oracle for the other engines.
//!
//! Owns: its loop.
//! Does not own: the order of work ([`crate::supervisor`]).

use std::time::Instant;

use haul_io::{Blocking, Cancel, run_ready};

use crate::config::Config;
use crate::event::Event;
use crate::execute::{Track, execute};
use crate::job::contract::Job;
use crate::job::phases::Spreads;
use crate::job::piece::TraceRow;
use crate::job::source::Source;
use crate::job::waker::thread_waker;
use crate::supervisor::{Ready, Supervisor};

pub(crate) fn run<J: Job>(
    job: &J,
    supervisor: &mut Supervisor<J, impl Source<J::Task>>,
    config: &Config,
    emit: &mut dyn FnMut(Event<J>),
) -> Spreads {
    let io = Blocking::counting(config.cancel.clone(), config.progress.clone());
    let track = Track::of(config, TraceRow::Caller);
    let mut spreads = Spreads::default();
    let _unparks = config.cancel.unparks_this_thread();
    supervisor.set_waker(thread_waker());
    loop {
        match supervisor.next(Instant::now()) {
            Ready::Work(work) => {
                let returned = run_ready(execute(job, &io, work, track));
                spreads.record(&returned.phases);
                supervisor.returned(returned).into_iter().map(Event::Settled).for_each(&mut *emit);
            }
            Ready::Wait => {
                // Nothing is under way, so only the source can change anything.
                sleep(&config.cancel, supervisor.asks_again());
            }
            Ready::End => return spreads,
        }
    }
}

/// Sleeps until the source or `cancel` unparks this thread, at most until `until`.
fn sleep(cancel: &Cancel, until: Option<Instant>) {
    if cancel.is_triggered() {
        return;
    }
    match until {
        Some(until) => std::thread::park_timeout(until.saturating_duration_since(Instant::now())),
        None => std::thread::park(),
    }
}
