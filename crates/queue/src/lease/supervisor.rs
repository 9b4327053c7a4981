//! The supervisor's end of a lease table: the only producer, the only reaper.
//!
//! Owns: creating the memory, which slots are free.
//! Does not own: processes; the caller reports deaths.
//!
//! Source: `PROTOCOL.md`, part 2; the step numbers in the comments are those of that file.

use super::error::{OfferError, TableError};
use super::event_count::{EventCount, Observed};
use super::intents::Intents;
use super::layout::{AT_DONE_EVENTS, AT_WORDS, AT_WORK_EVENTS, Config, Layout, Part};
use super::map::Map;
use super::slots::{Fate, Slots};
use super::word::{State, Suspicion};
use crate::sync::{Deadline, Ordering, Wakeup, fence};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// Wakes every sleeper of an event count.
const ALL: u32 = u32::MAX;

/// Names an offered task until it is collected, poisoned or withdrawn; after that, another task may get the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(u32);

impl SlotId {
    /// A number from 0 to [`Config::slot_count`] − 1.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A finished task. Its slot is free again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The task.
    pub slot: SlotId,
    /// The bytes that the worker gave to [`finish`](super::Worker::finish).
    pub outcome: Vec<u8>,
}

/// The consequences of a death for the dead worker's tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Tasks that are ready again, for another attempt by any worker.
    pub reclaimed: Vec<SlotId>,
    /// Tasks that were given up after their last attempt. Their slots are free again.
    pub poisoned: Vec<Poisoned>,
}

/// A task that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poisoned {
    /// The task.
    pub slot: SlotId,
    /// The last intent that was recorded for it; empty if there is none.
    pub intent: Vec<u8>,
}

/// Ends the sleep of the supervisor for something that isn't in the table: see [`Supervisor::alarm`].
pub struct Alarm(Arc<Map>);

impl Alarm {
    /// Ends a sleep that has begun or will begin before the next [`collect`](Supervisor::collect). Publish what it is
    /// rung for first. Cost: a system call, only if the supervisor sleeps.
    pub fn ring(&self) {
        self.0.events(AT_DONE_EVENTS).notify(1);
    }
}

/// Creates a table, offers tasks and collects outcomes. There is one per table; dropping it closes the table.
pub struct Supervisor {
    memfd: OwnedFd,
    map: Arc<Map>,
    layout: Layout,
    /// Oldest first, so that slots are offered round robin, in the order in which the workers search them.
    free: VecDeque<u32>,
    /// By slot: whether it holds a task. The words can't tell: a worker that runs wild may have written them.
    is_used: Vec<bool>,
    /// The event count of finished tasks, as observed when the last [`collect`](Self::collect) began.
    seen: Observed,
    closed: bool,
}

impl Supervisor {
    /// Creates a table in fresh sealed shared memory of at most [`Config::memory_bytes`].
    ///
    /// # Errors
    /// [`TableError::Config`] for a bound out of range, [`TableError::System`] if the system refuses the memory.
    pub fn create(config: Config) -> Result<Self, TableError> {
        let layout = Layout::of(config)?;
        let (memfd, map) = Map::create(&layout)?;
        let seen = map.events(AT_DONE_EVENTS).observe();
        let (free, is_used) = ((0..config.slot_count).collect(), vec![false; config.slot_count as usize]);
        Ok(Self { memfd, map: Arc::new(map), layout, free, is_used, seen, closed: false })
    }

    /// The descriptor that a worker process must inherit. It is close-on-exec: pass a duplicate.
    pub fn memfd(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }

    /// Makes `task` ready for any worker. Cost: one copy of it; a system call only if a worker sleeps.
    ///
    /// # Errors
    /// [`OfferError`]; the table is unchanged then.
    pub fn offer(&mut self, task: &[u8]) -> Result<SlotId, OfferError> {
        self.offer_after(0, task)
    }

