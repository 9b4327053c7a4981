//! A fixed pool of worker threads, for libraries whose callers hand in one thing at a time.
//!
//! Owns: the threads, the ring before them, waking and joining them at the end.
//! Does not own: what is handed in, what becomes of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use haul_io::{Blocking, Cancel};
use haul_queue::{Closed, Ring, TryPush};

/// Threads that carry out what is submitted, each with its own [`Blocking`] operations.
pub struct ThreadPool<W: Send + 'static> {
    ring: Arc<Ring<W>>,
    cancel: Cancel,
    threads: Vec<JoinHandle<()>>,
}

/// What happens to submitted work when a pool ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// All of it is carried out first.
    #[default]
    Finish,
    /// Running work is interrupted; work that waits is carried out with every operation refused, so that each caller is
    /// still answered.
    Cancel,
}

impl<W: Send + 'static> ThreadPool<W> {
    /// Starts `workers` threads that run `handle` on what is submitted; at most `capacity` items wait.
    ///
    /// A panic in `handle` ends that item, not the thread. [`Blocking::cancel`] of what `handle` is given interrupts one
    /// thread; it is thrown for the item at hand, and taken back before the next.
    ///
    /// # Errors
    /// When the system gives no more threads or descriptors.
    pub fn start<H>(workers: usize, capacity: usize, cancel: Cancel, handle: H) -> std::io::Result<Self>
    where
        H: Fn(&Blocking, W) + Send + Sync + 'static,
    {
        let ring = Arc::new(Ring::with_capacity(capacity));
        let handle = Arc::new(handle);
        let mut pool = Self { ring, cancel, threads: Vec::with_capacity(workers) };
        for index in 0..workers {
            let (ring, cancel, handle) = (pool.ring.clone(), pool.cancel.child()?, handle.clone());
            let thread = std::thread::Builder::new().name(format!("haul-{index}")).spawn(move || {
                let io = Blocking::new(cancel);
                while let Some(item) = ring.pop() {
                    io.cancel().reset();
                    // The panic hook has told of it; there is nobody else to tell.
                    let _ = catch_unwind(AssertUnwindSafe(|| handle(&io, item)));
                }
            })?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Hands `item` to the pool; sleeps while `capacity` items wait.
    ///
    /// # Errors
    /// Gives the item back when the pool is ending.
    pub fn submit(&self, item: W) -> Result<(), Closed<W>> {
        self.ring.push(item)
    }

    /// Hands `item` to the pool if there is room; returns at once.
    ///
    /// # Errors
    /// Gives the item back when `capacity` items wait, or when the pool is ending.
    pub fn try_submit(&self, item: W) -> Result<(), TryPush<W>> {
        self.ring.try_push(item)
    }

    /// Ends the pool: wakes every sleeping thread and joins them all.
    pub fn close(mut self, closing: Closing) {
        self.end(closing);
    }

    fn end(&mut self, closing: Closing) {
        if closing == Closing::Cancel {
            self.cancel.trigger();
        }
        self.ring.close();
        let this_thread = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // A handler may drop the last owner of the pool: a thread can't join itself, and ends by itself.
            if thread.thread().id() != this_thread {
                let _ = thread.join();
            }
        }
    }
}

impl<W: Send + 'static> Drop for ThreadPool<W> {
    /// As [`ThreadPool::close`] with [`Closing::Finish`].
    fn drop(&mut self) {
        self.end(Closing::Finish);
    }
}
