//! A worker's end of a lease table.
//!
//! Owns: claiming, reading, finishing, sleeping.
//! Does not own: the job, threads, detecting the supervisor's death.
//!
//! Source: `PROTOCOL.md`, part 2; the step numbers in the comments are those of that file.

use super::error::{Fenced, FinishError, IntentTooLong, TableError};
use super::event_count::{EventCount, Observed};
use super::intents::Intents;
use super::layout::{AT_CURSOR, AT_DONE_EVENTS, AT_WORDS, AT_WORK_EVENTS, Layout, Part};
use super::map::Map;
use super::slots::Slots;
use super::word::Word;
use crate::sync::{Deadline, Ordering, Wakeup, fence};
use std::os::fd::AsFd;
use std::time::Duration;

/// The right to carry out one task, once. It ends with [`finish`](Worker::finish) or when the owner is reaped.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    slot: usize,
    running: Word,
}

impl Lease {
    /// The slot's number; equals the supervisor's [`SlotId::index`](super::SlotId::index).
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// A number that differs for every attempt at every task of this slot; for names of temporary files.
    pub fn generation(&self) -> u32 {
        self.running.generation()
    }

    /// Whether a worker has died while it held a lease on this task.
    pub fn is_repeated(&self) -> bool {
        self.running.suspicion() > 0
    }
}

/// The result of [`Worker::next`].
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A lease on a task.
    Lease(Lease),
    /// No task within the timeout: check that the supervisor is alive, then ask again.
    Idle,
    /// No task any more: the table is closed.
    Closed,
}

/// The moment before a worker looked for work: see [`Worker::observe`].
#[derive(Clone, Copy)]
pub struct Seen(Observed);

impl Seen {
    /// Whether the table was closed: if there is no task either, there won't be any more.
    pub fn is_closed(self) -> bool {
        self.0.is_closed()
    }
}

/// A process's attachment to the table of its supervisor. The threads of the process share it.
pub struct Worker {
    map: Map,
    layout: Layout,
}

impl Worker {
    /// Maps the table and checks its seals, size and header.
    ///
    /// # Errors
    /// [`TableError`] if the memory can't be mapped or is no table of this build.
    pub fn attach(memfd: impl AsFd) -> Result<Self, TableError> {
        let (map, layout) = Map::attach(memfd)?;
        Ok(Self { map, layout })
    }

    /// Claims a ready task, if there is one now, in the name of `owner`: the number under which the supervisor
    /// [`reap`](super::Supervisor::reap)s this process. Cost: one compare-and-swap; one load per slot if none is ready.
    pub fn claim(&self, owner: u16) -> Option<Lease> {
        let cursor = self.map.word(AT_CURSOR);
        let count = self.layout.config.slot_count as usize;
        let start = cursor.load(Ordering::Relaxed) as usize % count;
        let (slot, running) = self.slots().claim(start, owner)?;
        // A hint where the next ready slot is. Any value is correct.
        cursor.store(slot as u64 + 1, Ordering::Relaxed);
        Some(Lease { slot, running })
    }

    /// As [`claim`](Self::claim), but sleeps at most `timeout` while no task is ready.
    ///
    /// If a process is killed just before it would wake this worker, this call sleeps until the timeout or until the
    /// supervisor reaps that process.
    pub fn next(&self, owner: u16, timeout: Duration) -> Next {
        let seen = self.observe();
        if let Some(lease) = self.claim(owner) {
            return Next::Lease(lease);
        }
        if seen.is_closed() {
            return Next::Closed;
        }
        self.sleep(seen, Some(timeout));
        self.claim(owner).map_or(Next::Idle, Next::Lease)
    }

    /// B1: to be called before [`claim`](Self::claim) by a caller that sleeps by itself if it finds no task.
    pub fn observe(&self) -> Seen {
        Seen(self.work_events().observe())
    }

    /// Sleeps until a task is ready that [`claim`](Self::claim) may not have seen after `seen`, or until the supervisor
    /// wakes all workers. Returns whether that was so before the timeout.
    pub fn sleep(&self, seen: Seen, timeout: Option<Duration>) -> bool {
        self.work_events().sleep(seen.0, timeout.map(Deadline::after).as_ref()) == Wakeup::Woken
    }

    /// Wakes another worker in place of this one, which was woken but can't claim a task at the moment.
    pub fn pass_on(&self) {
        self.work_events().notify(1);
    }

    /// Ends the sleep of all workers for good, as the supervisor's [`close`](super::Supervisor::close) does. For a
    /// worker that learns that its supervisor has died.
    pub fn close(&self) {
        self.work_events().close();
    }

    /// Replaces the content of `task` by the task's bytes. Cost: one copy.
    ///
    /// # Errors
    /// [`Fenced`] if the lease was lost; the bytes are invalid then.
    pub fn read_task(&self, lease: &Lease, task: &mut Vec<u8>) -> Result<(), Fenced> {
        self.map.get(&self.layout, lease.slot, Part::Task, task);
        // T2: if any of these bytes belong to a later task, this load sees that the lease is lost (O1).
        fence(Ordering::Acquire);
        if self.slots().holds(lease.slot, lease.running) { Ok(()) } else { Err(Fenced) }
    }

    /// Records what this worker is about to do and what must not be done twice, in place of any earlier intent. The
    /// next attempt finds it if this worker dies. After a death during this call it finds the earlier one. Cost: one
    /// copy.
    ///
    /// # Errors
    /// [`IntentTooLong`]; the earlier intent stays.
    pub fn record_intent(&self, lease: &Lease, intent: &[u8]) -> Result<(), IntentTooLong> {
        let max = self.layout.bytes_max(Part::IntentA);
        if intent.len() > max {
            return Err(IntentTooLong { max });
        }
        self.intents(lease.slot).record(intent);
        Ok(())
    }

    /// The last intent that was recorded for this task; empty if there is none.
    pub fn intent(&self, lease: &Lease) -> Vec<u8> {
        self.intents(lease.slot).latest()
    }

    /// Delivers the outcome and ends the lease. Cost: one copy, one compare-and-swap; a system call only if the
    /// supervisor sleeps.
    ///
    /// # Errors
    /// [`FinishError`]; the outcome was not delivered then.
    pub fn finish(&self, lease: &Lease, outcome: &[u8]) -> Result<(), FinishError> {
        let max = self.layout.bytes_max(Part::Outcome);
        if outcome.len() > max {
            return Err(FinishError::TooLong { max });
        }
        // Not needed for the state, which F2 guards: it keeps a fenced worker from writing into another's outcome.
        if !self.slots().holds(lease.slot, lease.running) {
            return Err(FinishError::Fenced);
        }
        self.map.put(&self.layout, lease.slot, Part::Outcome, outcome);
        if !self.slots().finish(lease.slot, lease.running) {
            return Err(FinishError::Fenced);
        }
        self.done_events().notify(1);
        Ok(())
    }

    fn slots(&self) -> Slots<'_> {
        Slots(self.map.words(AT_WORDS, self.layout.config.slot_count as usize))
    }

    fn intents(&self, slot: usize) -> Intents<'_> {
        Intents { map: &self.map, layout: &self.layout, slot }
    }

    fn work_events(&self) -> &EventCount {
        self.map.events(AT_WORK_EVENTS)
    }

    fn done_events(&self) -> &EventCount {
        self.map.events(AT_DONE_EVENTS)
    }
}
