//! The serial engine: one job at a time, on the calling thread. The oracle for the other engines.
//!
//! Owns: its loop.
//! Does not own: the order of work ([`crate::supervisor`]).

use std::time::Instant;

use haul_io::{Blocking, run_ready};

use crate::config::{Config, POLL_INTERVAL};
use crate::event::Event;
use crate::execute::execute;
use crate::job::contract::Job;
use crate::job::phases::Spreads;
use crate::job::source::Source;
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
            Ready::Wait => std::thread::sleep(POLL_INTERVAL),
            Ready::End => return spreads,
        }
    }
}
