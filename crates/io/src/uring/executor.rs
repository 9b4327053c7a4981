//! The single thread that polls jobs when their operations have completed.
//!
//! A job's future is polled with a waker that does nothing, because the driver knows which job awaits a completion. So
//! a job may await nothing but its `Io`, as with the blocking execution.
//!
//! Owns: the loop, the job that is being polled, panics of jobs.
//! Does not own: the ring ([`super::ring::driver`]).

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::core::Core;
use super::jobs::{Feed, JobId, Jobs, LocalJob};

/// New jobs are started in bursts of at most this many, so that jobs which never wait don't delay the completions of
/// the others.
const BURST_MAX: usize = 16;

type Panic = Box<dyn Any + Send>;

impl Core {
    /// # Panics
    /// With the first panic of a job, after all have ended.
    pub(super) fn run<'a>(&self, mut feed: impl FnMut() -> Feed<LocalJob<'a>>) {
        assert!(self.current.get().is_none(), "a job must not run its own ring");
        let mut jobs = Jobs::with_capacity(self.in_flight_max);
        let mut panicked = None;
        let mut ready = VecDeque::new();
        let mut fed = Feed::Wait(Duration::ZERO);
        while !matches!(fed, Feed::End) || !jobs.is_empty() {
            ready = self.driver.borrow_mut().take_ready(ready);
            for job in ready.drain(..) {
                self.poll(&mut jobs, job, &mut panicked);
            }
            // Only now: the feed may wait for a job that has just ended.
            if !matches!(fed, Feed::End) {
                fed = self.refill(&mut jobs, &mut feed, &mut panicked);
            }
            let wait_max = match fed {
                _ if jobs.is_full() => Duration::MAX,
                Feed::End if jobs.is_empty() => break,
                Feed::End => Duration::MAX,
                Feed::Wait(wait_max) => wait_max,
                Feed::Job(()) => Duration::ZERO,
            };
            self.turn(wait_max);
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }

    /// Starts new jobs and returns the last answer of the feed.
    fn refill<'a>(
        &self,
        jobs: &mut Jobs<'a>,
        feed: &mut impl FnMut() -> Feed<LocalJob<'a>>,
        panicked: &mut Option<Panic>,
    ) -> Feed<()> {
        for _ in 0..BURST_MAX {
            if jobs.is_full() {
                break;
            }
            match feed() {
                Feed::Job(job) => {
                    let id = jobs.insert(job);
                    self.poll(jobs, id, panicked);
                }
                Feed::Wait(wait_max) => return Feed::Wait(wait_max),
                Feed::End => return Feed::End,
            }
        }
        Feed::Job(())
    }

    fn poll(&self, jobs: &mut Jobs<'_>, id: JobId, panicked: &mut Option<Panic>) {
        // The job may have ended meanwhile, or may have been polled already for another operation.
        let Some(job) = jobs.get_mut(id) else { return };
        self.current.set(Some(id));
        self.read_clock();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let polled = job.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let awaits = self.awaited.borrow()[id.index()] > 0;
            assert!(polled.is_ready() || awaits, "a job awaited something other than its operations");
            polled
        }));
        match polled {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) => drop(jobs.remove(id)),
            Err(panic) => {
                panicked.get_or_insert(panic);
                drop(jobs.remove(id));
            }
        }
        self.current.set(None);
    }

    fn turn(&self, wait_max: Duration) {
        let mut driver = self.driver.borrow_mut();
        if driver.turn(wait_max) {
            for done in self.pool.take_done() {
                driver.pooled(done);
            }
        }
    }
}
