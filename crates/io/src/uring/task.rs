//! [`Io`] on a ring, for one job.
//!
//! Owns: the time and byte accounts of one job, the way of each operation to its place and back.
//! Does not own: the ring, the table of places.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::connect;
use super::driver::Taken;
use super::executor::Core;
use super::gathering;
use super::jobs::JobId;
use super::placement::{Attempt, Place, Placed, attempt};
use super::pool::Work;
use super::request::Request;
use super::slab::Key;
use crate::blocking::fill_random;
use crate::op::{Completion, Found, Op, Value};
use crate::{Buf, Directory, Durability, Io, Kept, Meter, Publish, Published, cancelled};

/// The operations of one job on a ring. Only that job may await them, and only while its ring runs.
pub struct TaskIo {
    core: Rc<Core>,
    meter: Cell<Meter>,
}

impl TaskIo {
    pub(super) fn new(core: Rc<Core>) -> Self {
        Self { core, meter: Cell::default() }
    }

    /// What was spent since the last call. Operations that overlap within one (the attempts of a connect) count each.
    pub fn take_meter(&self) -> Meter {
        self.meter.take()
    }

    fn account(&self, change: impl FnOnce(&mut Meter)) {
        let mut meter = self.meter.get();
        change(&mut meter);
        self.meter.set(meter);
    }

    fn placed(&self, change: impl FnOnce(&mut Placed)) {
        let mut placed = self.core.placed.get();
        change(&mut placed);
        self.core.placed.set(placed);
    }

    async fn attempt(&self, op: Op) -> Completion {
        let submitted = self.core.read_clock();
        let attempted = attempt(op, &self.core.cancel);
        match attempted {
            Attempt::Done(completion) => {
                let device = self.core.read_clock() - submitted;
                self.account(|meter| {
                    meter.device += device;
                    meter.ops += 1;
                });
                self.placed(|placed| placed.inline += 1);
                completion
            }
            Attempt::Ring(op) => self.ring(op).await,
            Attempt::Pool(op) => self.pool(Work::One(op)).await,
        }
    }

    /// As [`Io::write_file`], in one go on a pool thread.
    async fn write_file_by_pool(&self, publish: Publish, content: Buf) -> Found<Published> {
        let Completion { result, buf } = self.pool(Work::WriteFile(publish, content)).await;
        let result = result.map(|value| match value {
            Value::Published(published) => published,
            other => panic!("expected what was published, got {other:?}"),
        });
        (result, buf.expect("the content comes back"))
    }

    async fn ring(&self, op: Op) -> Completion {
        let now = self.core.read_clock();
        let deadline = match &op {
            Op::Recv { timeout, .. } | Op::Send { timeout, .. } => now.checked_add(*timeout),
            _ => None,
        };
        let request = match Request::new(op) {
            Ok(request) => request,
            Err(refused) => return refused,
        };
        self.placed(|placed| placed.ring += 1);
        let (request, result) = self.start(request, deadline).await;
        request.complete(result)
    }

    async fn pool(&self, work: Work) -> Completion {
        self.placed(|placed| placed.pool += 1);
        let in_flight = self.start(Request::Pooled { completion: None }, None);
        self.core.pool.submit(in_flight.key, work);
        let (request, result) = in_flight.await;
        request.complete(result)
    }

    async fn sleep_for(&self, duration: Duration) -> Completion {
        self.placed(|placed| placed.timer += 1);
        let (request, result) = self.start(Request::Timer, Instant::now().checked_add(duration)).await;
        request.complete(result)
    }

    /// Starts `request` for the job that runs now.
    ///
    /// # Panics
    /// If none does.
    pub(super) fn start(&self, request: Request, deadline: Option<Instant>) -> InFlight<'_> {
        let job = self.core.current.get().expect("operations are awaited by jobs of the ring, while it runs");
        let key = self.core.driver.borrow_mut().start(request, job, deadline);
        self.core.awaited.borrow_mut()[job.index()] += 1;
        InFlight { io: self, key, job, over: false }
    }
}

impl Io for TaskIo {
    async fn submit(&self, op: Op) -> Completion {
        if self.core.cancel.is_triggered() && op.is_refused_when_cancelled() {
            return op.refuse(cancelled());
        }
        match (Place::of(&op), op) {
            (Place::Inline | Place::CachedElseRing, op) => self.attempt(op).await,
            // A look at what is there: the ring would have to be turned twice for it.
            (_, op @ Op::Recv { timeout: Duration::ZERO, .. }) => self.attempt(op).await,
            (_, Op::Connect { addresses, timeout }) => {
                self.placed(|placed| placed.ring += 1);
                let connected = connect::race(self, &addresses, timeout).await;
                Completion::new(connected.map(Value::Socket))
            }
            (_, Op::Sleep { duration }) => self.sleep_for(duration).await,
            (Place::Pool, Op::Resolve { names, host, port }) => match names.known(&host, port) {
                Some(known) => {
                    self.placed(|placed| placed.inline += 1);
                    Completion::new(known.map(Value::Addresses))
                }
                None => self.pool(Work::One(Op::Resolve { names, host, port })).await,
            },
            (Place::Pool, op) => self.pool(Work::One(op)).await,
            (Place::Ring | Place::Timer, op) => self.ring(op).await,
        }
    }

    fn now(&self) -> Duration {
        self.core.clock.get() - self.core.started
    }

    fn random(&self, out: &mut [u8]) {
        fill_random(out);
    }

    fn progress(&self, bytes: u64) {
        self.account(|meter| meter.bytes += bytes);
        self.core.progress.fetch_add(bytes, Ordering::Relaxed);
    }

    fn kept(&self) -> Option<&RefCell<Kept>> {
        Some(&self.core.kept)
    }

    fn take_buf(&self, capacity: usize) -> Buf {
        self.core.spare.borrow_mut().take(capacity)
    }

    fn give_buf(&self, buf: Buf) {
        self.core.spare.borrow_mut().give(buf);
    }

    /// Lets the ring turn once.
    async fn yield_now(&self) {
        let job = self.core.current.get().expect("jobs yield while their ring runs");
        self.core.wake([job]);
        let _awaiting = Awaiting::new(&self.core, job);
        let mut polled = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    async fn sync_directory(&self, directory: &Directory) -> io::Result<()> {
        gathering::sync(self, &self.core, directory).await
    }

    /// Step by step where the file is synced, because the ring syncs many files at once; else in one go on a pool thread,
    /// which leaves this thread to the other jobs.
    async fn write_file(&self, publish: Publish, content: Buf) -> Found<Published> {
        if self.core.writes_by_pool && publish.durability == Durability::Eventual {
            self.write_file_by_pool(publish, content).await
        } else {
            crate::write_file(self, publish, content).await
        }
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

/// A request in flight. Dropping it gives the request up.
pub(super) struct InFlight<'a> {
    io: &'a TaskIo,
    key: Key,
    job: JobId,
    over: bool,
}

impl Future for InFlight<'_> {
    type Output = (Request, io::Result<u32>);

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let taken = self.io.core.driver.borrow_mut().take(self.key);
        let Some(Taken { request, result, submitted, completed }) = taken else { return Poll::Pending };
        self.over = true;
        let resumed = self.io.core.clock.get().saturating_duration_since(completed);
        self.io.account(|meter| {
            meter.device += completed.saturating_duration_since(submitted);
            meter.executor += resumed;
            meter.ops += 1;
        });
        Poll::Ready((request, result))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.io.core.awaited.borrow_mut()[self.job.index()] -= 1;
        if !self.over {
            self.io.core.driver.borrow_mut().abandon(self.key);
        }
    }
}
