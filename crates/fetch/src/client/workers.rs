//! The worker threads of a client: started as requests come in, ended when there is nothing to do.
//!
//! Owns: the queue, the threads, waking and joining them, waiting for room in the queue.
//! Does not own: what a worker does with an item.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::Duration;

use haul_engine::Closing;
use haul_io::{Blocking, Cancel};

/// Workers, and the queue that they take items from. Dropping it closes the queue; the threads end on their own when it
/// is empty.
pub(crate) struct Workers<W: Send + 'static>(Arc<Pool<W>>);

/// How many threads and items there may be.
#[derive(Clone, Copy)]
pub(crate) struct WorkerLimits {
    pub(crate) threads_max: usize,
    pub(crate) queue_max: usize,
    /// How long a thread waits for an item before it ends.
    pub(crate) idle_timeout: Duration,
}

/// Why an item was not queued.
pub(crate) enum Refused {
    Full,
    Closed,
    NoThread(io::Error),
}

struct Pool<W> {
    state: Mutex<State<W>>,
    /// An item has come, or the queue was closed.
    arrived: Condvar,
    limits: WorkerLimits,
    cancel: Cancel,
    handle: Box<Handle<W>>,
}

/// What a worker does with an item.
type Handle<W> = dyn Fn(&Blocking, W) + Send + Sync;

struct State<W> {
    items: VecDeque<W>,
    /// Threads that wait for an item.
    idle: usize,
    threads: HashMap<u64, JoinHandle<()>>,
    /// The number of the next thread.
    next: u64,
    is_closed: bool,
    /// Tasks that wait for room in the queue.
    wakers: Vec<Waker>,
}

impl<W: Send + 'static> Workers<W> {
    /// Workers that call `handle` for each item. No thread starts before the first item.
    ///
    /// A panic in `handle` ends that item, not the thread. Triggering the [`Blocking::cancel`] that `handle` gets
    /// interrupts that thread's current item only.
    pub(crate) fn new(
        limits: WorkerLimits,
        cancel: Cancel,
        handle: impl Fn(&Blocking, W) + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            items: VecDeque::new(),
            idle: 0,
            threads: HashMap::new(),
            next: 0,
            is_closed: false,
            wakers: Vec::new(),
        };
        let state = Mutex::new(state);
        Self(Arc::new(Pool { state, arrived: Condvar::new(), limits, cancel, handle: Box::new(handle) }))
    }

    /// Queues `item`, and starts a thread for it if none is idle and there may be more. Never sleeps.
    pub(crate) fn submit(&self, item: W) -> Result<(), (Refused, W)> {
        let pool = &self.0;
        let mut state = pool.lock();
        if state.is_closed {
            return Err((Refused::Closed, item));
        }
        if state.items.len() >= pool.limits.queue_max {
            return Err((Refused::Full, item));
        }
        let is_short = state.items.len() >= state.idle && state.threads.len() < pool.limits.threads_max;
        if is_short
            && let Err(error) = pool.start_thread(&mut state)
            && state.threads.is_empty()
        {
            return Err((Refused::NoThread(error), item));
        }
        state.items.push_back(item);
        drop(state);
        pool.arrived.notify_one();
        Ok(())
    }

    /// Whether there is room in the queue, or none will come. If not, `waker` is woken when that changes.
    pub(crate) fn poll_ready(&self, waker: &Waker) -> bool {
        // Cloning and dropping a waker runs foreign code, which must not happen under the lock.
        let waker = waker.clone();
        let mut state = self.0.lock();
        if state.is_closed || state.items.len() < self.0.limits.queue_max {
            return true;
        }
        if state.wakers.iter().any(|known| known.will_wake(&waker)) {
            drop(state);
            return false;
        }
        state.wakers.push(waker);
        false
    }

    /// Threads that there are.
    #[cfg(test)]
    pub(crate) fn thread_count(&self) -> usize {
        self.0.lock().threads.len()
    }

    /// Closes the queue, finishes or cancels what is in it, and joins the threads.
    pub(crate) fn close(&self, closing: Closing) {
        self.end(closing);
        let threads = std::mem::take(&mut self.0.lock().threads);
        let this_thread = std::thread::current().id();
        // A handler that closes its own pool can't be joined by itself; its thread ends afterwards.
        for thread in threads.into_values().filter(|thread| thread.thread().id() != this_thread) {
            let _ = thread.join();
        }
    }

    /// Closes the queue, and returns at once.
    pub(crate) fn end(&self, closing: Closing) {
        if closing == Closing::Cancel {
            self.0.cancel.trigger();
        }
        let mut state = self.0.lock();
        state.is_closed = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.0.arrived.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<W: Send + 'static> Pool<W> {
    /// No foreign code runs under this lock, so that a poisoned state is still consistent.
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Self>, state: &mut State<W>) -> io::Result<()> {
        let (number, cancel, pool) = (state.next, self.cancel.child()?, self.clone());
        let builder = std::thread::Builder::new().name(format!("haul-{number}"));
        let thread = builder.spawn(move || pool.work(number, &Blocking::new(cancel)))?;
        state.threads.insert(number, thread);
        state.next += 1;
        Ok(())
    }

    /// The body of a thread.
    fn work(&self, number: u64, io: &Blocking) {
        while let Some(item) = self.next(number) {
            io.cancel().reset();
            // The panic hook has reported the panic.
            let _ = catch_unwind(AssertUnwindSafe(|| (self.handle)(io, item)));
        }
    }

    /// The next item; `None` if the thread ends.
    fn next(&self, number: u64) -> Option<W> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                let wakers = std::mem::take(&mut state.wakers);
                drop(state);
                wakers.into_iter().for_each(Waker::wake);
                return Some(item);
            }
            if state.is_closed {
                return None;
            }
            state.idle += 1;
            let waited = self.arrived.wait_timeout(state, self.limits.idle_timeout);
            let (back, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = back;
            state.idle -= 1;
            if timeout.timed_out() && state.items.is_empty() && !state.is_closed {
                // Its handle goes with it: a thread that has ended by itself isn't joined.
                state.threads.remove(&number);
                return None;
            }
        }
    }
}

