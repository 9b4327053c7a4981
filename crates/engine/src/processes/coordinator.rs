//! The engines of processes: worker processes on a lease table, each with one thread or several.
//!
//! Owns: the supervisor's loop: handing out, collecting, what a worker's death means for its work.
//! Does not own: the processes ([`crate::processes::worker_pool`]), what a worker does ([`crate::processes::worker`]), the order of work
//! ([`crate::supervisor`]).

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use haul_io::{Blocking, Io, run_ready};
use haul_queue::lease::{OfferError, Poisoned, SlotId};

use crate::config::Config;
use crate::config::POLL_INTERVAL;
use crate::event::Settled;
use crate::execute::{Answer, Returned, Stage, Work, execute};
use crate::job::contract::{Failure, Step};
use crate::job::phases::{Phases, Spreads};
use crate::job::portable::Portable;
use crate::job::source::Source;
use crate::processes::encoding::from_bytes;
use crate::processes::intent::{Left, look};
use crate::processes::order::{ReplyOf, ReplyValue, order_for};
use crate::processes::worker_pool::{DEATHS_MAX, WorkerPool};
use crate::supervisor::{Ready, Supervisor};

/// While much work waits in the table, the supervisor looks up that often, instead of being woken by every reply.
const POLL_INTERVAL_BUSY: Duration = Duration::from_micros(500);
/// Beyond one worker for each core, more are started no faster than this: starting one costs about a millisecond of
/// processor time, which a short run of tasks that only compute would never get back.
const START_PAUSE: Duration = Duration::from_millis(2);
/// How often, at most, it looks whether a worker has died.
const WATCH: Duration = Duration::from_millis(2);

pub(crate) fn run<J: Portable>(
    job: &J,
    mut supervisor: Supervisor<J, impl Source<J::Task>>,
    config: &Config,
    pool: WorkerPool,
    settled: &mut dyn FnMut(Settled<J>),
) -> Spreads {
    let mut coordinator = Coordinator {
        job,
        config,
        io: Blocking::new(pool.never.clone()),
        pool,
        out: HashMap::new(),
        returned: Vec::new(),
        told_to_stop: false,
        watched: Instant::now(),
        started: Instant::now(),
        cores: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
    };
    let mut spreads = Spreads::default();
    loop {
        if coordinator.hand_out(&mut supervisor) {
            return spreads;
        }
        coordinator.start_workers();
        coordinator.wait();
        coordinator.collect();
        for returned in coordinator.returned.drain(..) {
            spreads.record(&returned.phases);
            supervisor.returned(returned).map(&mut *settled);
        }
    }
}

struct Coordinator<'a, J: Portable> {
    job: &'a J,
    config: &'a Config,
    /// For what the supervisor does itself: joining and undoing, which go on when the run is cancelled.
    io: Blocking,
    pool: WorkerPool,
    /// What lies in the table.
    out: HashMap<SlotId, Work<J>>,
    /// What has come back and was not passed on.
    returned: Vec<Returned<J>>,
    told_to_stop: bool,
    watched: Instant,
    /// When a worker was started last.
    started: Instant,
    cores: usize,
}

