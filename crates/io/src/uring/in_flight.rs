//! Requests of one job that are in flight, and the job's account.
//!
//! Owns: the job's share of the ring, the count of what it awaits.
//! Does not own: which operation becomes which request ([`super::task`]).

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};
use std::time::Instant;

use super::core::Core;
use super::jobs::JobId;
use super::placement::PlacementCounts;
use super::ring::pending::CompletedRequest;
use super::ring::request::Request;
use super::ring::slab::Key;
use crate::Meter;

/// The ring of a job, and what the job has spent on it.
pub(super) struct JobContext {
    pub(super) core: Rc<Core>,
    pub(super) meter: Cell<Meter>,
    pub(super) activity: Arc<AtomicU64>,
}

impl JobContext {
    pub(super) fn account(&self, change: impl FnOnce(&mut Meter)) {
        let mut meter = self.meter.get();
        change(&mut meter);
        self.meter.set(meter);
    }

    pub(super) fn count_placement(&self, change: impl FnOnce(&mut PlacementCounts)) {
        let mut counts = self.core.placement_counts.get();
        change(&mut counts);
        self.core.placement_counts.set(counts);
    }

    /// Starts `request` for the job that is being polled.
    ///
    /// # Panics
    /// If no job is being polled.
    pub(super) fn start(&self, request: Request, deadline: Option<Instant>) -> InFlight<'_> {
        let job = self.core.current.get().expect("operations are awaited by jobs of the ring, while it runs");
        let key = self.core.driver.borrow_mut().start(request, job, deadline);
        InFlight { context: self, key, is_taken: false, _awaiting: Awaiting::new(&self.core, job) }
    }
}

/// Counts one thing that a job awaits, for as long as it exists.
pub(super) struct Awaiting<'a> {
    core: &'a Core,
    job: JobId,
}

impl<'a> Awaiting<'a> {
    pub(super) fn new(core: &'a Core, job: JobId) -> Self {
        core.awaited.borrow_mut()[job.index()] += 1;
        Self { core, job }
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.core.awaited.borrow_mut()[self.job.index()] -= 1;
    }
}

/// A request in flight. Dropping it abandons the request.
pub(super) struct InFlight<'a> {
    context: &'a JobContext,
    key: Key,
    is_taken: bool,
    _awaiting: Awaiting<'a>,
}

impl InFlight<'_> {
    pub(super) fn key(&self) -> Key {
        self.key
    }
}

impl Future for InFlight<'_> {
    type Output = (Request, io::Result<u32>);

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let core = &self.context.core;
        let taken = core.driver.borrow_mut().take(self.key);
        let Some(CompletedRequest { request, result, submitted, completed }) = taken else {
            return Poll::Pending;
        };
        let resumed = core.clock.get().saturating_duration_since(completed);
        self.context.account(|meter| {
            meter.device += completed.saturating_duration_since(submitted);
            meter.executor += resumed;
            meter.ops += 1;
        });
        self.is_taken = true;
        Poll::Ready((request, result))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.is_taken {
            self.context.core.driver.borrow_mut().abandon(self.key);
        }
    }
}
