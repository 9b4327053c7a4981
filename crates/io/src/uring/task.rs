//! [`Io`] on a ring, for one job.
//!
//! Owns: where each operation of the job goes and how its result comes back.
//! Does not own: the ring, the placement table, requests in flight ([`super::in_flight`]).

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::connect::connect;
use super::core::Core;
use super::directory_sync;
use super::in_flight::{Awaiting, JobContext};
use super::placement::{Placement, Refused, Trial, try_at_once};
use super::pool::Work;
use super::ring::request::Request;
use crate::system::is_ring_broken;
use crate::system::random::fill_random;
use crate::system::shortage::{Patient, is_shortage};
use crate::{
    Buf, BufResult, Completion, Directory, DirectoryCache, Durability, Io, Meter, Names, Op, Publish,
    Published, Value, cancelled,
};

/// A completion, or an operation that failed and may be tried again.
type Attempted = Result<Completion, Refused>;

/// The operations of one job on a ring. Only that job may await them, and only while its ring runs.
pub struct TaskIo(JobContext);

impl TaskIo {
    pub(super) fn new(core: Rc<Core>) -> Self {
        Self(JobContext { core, meter: Cell::default(), activity: Arc::default() })
    }

    /// Takes what was spent since the last call. Operations that overlap within one (the attempts of a connect) count
    /// each.
    pub fn take_meter(&self) -> Meter {
        self.0.meter.take()
    }

    /// As [`Blocking::activity`](crate::Blocking::activity).
    pub fn activity(&self) -> &Arc<AtomicU64> {
        &self.0.activity
    }

    async fn at_once(&self, op: Op) -> Attempted {
        let core = &self.0.core;
        let submitted = core.read_clock();
        let attempted = match try_at_once(op, &core.cancel) {
            Trial::Ring(op) => return self.ring(op).await,
            Trial::Pool(op) => return Ok(self.pool(Work::One(op)).await),
            Trial::Completed(completion) => Ok(completion),
            Trial::Failed(refused) => Err(refused),
        };
        let device = core.read_clock() - submitted;
        self.0.account(|meter| {
            meter.device += device;
            meter.ops += 1;
        });
        self.0.count_placement(|counts| counts.inline += 1);
        attempted
    }

    /// [`Io::write_file`], as one piece of work for a pool thread.
    async fn write_file_by_pool(&self, publish: Publish, content: Buf) -> BufResult<Published> {
        let Completion { result, buf } = self.pool(Work::WriteFile(publish, content)).await;
        let result = result.map(|value| match value {
            Value::Published(published) => published,
            other => panic!("expected a published file, got {other:?}"),
        });
        (result, buf.expect("the content comes back"))
    }

    async fn ring(&self, op: Op) -> Attempted {
        let core = &self.0.core;
        if core.kernel_workers_refused.get() && op.may_need_kernel_worker() || core.is_broken() {
            return Ok(self.pool(Work::One(op)).await);
        }
        let (again, is_repeatable) = (op.again(), op.is_repeatable());
        let now = self.0.core.read_clock();
        let deadline = match &op {
            Op::Recv { timeout, .. } | Op::Send { timeout, .. } => now.checked_add(*timeout),
            _ => None,
        };
        let request = match Request::new(op) {
            Ok(request) => request,
            Err(refused) => return Ok(refused),
        };
        self.0.count_placement(|counts| counts.ring += 1);
        let (request, result) = self.started(request, deadline).await;
        let Err(error) = result else { return Ok(request.complete(result)) };
        // The run's own cancellation has another error: the kernel could not start a worker for the operation.
        let lacks_worker = error.raw_os_error() == Some(Errno::CANCELED.raw_os_error());
        if lacks_worker {
            core.kernel_workers_refused.set(true);
        }
        let goes_to_pool = lacks_worker || is_ring_broken(&error);
        if !(goes_to_pool || is_repeatable && is_shortage(&error)) {
            return Ok(request.complete(Err(error)));
        }
        let left = deadline.map_or(Duration::MAX, |moment| moment.saturating_duration_since(Instant::now()));
        match again.map_or_else(|| request.into_op(left), Ok) {
            Ok(op) if goes_to_pool => Ok(self.pool(Work::One(op)).await),
            Ok(op) => Err(Refused { error, op }),
            Err(request) => Ok(request.complete(Err(error))),
        }
    }

    async fn started(&self, request: Request, deadline: Option<Instant>) -> (Request, io::Result<u32>) {
        #[cfg(test)]
        if let Err(error) = crate::system::shortage::faults::injected() {
            return (request, Err(error));
        }
        self.0.start(request, deadline).await
    }

    async fn pool(&self, work: Work) -> Completion {
        self.0.count_placement(|counts| counts.pool += 1);
        let in_flight = self.0.start(Request::Pooled { completion: None }, None);
        self.0.core.pool.submit(in_flight.key(), work);
        let (request, result) = in_flight.await;
        request.complete(result)
    }

