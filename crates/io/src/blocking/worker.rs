//! [`Io`] by blocking system calls: every operation is complete when it returns.
//!
//! Owns: the account of one worker, its spare buffers and open directories.
//! Does not own: the system calls ([`super::perform`]).

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::perform::attempt;
use crate::system::deadline::{Deadline, wait};
use crate::system::random::fill_random;
use crate::system::room::cached_max;
use crate::system::shortage::{Patience, Patient};
use crate::{
    Buf, BufResult, Cancel, Completion, DirectoryCache, Io, Meter, Op, Publish, Published, cancelled,
};

/// Blocking system calls, for a worker that runs one job at a time.
pub struct Blocking {
    cancel: Cancel,
    start: Instant,
    meter: Cell<Meter>,
    progress: Arc<AtomicU64>,
    spare: RefCell<Vec<Buf>>,
    directory_cache: RefCell<DirectoryCache>,
    pub(crate) patience: Patience,
    activity: Arc<AtomicU64>,
}

/// Buffers that a worker keeps for its next jobs, at most.
const SPARE_BUFFERS_MAX: usize = 4;
/// Directories that a worker keeps open, at most: those of sources and of results, each with its parent.
const DIRECTORIES_MAX: usize = 4;

impl Blocking {
    /// Operations that `cancel` can interrupt. The clock starts here.
    pub fn new(cancel: Cancel) -> Self {
        Self::counting(cancel, Arc::default())
    }

    /// As [`Blocking::new`]; payload bytes are added to `progress` as jobs report them.
    pub fn counting(cancel: Cancel, progress: Arc<AtomicU64>) -> Self {
        let (meter, spare) = (Cell::default(), RefCell::default());
        let directory_cache = RefCell::new(DirectoryCache::new(cached_max(DIRECTORIES_MAX)));
        Self {
            cancel,
            start: Instant::now(),
            meter,
            progress,
            spare,
            directory_cache,
            patience: Patience::default(),
            activity: Arc::default(),
        }
    }

    /// A count that rises with every operation, for threads that watch whether this worker goes on.
    pub fn activity(&self) -> &Arc<AtomicU64> {
        &self.activity
    }

    /// The switch that interrupts the operations.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Takes what was spent since the last call.
    pub fn take_meter(&self) -> Meter {
        self.meter.take()
    }
}

impl Blocking {
    /// Carries out `op`, again and again while what it needs is short.
    fn perform(&self, mut op: Op) -> Completion {
        let mut has_waited = false;
        loop {
            match attempt(&mut op, &self.cancel) {
                Err(error) if op.is_repeatable_after(&error) && self.waits(&error) => has_waited = true,
                result => {
                    if result.is_ok() && (has_waited || op.makes_descriptor()) {
                        self.patience.reset();
                    }
                    return Completion { result, buf: op.into_buf() };
                }
            }
        }
    }

    /// Waits for other workers to free what `error` says is short. Returns false if there is no sense in trying again.
    fn waits(&self, error: &io::Error) -> bool {
        match self.patience.after(error, || self.directory_cache.borrow_mut().close_all()) {
            Patient::TryAgain => true,
            Patient::Wait(pause) => {
                let pause = Deadline::after(pause);
                wait(&mut [PollFd::new(&self.cancel, PollFlags::IN)], pause).is_err()
            }
            Patient::GiveUp => false,
        }
    }
}

impl Io for Blocking {
    async fn submit(&self, op: Op) -> Completion {
        if self.cancel.is_triggered() && op.is_refused_when_cancelled() {
            return op.refuse(cancelled());
        }
        let submitted = Instant::now();
        let completion = self.perform(op);
        self.activity.fetch_add(1, Ordering::Relaxed);
        let mut meter = self.meter.get();
        meter.device += submitted.elapsed();
        meter.ops += 1;
        self.meter.set(meter);
        completion
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn random(&self, out: &mut [u8]) {
        fill_random(out);
    }

    fn progress(&self, bytes: u64) {
        let mut meter = self.meter.get();
        meter.bytes += bytes;
        self.meter.set(meter);
        self.progress.fetch_add(bytes, Ordering::Relaxed);
    }

    fn directory_cache(&self) -> Option<&RefCell<DirectoryCache>> {
        Some(&self.directory_cache)
    }

    async fn write_file(&self, publish: Publish, content: Buf) -> BufResult<Published> {
        crate::write_file(self, publish, content).await
    }

    fn take_buf(&self, capacity: usize) -> Buf {
        let mut spare = self.spare.borrow_mut();
        match spare.iter().position(|buf| buf.capacity() == capacity) {
            Some(index) => spare.swap_remove(index),
            None => Buf::with_capacity(capacity),
        }
    }

    fn give_buf(&self, mut buf: Buf) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() == SPARE_BUFFERS_MAX {
            spare.remove(0);
        }
        buf.clear();
        spare.push(buf);
    }
}

/// Runs a job on [`Blocking`] to its end, in a single poll, and returns its result.
///
/// # Panics
/// If the job awaits anything but its `Io`.
pub fn run_ready<F: Future>(job: F) -> F::Output {
    match pin!(job).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a job awaited something other than its operations"),
    }
}
