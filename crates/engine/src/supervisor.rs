//! The order of work: what to hand out next, and what an answer means for its task.
//!
//! A pure state machine. Every engine drives the same one; engines differ only in how work reaches a worker.
//!
//! Owns: numbering tasks, splitting and joining them, restarts, exactly one end for each task, cancellation.
//! Does not own: queues, threads, the clock (the caller passes the time).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use haul_io::Cancel;

use crate::event::Settled;
use crate::execute::{Answer, Returned, Stage, Work, catch};
use crate::job::contract::{Failure, Job, Outcome, Step, TaskId};
use crate::job::phases::Phases;
use crate::job::portable::RESTARTS_MAX;
use crate::job::source::{Again, Next, Source};

pub(crate) struct Supervisor<J: Job, S> {
    source: S,
    /// The source is exhausted, or the run was cancelled. A task that returns to the source clears this again.
    source_ended: bool,
    cancel: Cancel,
    next_id: u64,
    /// Tasks that were started and have not ended.
    open: HashMap<TaskId, Open<J>>,
    /// The source had no task when it was asked last: the time to ask it again although nothing else may have happened.
    asks_again: Option<Instant>,
    /// Unfinished tasks that the source holds back for a later start.
    paused: HashSet<TaskId>,
    /// Unfinished tasks that start again as soon as there is room.
    restarting: VecDeque<TaskId>,
    /// Split tasks with parts to hand out, oldest first.
    splitting: VecDeque<TaskId>,
    /// Split tasks whose parts have all been answered.
    finishing: VecDeque<TaskId>,
    /// Work that was handed out and came back untouched.
    given_back: VecDeque<(TaskId, Stage<J>)>,
    /// Pieces of work handed out and not yet answered.
    in_flight: usize,
    /// From then on no new task is begun: another engine goes on when those that were begun have ended.
    shift_ends: Option<Instant>,
}

struct Open<J: Job> {
    task: Arc<J::Task>,
    phases: Phases,
    bytes: u64,
    split: Option<Split<J>>,
    /// How often the task was started.
    attempt: u32,
    /// How often the task started anew because a part of it couldn't be repeated.
    restarts: u8,
}

struct Split<J: Job> {
    state: Arc<J::State>,
    /// Parts to hand out in total; lowered to `handed_out` when the task is given up.
    parts: u64,
    handed_out: u64,
    answered: u64,
    /// The failure of the first part that failed.
    failure: Option<Failure<J::Error>>,
    /// A part can't be repeated after the death of its worker.
    is_lost: bool,
}

impl<J: Job> Open<J> {
    fn new(task: J::Task) -> Self {
        Self {
            task: Arc::new(task),
            phases: Phases::default(),
            bytes: 0,
            split: None,
            attempt: 0,
            restarts: 0,
        }
    }
}

/// The next thing to hand out.
pub(crate) enum Ready<J: Job> {
    Work(Work<J>),
    /// Nothing until an answer arrives or the source has more.
    Wait,
    /// Nothing any more: every task has ended, or the shift is over and every task that was begun has ended.
    End,
}

impl<J: Job, S: Source<J::Task>> Supervisor<J, S> {
    pub(crate) fn new(source: S, cancel: Cancel) -> Self {
        Self {
            source,
            source_ended: false,
            asks_again: None,
            cancel,
            next_id: 0,
            open: HashMap::new(),
            paused: HashSet::new(),
            restarting: VecDeque::new(),
            splitting: VecDeque::new(),
            finishing: VecDeque::new(),
            given_back: VecDeque::new(),
            in_flight: 0,
            shift_ends: None,
        }
    }

    /// Sets when this engine is to begin no more tasks, if that is before the end of the run.
    pub(crate) fn end_shift_at(&mut self, at: Option<Instant>) {
        self.shift_ends = at;
    }

    /// Whether every task has ended, and there won't be any more.
    pub(crate) fn is_over(&self) -> bool {
        self.source_ended && self.open.is_empty()
    }