    /// As [`offer`](Self::offer), for a task that is given up at the first death.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn offer_once(&mut self, task: &[u8]) -> Result<SlotId, OfferError> {
        self.offer_after(self.layout.config.deaths_max - 1, task)
    }

    fn offer_after(&mut self, deaths: u8, task: &[u8]) -> Result<SlotId, OfferError> {
        let max = self.layout.bytes_max(Part::Task);
        if self.closed {
            return Err(OfferError::Closed);
        }
        if task.len() > max {
            return Err(OfferError::TooLong { max });
        }
        let id = self.free.pop_front().ok_or(OfferError::Full)?;
        let slot = id as usize;
        // O1. A worker that reads any of these bytes under an older lease then finds that lease lost (T2).
        fence(Ordering::Release);
        self.intents(slot).clear();
        self.map.put(&self.layout, slot, Part::Task, task);
        self.slots().offer(slot, deaths);
        self.is_used[slot] = true;
        self.work_events().notify(1);
        Ok(SlotId(id))
    }

    /// Takes the outcomes of all finished tasks and frees their slots. Never sleeps. Cost: one load per slot, one
    /// copy of each outcome. A task whose word is corrupt is finished too, with an empty outcome.
    pub fn collect(&mut self) -> Vec<Finished> {
        self.seen = self.map.events(AT_DONE_EVENTS).observe();
        let mut finished = Vec::new();
        for id in 0..self.layout.config.slot_count {
            let slot = id as usize;
            if !self.is_used[slot] {
                continue;
            }
            if self.slots().is_done(slot) {
                finished.push(Finished { slot: SlotId(id), outcome: self.outcome(slot) });
                self.slots().collect(slot);
                self.free(id);
            } else if self.slots().is_corrupt(slot) {
                finished.push(Finished { slot: SlotId(id), outcome: Vec::new() });
                self.slots().clear(slot);
                self.free(id);
            }
        }
        finished
    }

    /// Sleeps until a task is finished that the last [`collect`](Self::collect) did not see, at most `timeout`. Returns
    /// whether there may be something to collect; if not, check the workers.
    ///
    /// If a worker is killed just before it would wake the supervisor, this call sleeps until the timeout or until an
    /// [`Alarm`] is rung, as the death of a worker should do.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.map.events(AT_DONE_EVENTS).sleep(self.seen, Some(&Deadline::after(timeout))) == Wakeup::Woken
    }

    /// Ends the sleep of [`wait`](Self::wait) from any thread of this process.
    pub fn alarm(&self) -> Alarm {
        Alarm(self.map.clone())
    }

    /// Wakes every worker if a task is ready. To be called now and then: a worker that was woken for a task and then
    /// stopped (SIGSTOP) has taken the wake-up with it. Cost: one load per slot, one system call if a task is ready.
    pub fn rouse(&self) {
        let is_ready = |slot: &usize| self.is_used[*slot] && self.slots().load(*slot).is(State::Ready);
        if (0..self.is_used.len()).any(|slot| is_ready(&slot)) {
            self.work_events().notify_uncounted();
        }
    }

    /// Reclaims the leases of a dead owner: its tasks become ready again, or are given up after
    /// [`Config::deaths_max`] deaths. The death counts for each of its tasks, though at most one is the cause: a caller
    /// whose workers run several at once finds the guilty one by running each suspect alone
    /// ([`offer_once`](Self::offer_once)).
    ///
    /// Call it when the owner's process has *exited* (its pidfd is readable), and before another process gets its
    /// number. An owner that is reaped alive is fenced: it can't finish the reclaimed tasks. But the bytes of an
    /// outcome that it is writing at that moment could mix with those of the next attempt, and leases that it claims
    /// afterwards stay its own until it is reaped again. Cost: two loads per slot.
    pub fn reap(&mut self, owner: u16) -> Reaped {
        let mut reaped = Reaped::default();
        let suspicion = Suspicion::of_death(self.layout.config.deaths_max);
        for id in 0..self.layout.config.slot_count {
            if !self.is_used[id as usize] {
                continue;
            }
            match self.slots().reap(id as usize, owner, suspicion) {
                Fate::Untouched => {}
                Fate::Reclaimed => reaped.reclaimed.push(SlotId(id)),
                Fate::Poisoned => {
                    reaped
                        .poisoned
                        .push(Poisoned { slot: SlotId(id), intent: self.intents(id as usize).latest() });
                    self.free(id);
                }
            }
        }
        // R3: all workers, even if no task was reclaimed, as the dead worker may have taken a wake-up with it.
        self.work_events().notify(ALL);
        reaped
    }

    /// Takes back the tasks that no worker has claimed, for a run that ends early. Cost: one load per slot.
    pub fn withdraw(&mut self) -> Vec<SlotId> {
        let ready = |id: &u32| self.is_used[*id as usize] && self.slots().withdraw(*id as usize);
        let withdrawn: Vec<u32> = (0..self.layout.config.slot_count).filter(ready).collect();
        withdrawn.iter().for_each(|id| self.free(*id));
        withdrawn.into_iter().map(SlotId).collect()
    }

    /// The deaths of workers that ran the task so far.
    pub fn deaths(&self, slot: SlotId) -> u8 {
        self.slots().load(slot.index()).suspicion()
    }

    /// The owners in whose names tasks are running. One that never was or is gone comes from a corrupt word:
    /// [`reap`](Self::reap) it like a dead one. Cost: one load per slot.
    pub fn owners(&self) -> Vec<u16> {
        let used = (0..self.is_used.len()).filter(|slot| self.is_used[*slot]);
        let mut owners: Vec<u16> = used.filter_map(|slot| self.slots().owner(slot)).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// The tasks that are running: each with its owner and the generation of the lease, which differs for every
    /// attempt. Cost: one load per slot.
    pub fn running(&self) -> impl Iterator<Item = (SlotId, u16, u32)> {
        let used = (0..self.layout.config.slot_count).filter(|id| self.is_used[*id as usize]);
        used.filter_map(|id| {
            let word = self.slots().load(id as usize);
            word.is(State::Running).then(|| (SlotId(id), word.owner(), word.generation()))
        })
    }

    fn free(&mut self, id: u32) {
        self.is_used[id as usize] = false;
        self.free.push_back(id);
    }

    /// The number of tasks that the table can hold.
    pub fn slot_count(&self) -> usize {
        self.layout.config.slot_count as usize
    }

    /// The number of tasks that were offered and neither collected, poisoned nor withdrawn.
    pub fn outstanding(&self) -> usize {
        self.slot_count() - self.free.len()
    }

    /// Refuses further tasks; each worker then sees [`Next::Closed`](super::Next::Closed) once no task is ready.
    /// Close when no task is [`outstanding`](Self::outstanding): one that is reclaimed later may find no worker any
    /// more.
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
