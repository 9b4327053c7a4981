//! The supervisor's end of a lease table: the only producer, the only reaper.
//!
//! Owns: creating the memory, which slots are free.
//! Does not own: processes; it is told who died.
//!
//! Source: `PROTOCOL.md`, part 2; the step numbers in the comments are those of that file.

use super::error::{OfferError, TableError};
use super::event_count::{EventCount, Observed};
use super::intents::Intents;
use super::layout::{AT_DONE_EVENTS, AT_WORDS, AT_WORK_EVENTS, Config, Layout, Part};
use super::map::Map;
use super::slots::{Fate, Slots};
use super::word::Suspicion;
use crate::sync::{Deadline, Ordering, Wakeup, fence};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Wakes every sleeper of a events.
const ALL: u32 = u32::MAX;

/// Names an offered task until it is collected, poisoned or withdrawn; then the name is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(u32);

impl SlotId {
    /// From 0 to one less than [`Config::slot_count`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A finished task. Its slot is free again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Which task.
    pub slot: SlotId,
    /// The bytes that the worker gave to [`finish`](super::Worker::finish).
    pub outcome: Vec<u8>,
}

/// What a death did to the dead worker's tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Ready again, for another attempt by any worker.
    pub reclaimed: Vec<SlotId>,
    /// Given up: they had their last attempt. Their slots are free again.
    pub poisoned: Vec<Poisoned>,
}

/// A task that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poisoned {
    /// Which task.
    pub slot: SlotId,
    /// The last intent that an attempt at it left; empty if there is none.
    pub intent: Vec<u8>,
}

/// Creates a table, offers tasks and collects outcomes. One per table; its drop closes the table.
pub struct Supervisor {
    memfd: OwnedFd,
    map: Map,
    layout: Layout,
    /// Oldest first, so that the slots are offered in a circle, which the workers' search follows.
    free: VecDeque<u32>,
    /// How the events of finished tasks looked before the last [`collect`](Self::collect) began.
    seen: Observed,
    closed: bool,
}

impl Supervisor {
    /// A table in fresh sealed shared memory of at most [`Config::memory_bytes`].
    ///
    /// # Errors
    /// [`TableError::Config`] for a bound out of range, [`TableError::System`] if the system refuses the memory.
    pub fn create(config: Config) -> Result<Self, TableError> {
        let layout = Layout::of(config)?;
        let (memfd, map) = Map::create(&layout)?;
        let seen = map.events(AT_DONE_EVENTS).observe();
        Ok(Self { memfd, map, layout, free: (0..config.slot_count).collect(), seen, closed: false })
    }

    /// What a worker process needs to inherit. Closed on exec: hand on a duplicate.
    pub fn memfd(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }

    /// Makes `task` ready for any worker. Cost: one copy of it; a system call only if a worker sleeps.
    ///
    /// # Errors
    /// [`OfferError`]; nothing was taken then.
    pub fn offer(&mut self, task: &[u8]) -> Result<SlotId, OfferError> {
        let max = self.layout.bytes_max(Part::Task);
        if self.closed {
            return Err(OfferError::Closed);
        }
        if task.len() > max {
            return Err(OfferError::TooLong { max });
        }
        let id = self.free.pop_front().ok_or(OfferError::Full)?;
        let slot = id as usize;
        // O1. Who reads any of these bytes under an older lease finds, after that, the lease gone (T2).
        fence(Ordering::Release);
        self.intents(slot).clear();
        self.map.put(&self.layout, slot, Part::Task, task);
        let offered = self.slots().offer(slot);
        debug_assert!(offered, "a slot of the free list is free");
        self.work_events().notify(1);
        Ok(SlotId(id))
    }

