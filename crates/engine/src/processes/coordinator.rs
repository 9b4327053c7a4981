//! The loop of the process that supervises worker processes.
//!
//! Owns: handing out work, collecting replies, deciding what a worker's death means for its work.
//! Does not own: the processes ([`crate::processes::worker_pool`]), what a worker does ([`crate::processes::worker`]),
//! the order of work ([`crate::supervisor`]).

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use haul_io::{Blocking, Io, run_ready};
use haul_queue::lease::{OfferError, Poisoned, SlotId};

use crate::config::{Config, POLL_INTERVAL};
use crate::event::Event;
use crate::execute::{Answer, Returned, Stage, Track, Work, catch, execute};
use crate::job::contract::{Failure, Outcome, Step};
use crate::job::phases::Spreads;
use crate::job::piece::TraceRow;
use crate::job::portable::Portable;
use crate::job::source::Source;
use crate::processes::answers::{abandon, done, failed, is_undoing, joined, of_last_attempt, part, started};
use crate::processes::encoding::from_bytes;
use crate::processes::order::{ReplyOf, ReplyValue, order_for, record};
use crate::processes::sentry::alarm_waker;
use crate::processes::suspect::{Alone, Suspect};
use crate::processes::watch::ProcessWatch;
use crate::processes::worker_pool::{DEATHS_MAX, WorkerPool};
use crate::stall::{LOOK_INTERVAL, Stall, StalledWorker};
use crate::supervisor::{Ready, Supervisor};

/// The time from the reply that wakes the supervisor until it collects, while much work waits in the table: what is
/// replied meanwhile wakes it no more.
const BATCH_TIME: Duration = Duration::from_micros(500);
/// The pause between two starts of workers beyond one for each core. Starting one costs about a millisecond of
/// processor time, which a short run of compute-bound tasks would never get back.
const START_PAUSE: Duration = Duration::from_millis(2);

/// The result of [`run`].
pub(crate) struct Ran<J: Portable, S> {
    pub(crate) spreads: Spreads,
    /// The rest of the run, if the worker processes turned out to die whatever they run.
    pub(crate) left: Option<Supervisor<J, S>>,
}

pub(crate) fn run<J: Portable, S: Source<J::Task>>(
    job: &J,
    mut supervisor: Supervisor<J, S>,
    config: &Config,
    pool: WorkerPool,
    emit: &mut dyn FnMut(Event<J>),
) -> Ran<J, S> {
    let now = Instant::now();
    let mut coordinator = Coordinator {
        job,
        config,
        io: Blocking::new(pool.never.clone()),
        pool,
        offered: HashMap::new(),
        suspects: VecDeque::new(),
        alone: None,
        returned: Vec::new(),
        given_back: Vec::new(),
        watch: ProcessWatch::new(config.stalled_after),
        stalls: Vec::new(),
        cancel_sent: false,
        last_look: now,
        next_start: now,
        asks_again: None,
        cores: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
    };
    coordinator.pool.watch(&config.cancel);
    supervisor.set_waker(alarm_waker(coordinator.pool.table.alarm()));
    let mut spreads = Spreads::default();
    loop {
        if coordinator.hand_out(&mut supervisor) {
            return Ran { spreads, left: None };
        }
        if coordinator.returned.is_empty()
            && coordinator.offered.is_empty()
            && !coordinator.pool.has_workers()
        {
            return Ran { spreads, left: Some(supervisor) };
        }
        coordinator.start_workers();
        coordinator.wait();
        coordinator.collect();
        for returned in coordinator.returned.drain(..) {
            spreads.record(&returned.phases);
            supervisor.returned(returned).into_iter().map(Event::Settled).for_each(&mut *emit);
        }
        coordinator.stalls.drain(..).for_each(|stall| emit(Event::Stalled(stall)));
        coordinator.given_back.drain(..).for_each(|work| supervisor.take_back(work));
    }
}