impl<W: Send + 'static> Drop for Workers<W> {
    fn drop(&mut self) {
        self.end(Closing::Finish);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn limits(threads_max: usize, queue_max: usize) -> WorkerLimits {
        WorkerLimits { threads_max, queue_max, idle_timeout: Duration::from_secs(60) }
    }

    #[test]
    fn threads_start_as_items_come_and_no_more_than_allowed() {
        let (gate, done) = (Arc::new(Barrier::new(4)), Arc::new(AtomicUsize::new(0)));
        let (held, count) = (gate.clone(), done.clone());
        let workers = Workers::new(limits(3, 10), Cancel::new().unwrap(), move |_, ()| {
            held.wait();
            count.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(workers.thread_count(), 0);
        for threads in [1, 2, 3, 3, 3, 3] {
            assert!(workers.submit(()).is_ok());
            assert_eq!(workers.thread_count(), threads);
        }
        gate.wait();
        gate.wait();
        workers.close(Closing::Finish);
        assert_eq!((done.load(Ordering::SeqCst), workers.thread_count()), (6, 0));
        assert!(matches!(workers.submit(()), Err((Refused::Closed, ()))));
    }

    #[test]
    fn idle_threads_end_and_others_start_in_their_place() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let short = WorkerLimits { idle_timeout: Duration::from_millis(1), ..limits(2, 10) };
        let workers = Workers::new(short, Cancel::new().unwrap(), move |_, number: u32| {
            sender.send(number).unwrap();
        });
        for number in 0..3 {
            assert!(workers.submit(number).is_ok());
            assert_eq!(receiver.recv(), Ok(number));
            while workers.thread_count() > 0 {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn a_panic_ends_an_item_and_not_its_thread() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let workers = Workers::new(limits(1, 10), Cancel::new().unwrap(), move |_, panics: bool| {
            assert!(!panics, "a handler");
            sender.send(()).unwrap();
        });
        assert!(workers.submit(true).is_ok() && workers.submit(false).is_ok());
        receiver.recv().unwrap();
        assert_eq!(workers.thread_count(), 1);
    }

    #[test]
    fn a_pool_that_closes_itself_does_not_wait_for_itself() {
        let slot: Arc<Mutex<Option<Workers<()>>>> = Arc::default();
        let (sender, receiver) = std::sync::mpsc::channel();
        let own = slot.clone();
        let workers = Workers::new(limits(1, 1), Cancel::new().unwrap(), move |_, ()| {
            let workers = own.lock().unwrap().take().unwrap();
            workers.close(Closing::Finish);
            sender.send(()).unwrap();
        });
        let mut place = slot.lock().unwrap();
        assert!(workers.submit(()).is_ok());
        *place = Some(workers);
        drop(place);
        receiver.recv().unwrap();
    }

    #[test]
    fn a_full_queue_refuses_and_wakes_when_there_is_room() {
        struct Counter(AtomicUsize);
        impl std::task::Wake for Counter {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let gate = Arc::new(Barrier::new(2));
        let held = gate.clone();
        let workers = Workers::new(limits(1, 1), Cancel::new().unwrap(), move |_, ()| {
            held.wait();
        });
        assert!(workers.submit(()).is_ok());
        // Until the only thread has taken the first item, the queue is full.
        while workers.submit(()).is_err() {
            std::thread::yield_now();
        }
        assert!(matches!(workers.submit(()), Err((Refused::Full, ()))));
        let counter = Arc::new(Counter(AtomicUsize::new(0)));
        let waker = Waker::from(counter.clone());
        assert!(!workers.poll_ready(&waker) && !workers.poll_ready(&waker));
        gate.wait();
        while !workers.poll_ready(Waker::noop()) {
            std::thread::yield_now();
        }
        gate.wait();
        workers.close(Closing::Finish);
        assert_eq!(counter.0.load(Ordering::SeqCst), 1, "it was registered once");
        assert!(workers.poll_ready(&waker), "no room comes any more: the caller is told by submitting");
    }
}
