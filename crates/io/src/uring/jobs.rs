//! The jobs that a ring runs.
//!
//! Owns: jobs and their identifiers.
//! Does not own: when a job is polled ([`super::executor`]).

use std::pin::Pin;

/// A job of one ring. It reports its result by means of its own.
pub type LocalJob<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The answer of a feed that is asked for a job.
pub enum Feed<J> {
    /// A job.
    Job(J),
    /// No job now. The ring asks again when an operation completes, when it is unparked, and at the latest after this
    /// time ([`Duration::MAX`](std::time::Duration::MAX): no limit).
    Wait(std::time::Duration),
    /// No more jobs.
    End,
}

/// Identifies a job for as long as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JobId {
    index: usize,
    generation: u64,
}

impl JobId {
    /// No existing job, for tests that have none.
    #[cfg(test)]
    pub(super) const NONE: Self = Self { index: 0, generation: u64::MAX };

    /// The index of the job, below the bound on jobs in flight.
    pub(super) fn index(self) -> usize {
        self.index
    }
}

pub(super) struct Jobs<'a> {
    slots: Vec<(u64, Option<LocalJob<'a>>)>,
    free: Vec<usize>,
}

impl<'a> Jobs<'a> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { slots: (0..capacity).map(|_| (0, None)).collect(), free: (0..capacity).rev().collect() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// # Panics
    /// If it is full.
    pub(super) fn insert(&mut self, job: LocalJob<'a>) -> JobId {
        let index = self.free.pop().expect("the caller checked that there is room");
        self.slots[index].1 = Some(job);
        JobId { index, generation: self.slots[index].0 }
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<&mut LocalJob<'a>> {
        let (generation, job) = &mut self.slots[id.index];
        if *generation == id.generation { job.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, id: JobId) -> Option<LocalJob<'a>> {
        let (generation, job) = &mut self.slots[id.index];
        if *generation != id.generation {
            return None;
        }
        *generation += 1;
        self.free.push(id.index);
        job.take()
    }
}
