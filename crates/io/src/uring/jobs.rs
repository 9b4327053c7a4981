//! The jobs that a ring runs.
//!
//! Owns: jobs and their names.
//! Does not own: when a job is polled ([`super::executor`]).

use std::pin::Pin;

/// A job of one ring; it reports its result by means of its own.
pub type LocalJob<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What the one who feeds a ring has for it.
pub enum Feed<J> {
    /// A job.
    Job(J),
    /// Nothing now. The ring asks again when something completed, when it was unparked, and at the latest after this time
    /// ([`Duration::MAX`](std::time::Duration::MAX): no latest time).
    Wait(std::time::Duration),
    /// Nothing ever.
    End,
}

/// The name of a job for as long as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JobId {
    index: usize,
    generation: u64,
}

impl JobId {
    /// A job that there is not, for tests beneath the jobs.
    #[cfg(test)]
    pub(super) const NONE: Self = Self { index: 0, generation: u64::MAX };

    /// The place of the job, below the bound on jobs in flight.
    pub(super) fn index(self) -> usize {
        self.index
    }
}

pub(super) struct Jobs<'a> {
    places: Vec<(u64, Option<LocalJob<'a>>)>,
    free: Vec<usize>,
}

impl<'a> Jobs<'a> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { places: (0..capacity).map(|_| (0, None)).collect(), free: (0..capacity).rev().collect() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }

    /// # Panics
    /// If it is full.
    pub(super) fn insert(&mut self, job: LocalJob<'a>) -> JobId {
        let index = self.free.pop().expect("the caller asked whether there is room");
        self.places[index].1 = Some(job);
        JobId { index, generation: self.places[index].0 }
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<&mut LocalJob<'a>> {
        let (generation, job) = &mut self.places[id.index];
        if *generation == id.generation { job.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, id: JobId) -> Option<LocalJob<'a>> {
        let (generation, job) = &mut self.places[id.index];
        if *generation != id.generation {
            return None;
        }
        *generation += 1;
        self.free.push(id.index);
        job.take()
    }
}