    /// Has the source wake the engine by `waker`.
    pub(crate) fn set_waker(&mut self, waker: Waker) {
        self.source.set_waker(waker);
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// If the last [`next`](Self::next) asked the source in vain: the time to ask it again although nothing else may
    /// have happened. `None`: only an answer can change anything.
    pub(crate) fn asks_again(&self) -> Option<Instant> {
        self.asks_again
    }

    /// A task that has not ended.
    pub(crate) fn task(&self, id: TaskId) -> Option<Arc<J::Task>> {
        self.open.get(&id).map(|open| open.task.clone())
    }

    /// The next piece of work, queued at `now`. Steps that end a task come first, then parts, then restarts, then new
    /// tasks, so that few tasks are open at a time.
    pub(crate) fn next(&mut self, now: Instant) -> Ready<J> {
        if self.cancel.is_triggered() {
            self.stop_handing_out();
        }
        let handed_out =
            self.given_back.pop_front().or_else(|| self.next_finish()).or_else(|| self.next_part());
        let handed_out = handed_out.or_else(|| self.next_restart()).or_else(|| self.next_task(now));
        match handed_out {
            Some((id, stage)) => {
                self.in_flight += 1;
                let open = self.open.get_mut(&id).expect("only open tasks are handed out");
                if matches!(stage, Stage::Start) {
                    open.attempt = open.attempt.wrapping_add(1);
                }
                let alone = open.restarts >= RESTARTS_MAX;
                Ready::Work(Work {
                    id,
                    attempt: open.attempt,
                    task: open.task.clone(),
                    stage,
                    queued: now,
                    alone,
                })
            }
            None if self.open.is_empty() && (self.source_ended || self.is_shift_over(now)) => Ready::End,
            None => Ready::Wait,
        }
    }

    /// Takes back `work` that no worker has begun, to hand it out again.
    pub(crate) fn take_back(&mut self, work: Work<J>) {
        self.in_flight -= 1;
        self.given_back.push_back((work.id, work.stage));
    }

    /// Takes an answer. Returns the end of the task, if this was its last answer.
    pub(crate) fn returned(&mut self, returned: Returned<J>) -> Option<Settled<J>> {
        let Returned { id, answer, phases, bytes } = returned;
        self.in_flight -= 1;
        let open = self.open.get_mut(&id).expect("only open tasks are answered");
        open.phases.add(&phases);
        open.bytes += bytes;
        match answer {
            Answer::Started(Ok(Step::Done(output))) => Some(self.settle(id, Ok(output))),
            Answer::Started(Err(failure)) => Some(self.settle(id, Err(failure))),
            // A cancelled run starts nothing again.
            Answer::Started(Ok(Step::Again)) if self.cancel.is_triggered() => {
                Some(self.settle(id, Err(Failure::Cancelled)))
            }
            Answer::Started(Ok(Step::Again)) => {
                // If the task was split, all its parts have been answered.
                let split = open.split.take();
                match catch(|| drop(split)) {
                    Err(message) => Some(self.settle(id, Err(Failure::Panicked(message)))),
                    Ok(()) => {
                        self.restart(id);
                        None
                    }
                }
            }
            Answer::Started(Ok(Step::Split { state, parts })) => {
                open.split =
                    Some(Split { state, parts, handed_out: 0, answered: 0, failure: None, is_lost: false });
                let next = if parts > 0 { &mut self.splitting } else { &mut self.finishing };
                next.push_back(id);
                None
            }
            Answer::PartDone(result) => {
                self.part_done(id, result);
                None
            }
            Answer::PartLost => {
                let split = open.split.as_mut().expect("only split tasks have parts");
                split.is_lost = true;
                let failure = Failure::WorkersDied { count: open.restarts.saturating_add(1) };
                self.part_done(id, Err(failure));
                None
            }
            Answer::SplitLost(_) if open.restarts < RESTARTS_MAX && !self.cancel.is_triggered() => {
                open.restarts += 1;
                self.restarting.push_back(id);
                None
            }
            Answer::SplitLost(failure) => Some(self.settle(id, Err(failure))),
            Answer::Finished(outcome) => {
                let Split { state, failure, is_lost, .. } =
                    open.split.take().expect("only split tasks are finished");
                let outcome = match catch(|| drop(state)) {
                    Err(message) if outcome.is_ok() => Err(Failure::Panicked(message)),
                    _ => outcome,
                };
                let is_undone = outcome.is_ok() && matches!(failure, Some(Failure::WorkersDied { .. }));
                if is_lost && is_undone && open.restarts < RESTARTS_MAX && !self.cancel.is_triggered() {
                    open.restarts += 1;
                    self.restarting.push_back(id);
                    return None;
                }
                // An error of `finish` takes precedence over the failure of a part.
                let outcome = outcome.and_then(|output| failure.map_or(Ok(output), Err));
                Some(self.settle(id, outcome))
            }
        }
    }

    /// Returns an unfinished task to the source, which decides when it starts again.
    fn restart(&mut self, id: TaskId) {
        match self.source.again(id, &self.open[&id].task) {
            Again::AtOnce => self.restarting.push_back(id),
            Again::WhenGiven => {
                self.paused.insert(id);
                self.source_ended = false;
            }
        }
    }

    fn part_done(&mut self, id: TaskId, result: Result<(), Failure<J::Error>>) {
        let split = self.open.get_mut(&id).and_then(|open| open.split.as_mut()).expect("a split task");
        split.answered += 1;
        if let Err(failure) = result {
            split.failure.get_or_insert(failure);
            split.parts = split.handed_out;
        }
        if split.answered == split.parts {
            self.splitting.retain(|splitting| *splitting != id);
            self.finishing.push_back(id);
        }
    }

    fn settle(&mut self, id: TaskId, outcome: Outcome<J>) -> Settled<J> {
        let Open { task, phases, bytes, .. } = self.open.remove(&id).expect("a task ends once");
        if !self.cancel.is_triggered() {
            self.source.ended(&task);
        }
        Settled { id, task, outcome, phases, bytes }
    }

    fn next_finish(&mut self) -> Option<(TaskId, Stage<J>)> {
        let id = self.finishing.pop_front()?;
        let split = self.open[&id].split.as_ref().expect("a split task");
        let succeeded = split.failure.is_none();
        Some((id, Stage::Finish { state: split.state.clone(), succeeded }))
    }

    fn next_part(&mut self) -> Option<(TaskId, Stage<J>)> {
        while let Some(id) = self.splitting.front().copied() {
            let open = self.open.get_mut(&id).expect("splitting tasks are open");
            let split = open.split.as_mut().expect("a split task");
            if split.handed_out < split.parts {
                let index = split.handed_out;
                split.handed_out += 1;
                return Some((id, Stage::Part { state: split.state.clone(), index }));
            }
            self.splitting.pop_front();
        }
        None
    }

    fn next_restart(&mut self) -> Option<(TaskId, Stage<J>)> {
        Some((self.restarting.pop_front()?, Stage::Start))
    }

    /// Whether no task may be begun. Where the source holds tasks back, only it can go on with them.
    fn is_shift_over(&self, now: Instant) -> bool {
        self.paused.is_empty() && self.shift_ends.is_some_and(|at| now >= at)
    }

    fn next_task(&mut self, now: Instant) -> Option<(TaskId, Stage<J>)> {
        self.asks_again = None;
        if self.source_ended || self.is_shift_over(now) {
            return None;
        }
        match self.source.next() {
            Next::Task(task) => {
                let id = TaskId(self.next_id);
                self.next_id += 1;
                self.open.insert(id, Open::new(task));
                Some((id, Stage::Start))
            }
            Next::Again(id) => {
                assert!(self.paused.remove(&id), "the source restarted a task that it does not hold");
                Some((id, Stage::Start))
            }
            Next::Later => {
                self.asks_again = now.checked_add(self.source.ask_again_in());
                None
            }
            Next::End => {
                self.source_ended = true;
                None
            }
        }
    }

    /// Takes no more tasks and hands out no more parts. Paused tasks are started once more: the cancelled run refuses
    /// their operations, so each ends with the job's own error.
    fn stop_handing_out(&mut self) {
        self.source_ended = true;
        self.restarting.extend(self.paused.drain());
        for id in std::mem::take(&mut self.splitting) {
            let split = self.open.get_mut(&id).and_then(|open| open.split.as_mut()).expect("a split task");
            if split.handed_out < split.parts {
                split.failure.get_or_insert(Failure::Cancelled);
                split.parts = split.handed_out;
            }
            if split.answered == split.parts {
                self.finishing.push_back(id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