struct Coordinator<'a, J: Portable> {
    job: &'a J,
    config: &'a Config,
    /// For joining and undoing, which this process does itself, even when the run is cancelled.
    io: Blocking,
    pool: WorkerPool,
    /// The work in the table.
    offered: HashMap<SlotId, Work<J>>,
    /// Work that must run alone, one piece after the other: a death then convicts it and costs no other work.
    suspects: VecDeque<Suspect<J>>,
    /// The suspect in the table.
    alone: Option<Alone>,
    /// Answers that the supervisor has not been given yet.
    returned: Vec<Returned<J>>,
    /// Work that no worker will carry out and that none has died over.
    given_back: Vec<Work<J>>,
    watch: ProcessWatch,
    /// What makes no progress and was not reported.
    stalls: Vec<Stall<J>>,
    /// The workers have been told that the run was cancelled.
    cancel_sent: bool,
    last_look: Instant,
    /// No worker is started before.
    next_start: Instant,
    /// When the source is to be asked again, if it was asked in vain.
    asks_again: Option<Instant>,
    cores: usize,
}

impl<J: Portable> Coordinator<'_, J> {
    /// Hands out work while there is room. Returns true once every task has ended.
    fn hand_out(&mut self, supervisor: &mut Supervisor<J, impl Source<J::Task>>) -> bool {
        if self.config.cancel.is_triggered() && !self.cancel_sent {
            self.cancel_sent = true;
            self.stop();
        }
        self.asks_again = None;
        self.offer_suspect();
        while self.offered.len() + self.suspects.len() < self.pool.table.slot_count()
            && self.returned.is_empty()
            && self.pool.has_workers()
        {
            match supervisor.next(Instant::now()) {
                Ready::Work(work) if work.alone && !is_undoing(&work) => {
                    self.suspects.push_back(Suspect { work, is_last: false });
                    self.offer_suspect();
                }
                Ready::Work(work) => self.offer(work, false),
                Ready::Wait => {
                    self.asks_again = supervisor.asks_again();
                    break;
                }
                Ready::End => return true,
            }
        }
        false
    }

    /// Offers the next suspect, if none is in the table.
    fn offer_suspect(&mut self) {
        while self.alone.is_none()
            && let Some(Suspect { mut work, is_last }) = self.suspects.pop_front()
        {
            work.alone = true;
            self.offer(work, is_last);
        }
    }

    /// Offers `work`; `is_last`: it is given up at the first death.
    fn offer(&mut self, work: Work<J>, is_last: bool) {
        if is_undoing(&work) {
            return self.returned.push(run_ready(execute(self.job, &self.io, work, self.track())));
        }
        let order = match catch(|| order_for(self.job, &work, &mut |out| self.io.random(out))) {
            Ok(order) => order,
            Err(message) => {
                let returned = self.undone(work, Failure::Panicked(message));
                return self.returned.push(returned);
            }
        };
        let table = &mut self.pool.table;
        let offered = if is_last { table.offer_once(&order) } else { table.offer(&order) };
        match offered {
            Ok(slot) => {
                if work.alone {
                    self.alone = Some(Alone { slot, is_last });
                }
                self.offered.insert(slot, work);
            }
            // Paths longer than any system accepts: the job reports the error.
            Err(OfferError::TooLong { .. }) => {
                self.returned.push(run_ready(execute(self.job, &self.io, work, self.track())));
            }
            Err(error) => unreachable!("the table is open and has room: {error}"),
        }
    }

    /// Cancels the workers and takes back all work that none of them has claimed. Steps that end a task stay.
    fn stop(&mut self) {
        self.pool.cancel();
        for slot in self.pool.table.withdraw() {
            let is_last = self.alone.is_some_and(|alone| alone.slot == slot && alone.is_last);
            if let Some(work) = self.take_offered(slot) {
                self.stop_one(work, is_last);
            }
        }
        for Suspect { mut work, is_last } in std::mem::take(&mut self.suspects) {
            work.alone = true;
            self.stop_one(work, is_last);
        }
    }

    /// Cancels `work`, which no worker has. A step that ends a task stays.
    fn stop_one(&mut self, work: Work<J>, is_last: bool) {
        match work.stage {
            Stage::Finish { .. } if work.alone => self.suspects.push_back(Suspect { work, is_last }),
            Stage::Finish { .. } => self.offer(work, false),
            Stage::Start | Stage::Part { .. } => self.returned.push(failed(work, Failure::Cancelled)),
        }
    }

    /// Starts workers while there is more work than the started ones can carry out at once.
    fn start_workers(&mut self) {
        while self.wants_worker() && Instant::now() >= self.next_start {
            let pause = match self.pool.start_one() {
                Ok(()) if self.pool.started_count() < self.cores => continue,
                Ok(()) => START_PAUSE,
                // The first worker could be started. If another can't, the present ones carry out the work.
                Err(_) => LOOK_INTERVAL,
            };
            self.next_start = Instant::now() + pause;
        }
    }

    fn wants_worker(&self) -> bool {
        !self.cancel_sent && self.pool.wants_worker(self.offered.len())
    }

    /// Sleeps until there is something to do. All of it is looked at after [`collect`](Self::collect) has observed the
    /// event count and before this sleep, so nothing that is announced there is slept through.
    fn wait(&mut self) {
        self.pool.talk();
        if !self.returned.is_empty() {
            return;
        }
        // Without work in the table, there is nothing to look at.
        let until_look = LOOK_INTERVAL.saturating_sub(self.last_look.elapsed());
        let mut timeout = if self.offered.is_empty() { Duration::MAX } else { until_look };
        if self.pool.is_unwatched() {
            timeout = timeout.min(POLL_INTERVAL);
        }
        let start = self.wants_worker().then_some(self.next_start);
        for at in [start, self.asks_again].into_iter().flatten() {
            timeout = timeout.min(at.saturating_duration_since(Instant::now()));
        }
        if self.pool.table.wait(timeout) && self.offered.len() > 3 * self.pool.capacity() {
            std::thread::sleep(BATCH_TIME);
        }
    }

    fn collect(&mut self) {
        for finished in self.pool.table.collect() {
            self.pool.record_progress();
            if let Some(work) = self.take_offered(finished.slot) {
                let returned = self.returned_of(work, &finished.outcome);
                self.returned.push(returned);
            }
        }
        if self.pool.may_have_deaths() {
            self.reap();
        }
        if self.last_look.elapsed() >= LOOK_INTERVAL {
            self.last_look = Instant::now();
            self.pool.kill_silent();
            self.pool.table.rouse();
            for (slot, pid) in self.watch.look(&self.pool) {
                let Some(work) = self.offered.get(&slot) else { continue };
                let (worker, time) = (StalledWorker::Process(pid), self.watch.time());
                self.stalls.push(Stall { id: work.id, task: work.task.clone(), worker, time });
            }
            self.pool.lost_owners().into_iter().for_each(|owner| self.reap_leases(owner));
        }
    }

    /// Reclaims the leases of dead workers, gives up tasks that have killed too many, and starts replacements.
    fn reap(&mut self) {
        for owner in self.pool.reap() {
            self.reap_leases(owner);
            self.pool.replace(owner);
            if self.cancel_sent {
                self.pool.cancel();
            }
        }
        if !self.pool.has_workers() {
            self.empty_table();
        }
    }

    /// Takes back all work, as no worker is left. What workers have died over would kill this process, too.
    fn empty_table(&mut self) {
        let is_suspected = |slot: &SlotId| self.pool.table.deaths(*slot) > 0;
        let suspected: HashSet<SlotId> = self.offered.keys().copied().filter(is_suspected).collect();
        for slot in self.pool.table.withdraw() {
            match self.take_offered(slot) {
                Some(work) if work.alone || suspected.contains(&slot) => {
                    self.give_up(work, &[], Failure::NoWorker);
                }
                Some(work) => self.given_back.push(work),
                None => {}
            }
        }
        for suspect in std::mem::take(&mut self.suspects) {
            self.give_up(suspect.work, &[], Failure::NoWorker);
        }
    }

    fn reap_leases(&mut self, owner: u16) {
        for Poisoned { slot, intent } in self.pool.table.reap(owner).poisoned {
            self.pool.record_progress();
            let is_last = self.alone.is_some_and(|alone| alone.slot == slot && alone.is_last);
            let Some(work) = self.take_offered(slot) else { continue };
            if is_last {
                self.give_up(work, &intent, Failure::WorkersDied { count: DEATHS_MAX });
            } else {
                self.suspect(work, &intent);
            }
        }
    }

    /// Has `work`, over which all but the last permitted workers have died, carried out once more, alone.
    fn suspect(&mut self, work: Work<J>, intent: &[u8]) {
        match catch(|| of_last_attempt(self.job, &self.io, &work, intent)) {
            Ok(None) if matches!(work.stage, Stage::Part { .. }) && !self.job.repeats_parts() => {
                self.returned.push(part(work, Answer::PartLost));
            }
            Ok(None) if self.cancel_sent => self.stop_one(Work { alone: true, ..work }, true),
            Ok(None) => self.suspects.push_back(Suspect { work, is_last: true }),
            Ok(Some(outcome)) => self.end(work, outcome),
            Err(message) => self.end(work, Err(Failure::Panicked(message))),
        }
    }

    /// The work that was offered in `slot`.
    fn take_offered(&mut self, slot: SlotId) -> Option<Work<J>> {
        self.alone.take_if(|alone| alone.slot == slot);
        self.offered.remove(&slot)
    }

    /// Ends `work` that no worker will carry out. Cleans up after the last attempt, or accepts its result if that was
    /// published after all.
    fn give_up(&mut self, work: Work<J>, intent: &[u8], failure: Failure<J::Error>) {
        let outcome = match catch(|| of_last_attempt(self.job, &self.io, &work, intent)) {
            Ok(outcome) => outcome.unwrap_or(Err(failure)),
            Err(message) => Err(Failure::Panicked(message)),
        };
        self.end(work, outcome);
    }

    /// Ends `work` that no worker will carry out.
    fn end(&mut self, work: Work<J>, outcome: Outcome<J>) {
        let returned = match outcome {
            Ok(output) => done(work, output),
            Err(failure) => self.undone(work, failure),
        };
        self.returned.push(returned);
    }

    /// Undoes `work`, if it was to finish a split task, and fails it.
    fn undone(&self, work: Work<J>, failure: Failure<J::Error>) -> Returned<J> {
        if let Stage::Finish { state, .. } = &work.stage {
            // The failure at hand is more useful than one of the cleanup.
            let _ = catch(|| drop(run_ready(self.job.finish(&self.io, &work.task, state, false))));
        }
        failed(work, failure)
    }

    /// The answer that a worker's reply to `work` stands for. A panic of the job over it fails the work.
    fn returned_of(&self, work: Work<J>, bytes: &[u8]) -> Returned<J> {
        let decoded = catch(|| {
            if let Stage::Part { state, .. } = &work.stage {
                self.job.part_returned(state);
            }
            from_bytes::<ReplyOf<J>>(bytes)
        });
        let reply = match decoded {
            Ok(Some(reply)) => reply,
            Ok(None) => {
                return self.undone(work, Failure::Panicked("a worker's reply cannot be decoded".to_owned()));
            }
            Err(message) => return self.undone(work, Failure::Panicked(message)),
        };
        record(self.config, &work, &reply);
        let mut returned = match reply.result {
            Err(failure) => self.undone(work, failure.into()),
            Ok(ReplyValue::Output(output)) => done(work, output),
            Ok(ReplyValue::Part) => part(work, Answer::PartDone(Ok(()))),
            Ok(ReplyValue::Lost) => part(work, Answer::PartLost),
            Ok(ReplyValue::Again) => started(work, Step::Again),
            Ok(ReplyValue::Split { token, parts }) => match joined(self.job, &self.io, &work, token) {
                Err(failure) => {
                    let _ = catch(|| abandon(self.job, &self.io, &work.task, bytes));
                    match failure {
                        // Between the worker's reply and now nobody may have held its temporary file, which another run
                        // then takes for the leftover of a killed one.
                        Failure::Job(_) => part(work, Answer::SplitLost(failure)),
                        failure => failed(work, failure),
                    }
                }
                Ok(state) => started(work, Step::Split { state: Arc::new(state), parts }),
            },
        };
        (returned.phases, returned.bytes) = (reply.phases, reply.bytes);
        self.config.progress.fetch_add(reply.bytes, Ordering::Relaxed);
        returned
    }

    /// Where the pieces of work that this process does itself are recorded.
    fn track(&self) -> Track<'_> {
        Track::of(self.config, TraceRow::Caller)
    }
}