impl<J: Portable> Coordinator<'_, J> {
    /// Hands out what there is room for; whether every task has ended.
    fn hand_out(&mut self, supervisor: &mut Supervisor<J, impl Source<J::Task>>) -> bool {
        if self.config.cancel.is_triggered() && !self.told_to_stop {
            self.told_to_stop = true;
            self.stop();
        }
        while self.out.len() < self.pool.table.slot_count() && self.returned.is_empty() {
            match supervisor.next(Instant::now()) {
                Ready::Work(work) => self.offer(work),
                Ready::Wait => break,
                Ready::End => return true,
            }
        }
        false
    }

    fn offer(&mut self, work: Work<J>) {
        if let Stage::Finish { succeeded: false, .. } = work.stage {
            // Undoing is little work, and this process holds all that it takes.
            return self.returned.push(run_ready(execute(self.job, &self.io, work)));
        }
        if !self.pool.has_members() {
            return self.give_up(work, &[], Failure::NoWorker);
        }
        let order = order_for(self.job, &work, &mut |out| self.io.random(out));
        match self.pool.table.offer(&order) {
            Ok(slot) => drop(self.out.insert(slot, work)),
            // Names beyond what any system takes: the job says so.
            Err(OfferError::TooLong { .. }) => {
                self.returned.push(run_ready(execute(self.job, &self.io, work)));
            }
            Err(error) => unreachable!("there is room in an open table: {error}"),
        }
    }

    /// The run was cancelled: takes back what no worker has begun, but for what ends a task.
    fn stop(&mut self) {
        self.pool.cancel();
        for slot in self.pool.table.withdraw() {
            let work = self.out.remove(&slot).expect("what was offered is known");
            match work.stage {
                Stage::Finish { .. } => self.offer(work),
                Stage::Start | Stage::Part { .. } => self.returned.push(failed(work, Failure::Cancelled)),
            }
        }
    }

    /// Starts workers while there is more work than those who are there can be doing.
    fn start_workers(&mut self) {
        loop {
            let (started, of) = self.pool.started();
            let per_worker = self.pool.capacity() / of;
            let is_wanted = started < of && self.out.len() > started * per_worker && !self.told_to_stop;
            if !is_wanted || started >= self.cores && self.started.elapsed() < START_PAUSE {
                return;
            }
            self.started = Instant::now();
            // The first could be started. If others can't, those who are there do the work.
            if self.pool.start_one().is_err() {
                return;
            }
        }
    }

    fn wait(&mut self) {
        if !self.returned.is_empty() {
            return;
        }
        if self.out.len() > 3 * self.pool.capacity() {
            std::thread::sleep(POLL_INTERVAL_BUSY);
        } else {
            self.pool.table.wait(POLL_INTERVAL);
        }
    }

    fn collect(&mut self) {
        for finished in self.pool.table.collect() {
            self.pool.is_fruitful();
            let work = self.out.remove(&finished.slot).expect("what was offered is known");
            let returned = self.returned_of(work, &finished.outcome);
            self.returned.push(returned);
        }
        if self.watched.elapsed() >= WATCH {
            self.watched = Instant::now();
            self.reap();
        }
    }

    fn reap(&mut self) {
        for owner in self.pool.reap() {
            for Poisoned { slot, intent } in self.pool.table.reap(owner).poisoned {
                self.pool.is_fruitful();
                let work = self.out.remove(&slot).expect("what was offered is known");
                self.give_up(work, &intent, Failure::WorkersDied { count: DEATHS_MAX });
            }
            self.pool.replace(owner);
            if self.told_to_stop {
                self.pool.cancel();
            }
        }
        if !self.pool.has_members() {
            for slot in self.pool.table.withdraw() {
                let work = self.out.remove(&slot).expect("what was offered is known");
                self.give_up(work, &[], Failure::NoWorker);
            }
        }
    }

    /// Ends `work` that no worker will do, and leaves nothing of it lying about; unless it was done after all.
    fn give_up(&mut self, work: Work<J>, note: &[u8], failure: Failure<J::Error>) {
        let left = run_ready(look(&self.io, note));
        let outcome = match (left, self.job.half_done()) {
            (Ok(Left::Published), _) => {
                run_ready(self.job.published(&self.io, &work.task)).map_err(Failure::Job)
            }
            (Ok(Left::HalfDone), Some(error)) => Err(Failure::Job(error)),
            _ => Err(failure),
        };
        let returned = match outcome {
            Ok(output) => done(work, output),
            Err(failure) => self.undone(work, failure),
        };
        self.returned.push(returned);
    }

    /// The failure of `work`, of which nothing is left.
    fn undone(&self, work: Work<J>, failure: Failure<J::Error>) -> Returned<J> {
        if let Stage::Finish { state, .. } = &work.stage {
            // The failure at hand says more than one of clearing away.
            let _ = run_ready(self.job.finish(&self.io, &work.task, state, false));
        }
        failed(work, failure)
    }

    /// What a worker's reply to `work` means.
    fn returned_of(&self, work: Work<J>, reply: &[u8]) -> Returned<J> {
        if let Stage::Part { state, .. } = &work.stage {
            self.job.part_returned(state);
        }
        let Some(reply) = from_bytes::<ReplyOf<J>>(reply) else {
            return failed(work, Failure::Panicked("a worker's reply can't be read".to_owned()));
        };
        let mut returned = match reply.result {
            Err(failure) => self.undone(work, failure.into()),
            Ok(ReplyValue::Output(output)) => done(work, output),
            Ok(ReplyValue::Part) => Returned {
                id: work.id,
                answer: Answer::PartDone(Ok(())),
                phases: Phases::default(),
                bytes: 0,
            },
            Ok(ReplyValue::Again) => started(work, Step::Again),
            Ok(ReplyValue::Split { token, parts }) => {
                match run_ready(self.job.join(&self.io, &work.task, token)) {
                    Err(error) => failed(work, Failure::Job(error)),
                    Ok(state) => started(work, Step::Split { state: Arc::new(state), parts }),
                }
            }
        };
        (returned.phases, returned.bytes) = (reply.phases, reply.bytes);
        self.config.progress.fetch_add(reply.bytes, std::sync::atomic::Ordering::Relaxed);
        returned
    }
}

fn started<J: Portable>(work: Work<J>, step: Step<J::State, J::Output>) -> Returned<J> {
    Returned { id: work.id, answer: Answer::Started(Ok(step)), phases: Phases::default(), bytes: 0 }
}

fn done<J: Portable>(work: Work<J>, output: J::Output) -> Returned<J> {
    let answer = match work.stage {
        Stage::Start => Answer::Started(Ok(Step::Done(output))),
        Stage::Part { .. } => Answer::PartDone(Ok(())),
        Stage::Finish { .. } => Answer::Finished(Ok(output)),
    };
    Returned { id: work.id, answer, phases: Phases::default(), bytes: 0 }
}

fn failed<J: Portable>(work: Work<J>, failure: Failure<J::Error>) -> Returned<J> {
    let answer = match work.stage {
        Stage::Start => Answer::Started(Err(failure)),
        Stage::Part { .. } => Answer::PartDone(Err(failure)),
        Stage::Finish { .. } => Answer::Finished(Err(failure)),
    };
    Returned { id: work.id, answer, phases: Phases::default(), bytes: 0 }
}
