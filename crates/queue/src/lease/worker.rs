//! A worker's end of a lease table.
//!
//! Owns: claiming, reading, finishing, sleeping.
//! Does not own: the job, threads; whether the supervisor still lives.
//!
//! Source: `PROTOCOL.md`, part 2; the step numbers in the comments are those of that file.

use super::error::{Fenced, FinishError, IntentTooLong, TableError};
use super::event_count::EventCount;
use super::intents::Intents;
use super::layout::{AT_CURSOR, AT_DONE_EVENTS, AT_WORDS, AT_WORK_EVENTS, Layout, Part};
use super::map::Map;
use super::slots::Slots;
use super::word::Word;
use crate::sync::{Deadline, Ordering, fence};
use std::os::fd::AsFd;
use std::time::Duration;

/// The right to do one task, once. It ends with [`finish`](Worker::finish) or with the owner's death.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    slot: usize,
    running: Word,
}

impl Lease {
    /// The slot's number, as the supervisor's [`SlotId::index`](super::SlotId::index).
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// Differs for every attempt at every task of this slot: for names of temporary files.
    pub fn generation(&self) -> u32 {
        self.running.generation()
    }

    /// Whether a worker died over this task before.
    pub fn is_repeated(&self) -> bool {
        self.running.suspicion() > 0
    }
}

/// What [`Worker::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A task.
    Lease(Lease),
    /// None within the nap: see whether the supervisor still lives, then ask again.
    Idle,
    /// None ever: the table is closed.
    Closed,
}

/// Attached to a table of another process. The threads of a process share one.
pub struct Worker {
    map: Map,
    layout: Layout,
}

impl Worker {
    /// Maps the table and checks seals, size and header.
    ///
    /// # Errors
    /// [`TableError`] says what was not as expected.
    pub fn attach(memfd: impl AsFd) -> Result<Self, TableError> {
        let (map, layout) = Map::attach(memfd)?;
        Ok(Self { map, layout })
    }

    /// A lease on a ready task, if there is one now, in the name of `owner` — the number by which the supervisor will
    /// [`reap`](super::Supervisor::reap) this process. Cost: one compare-and-swap; a look at every slot if none is ready.
    pub fn claim(&self, owner: u16) -> Option<Lease> {
        let cursor = self.map.word(AT_CURSOR);
        let count = self.layout.config.slot_count as usize;
        let start = cursor.load(Ordering::Relaxed) as usize % count;
        let (slot, running) = self.slots().claim(start, owner)?;
        // A hint where the next ready one is; wrong at worst.
        cursor.store(slot as u64 + 1, Ordering::Relaxed);
        Some(Lease { slot, running })
    }

    /// As [`claim`](Self::claim), sleeping at most `nap` while there is no task.
    ///
    /// A waker killed before it could wake this worker costs the rest of the nap: milliseconds are a good nap.
    pub fn next(&self, owner: u16, nap: Duration) -> Next {
        let events = self.map.events(AT_WORK_EVENTS);
        let seen = events.observe();
        if let Some(lease) = self.claim(owner) {
            return Next::Lease(lease);
        }
        if seen.is_closed() {
            return Next::Closed;
        }
        events.sleep(seen, Some(&Deadline::after(nap)));
        self.claim(owner).map_or(Next::Idle, Next::Lease)
    }

    /// Replaces what is in `task` by the task's bytes. Cost: one copy.
    ///
    /// # Errors
    /// [`Fenced`] if the lease was lost; the bytes are worth nothing then.
    pub fn read_task(&self, lease: &Lease, task: &mut Vec<u8>) -> Result<(), Fenced> {
        self.map.get(&self.layout, lease.slot, Part::Task, task);
        // T2: had any of these bytes been of a later task, the lease would be seen gone now (O1).
        fence(Ordering::Acquire);
        if self.slots().holds(lease.slot, lease.running) { Ok(()) } else { Err(Fenced) }
    }

    /// Leaves a intent for the next attempt at this task, in place of any before, in case this worker dies: what it is about
    /// to do that must not be done twice. A death within finds the intent before it. Cost: one copy.
    ///
    /// # Errors
    /// If it is too long; the intent before it stays.
    pub fn record_intent(&self, lease: &Lease, intent: &[u8]) -> Result<(), IntentTooLong> {
        let max = self.layout.bytes_max(Part::IntentA);
        if intent.len() > max {
            return Err(IntentTooLong { max });
        }
        self.intents(lease.slot).record(intent);
        Ok(())
    }

    /// The last intent that an attempt at this task left; empty if there is none.
    pub fn intent(&self, lease: &Lease) -> Vec<u8> {
        self.intents(lease.slot).latest()
    }

    /// Hands the outcome in and ends the lease. Cost: one copy, one compare-and-swap; a system call only if the
    /// supervisor sleeps.
    ///
    /// # Errors
    /// [`FinishError`]; the outcome was not taken then.
    pub fn finish(&self, lease: &Lease, outcome: &[u8]) -> Result<(), FinishError> {
        let max = self.layout.bytes_max(Part::Outcome);
        if outcome.len() > max {
            return Err(FinishError::TooLong { max });
        }
        // Not needed for the state, which F2 guards: it keeps a fenced worker's hands off another's outcome.
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

    fn done_events(&self) -> &EventCount {
        self.map.events(AT_DONE_EVENTS)
    }
}
