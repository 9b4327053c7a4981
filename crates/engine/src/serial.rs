//! The serial engine: one job at a time, on the calling thread. The oracle for the other engines.
//!
//! Owns: its loop.
//! Does not own: the order of work ([`crate::supervisor`]).

use std::time::{Duration, Instant};

use haul_io::{Blocking, Cancel, run_ready};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::config::Config;
use crate::event::Event;
use crate::execute::execute;
use crate::job::contract::Job;
use crate::job::phases::Spreads;
use crate::job::source::Source;
use crate::stall::LOOK_INTERVAL;
use crate::supervisor::{Ready, Supervisor};

pub(crate) fn run<J: Job>(
    job: &J,
    mut supervisor: Supervisor<J, impl Source<J::Task>>,
    config: &Config,
    emit: &mut dyn FnMut(Event<J>),
) -> Spreads {
    let io = Blocking::counting(config.cancel.clone(), config.progress.clone());
    let mut spreads = Spreads::default();
    loop {
        match supervisor.next(Instant::now()) {
            Ready::Work(work) => {
                let returned = run_ready(execute(job, &io, work));
                spreads.record(&returned.phases);
                supervisor.returned(returned).into_iter().map(Event::Settled).for_each(&mut *emit);
            }
            Ready::Wait => {
                // Nothing is under way, so only the source can change anything.
                let left = |at: Instant| at.saturating_duration_since(Instant::now());
                sleep(&config.cancel, supervisor.asks_again().map_or(LOOK_INTERVAL, left));
            }
            Ready::End => return spreads,
        }
    }
}

/// Sleeps for `time`, at most until `cancel` is triggered.
fn sleep(cancel: &Cancel, time: Duration) {
    if cancel.is_triggered() {
        return;
    }
    // A time that the kernel's type can't hold is as good as none. A signal's interruption costs one call of the
    // source.
    let time = Timespec::try_from(time).ok();
    let _ = poll(&mut [PollFd::new(cancel, PollFlags::IN)], time.as_ref());
}