    /// Takes the outcomes of all tasks finished by now and frees their slots. Never sleeps. Cost: a look at every slot,
    /// one copy of each outcome.
    pub fn collect(&mut self) -> Vec<Finished> {
        self.seen = self.map.events(AT_DONE_EVENTS).observe();
        let mut finished = Vec::new();
        for id in 0..self.layout.config.slot_count {
            if self.slots().is_done(id as usize) {
                finished.push(Finished { slot: SlotId(id), outcome: self.outcome(id as usize) });
                self.slots().collect(id as usize);
                self.free.push_back(id);
            }
        }
        finished
    }

    /// Sleeps until a task is finished that the last [`collect`](Self::collect) did not see, at most `nap`. Returns whether
    /// it is worth collecting; if not, look after the workers.
    ///
    /// A worker killed just before it could wake the supervisor costs the rest of the nap: milliseconds are a good nap.
    pub fn wait(&self, nap: Duration) -> bool {
        self.map.events(AT_DONE_EVENTS).sleep(self.seen, Some(&Deadline::after(nap))) == Wakeup::Woken
    }

    /// Takes the leases of a dead owner back: its tasks become ready again, or are given up after
    /// [`Config::deaths_max`] deaths. A death of an owner of several tasks counts a quarter for each: one of them is to
    /// suspicion at most.
    ///
    /// Call it when the owner's process is *gone* (its pidfd became readable), and before its number is given to another:
    /// leases that it takes after being reaped alive are not taken back until it is reaped again. An owner that lives after all is fenced,
    /// its late finish refused; only the bytes of an outcome that it is writing at that moment could mix with those of
    /// the next attempt. Cost: a look at every slot.
    pub fn reap(&mut self, owner: u16) -> Reaped {
        let mut reaped = Reaped::default();
        let suspicion = Suspicion::of_death(self.slots().leases_of(owner), self.layout.config.deaths_max);
        for id in 0..self.layout.config.slot_count {
            match self.slots().reap(id as usize, owner, suspicion) {
                Fate::Untouched => {}
                Fate::Reclaimed => reaped.reclaimed.push(SlotId(id)),
                Fate::Poisoned => {
                    reaped
                        .poisoned
                        .push(Poisoned { slot: SlotId(id), intent: self.intents(id as usize).latest() });
                    self.free.push_back(id);
                }
            }
        }
        // All, also if there is nothing to take back: the dead may have swallowed a wake-up meant for one task (R3).
        self.work_events().notify(ALL);
        reaped
    }

    /// Takes back the tasks that no worker has claimed, for a run that ends early. Cost: a look at every slot.
    pub fn withdraw(&mut self) -> Vec<SlotId> {
        let ready = |id: &u32| self.slots().withdraw(*id as usize);
        let withdrawn: Vec<u32> = (0..self.layout.config.slot_count).filter(ready).collect();
        self.free.extend(&withdrawn);
        withdrawn.into_iter().map(SlotId).collect()
    }

    /// How many tasks the table holds.
    pub fn slot_count(&self) -> usize {
        self.layout.config.slot_count as usize
    }

    /// How many tasks were offered and neither collected, poisoned nor withdrawn.
    pub fn outstanding(&self) -> usize {
        self.slot_count() - self.free.len()
    }

    /// Refuses further tasks and sends each worker home once nothing is ready. Close when nothing is
    /// [`outstanding`](Self::outstanding): a task reclaimed from a dead worker after that may find nobody at home.
    pub fn close(&mut self) {
        self.closed = true;
        self.work_events().close();
    }

    fn outcome(&self, slot: usize) -> Vec<u8> {
        let mut outcome = Vec::new();
        self.map.get(&self.layout, slot, Part::Outcome, &mut outcome);
        outcome
    }

    fn intents(&self, slot: usize) -> Intents<'_> {
        Intents { map: &self.map, layout: &self.layout, slot }
    }

    fn slots(&self) -> Slots<'_> {
        Slots(self.map.words(AT_WORDS, self.layout.config.slot_count as usize))
    }

    fn work_events(&self) -> &EventCount {
        self.map.events(AT_WORK_EVENTS)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.close();
    }
}