    async fn look_up(&self, names: &Names, host: &str, port: u16, timeout: Duration) -> Completion {
        if let Some(known) = names.known(host, port) {
            self.0.count_placement(|counts| counts.inline += 1);
            return Completion::new(known.map(Value::Addresses));
        }
        self.0.count_placement(|counts| counts.pool += 1);
        let deadline = self.0.core.read_clock().checked_add(timeout);
        let in_flight = self.0.start(Request::Lookup { completion: None }, deadline);
        self.0.core.pool.look_up(in_flight.key(), names, host, port);
        let (request, result) = in_flight.await;
        request.complete(result)
    }

    /// Waits for other jobs to free what `error` says is short. Returns false if there is no sense in trying again.
    async fn waits(&self, error: &io::Error) -> bool {
        let core = &self.0.core;
        match core.patience.after(error, || core.directory_cache.borrow_mut().close_all()) {
            Patient::TryAgain => true,
            Patient::Wait(pause) => self.sleep_for(pause).await.result.is_ok(),
            Patient::GiveUp => false,
        }
    }

    async fn submit_once(&self, op: Op) -> Attempted {
        Ok(match (Placement::of(&op), op) {
            (Placement::Inline | Placement::CachedElseRing, op) => return self.at_once(op).await,
            // Only asks whether something has arrived; the ring would have to be entered twice for it.
            (_, op @ Op::Recv { timeout: Duration::ZERO, .. }) => return self.at_once(op).await,
            (_, Op::Connect { addresses, timeout }) => self.connect(addresses, timeout).await,
            (_, Op::Sleep { duration }) => self.sleep_for(duration).await,
            (_, Op::Resolve { names, host, port, timeout }) => {
                self.look_up(&names, &host, port, timeout).await
            }
            (Placement::Pool, op) => self.pool(Work::One(op)).await,
            (Placement::Ring | Placement::Timer, op) => return self.ring(op).await,
        })
    }

    async fn connect(&self, addresses: Vec<SocketAddr>, timeout: Duration) -> Completion {
        if !self.0.core.is_broken() {
            self.0.count_placement(|counts| counts.ring += 1);
            match connect(&self.0, &addresses, timeout).await {
                Err(error) if is_ring_broken(&error) => {}
                connected => return Completion::new(connected.map(Value::Socket)),
            }
        }
        self.pool(Work::One(Op::Connect { addresses, timeout })).await
    }

    async fn sleep_for(&self, duration: Duration) -> Completion {
        self.0.count_placement(|counts| counts.timer += 1);
        let (request, result) = self.0.start(Request::Timer, Instant::now().checked_add(duration)).await;
        request.complete(result)
    }
}

impl Io for TaskIo {
    async fn submit(&self, mut op: Op) -> Completion {
        let (makes_descriptor, mut has_waited) = (op.makes_descriptor(), false);
        loop {
            if self.0.core.cancel.is_triggered() && op.is_refused_when_cancelled() {
                return op.refuse(cancelled());
            }
            let attempted = self.submit_once(op).await;
            self.0.activity.fetch_add(1, Ordering::Relaxed);
            match attempted {
                Ok(completion) => {
                    if completion.result.is_ok() && (has_waited || makes_descriptor) {
                        self.0.core.patience.reset();
                    }
                    return completion;
                }
                Err(Refused { error, op: again }) => {
                    if !again.is_repeatable_after(&error) || !self.waits(&error).await {
                        return again.refuse(error);
                    }
                    op = again;
                }
            }
            has_waited = true;
        }
    }

    fn now(&self) -> Duration {
        self.0.core.clock.get() - self.0.core.started
    }

    fn random(&self, out: &mut [u8]) {
        fill_random(out);
    }

    fn progress(&self, bytes: u64) {
        self.0.account(|meter| meter.bytes += bytes);
        self.0.core.progress.fetch_add(bytes, Ordering::Relaxed);
    }

    fn directory_cache(&self) -> Option<&RefCell<DirectoryCache>> {
        Some(&self.0.core.directory_cache)
    }

    fn take_buf(&self, capacity: usize) -> Buf {
        self.0.core.spare.borrow_mut().take(capacity)
    }

    fn give_buf(&self, buf: Buf) {
        self.0.core.spare.borrow_mut().give(buf);
    }

    /// Lets the ring turn once.
    async fn yield_now(&self) {
        let core = &self.0.core;
        let job = core.current.get().expect("jobs yield while their ring runs");
        core.wake([job]);
        let _awaiting = Awaiting::new(core, job);
        let yielded = core.read_clock();
        let mut polled = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        // The clock was read when the job was resumed.
        let waited = core.clock.get().saturating_duration_since(yielded);
        self.0.account(|meter| meter.executor += waited);
    }

    async fn sync_directory(&self, directory: &Directory) -> io::Result<()> {
        directory_sync::sync(self, &self.0, directory).await
    }

    /// Step by step if the file is synced, because the ring syncs many files at once; else as one piece of work for a
    /// pool thread, which leaves this thread to the other jobs.
    async fn write_file(&self, publish: Publish, content: Buf) -> BufResult<Published> {
        if self.0.core.writes_by_pool && publish.durability == Durability::Eventual {
            self.write_file_by_pool(publish, content).await
        } else {
            crate::write_file(self, publish, content).await
        }
    }
}

#[cfg(test)]
mod tests;
