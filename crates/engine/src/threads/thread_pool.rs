//! A fixed pool of worker threads, for libraries whose callers submit one item at a time.
//!
//! Owns: the threads, their queue, waking and joining them at the end.
//! Does not own: the items and their results.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use haul_io::{Blocking, Cancel};
use haul_queue::{Closed, Ring, TryPush};

/// Threads that process submitted items, each with its own [`Blocking`] operations.
pub struct ThreadPool<W: Send + 'static> {
    ring: Arc<Ring<W>>,
    cancel: Cancel,
    threads: Vec<JoinHandle<()>>,
}

/// What happens to submitted items when a pool ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// All of them are processed first.
    #[default]
    Finish,
    /// Items in progress are interrupted. Queued items are processed with every operation refused, so that each caller
    /// still gets an answer.
    Cancel,
}

impl<W: Send + 'static> ThreadPool<W> {
    /// Starts `workers` threads that call `handle` for each submitted item. The queue holds `capacity` items.
    ///
    /// A panic in `handle` ends that item, not the thread. Triggering the [`Blocking::cancel`] that `handle` gets
    /// interrupts that thread's current item only; the thread resets it before the next item.
    ///
    /// If the system refuses a thread, those before it do the work.
    ///
    /// # Errors
    /// If the system refuses even the first thread, or a descriptor for it.
    pub fn start<H>(workers: usize, capacity: usize, cancel: Cancel, handle: H) -> std::io::Result<Self>
    where
        H: Fn(&Blocking, W) + Send + Sync + 'static,
    {
        let ring = Arc::new(Ring::with_capacity(capacity));
        let handle = Arc::new(handle);
        let mut pool = Self { ring, cancel, threads: Vec::with_capacity(workers) };
        for index in 0..workers {
            match pool.start_one(index, handle.clone()) {
                Ok(thread) => pool.threads.push(thread),
                Err(error) if pool.threads.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(pool)
    }

    fn start_one<H>(&self, index: usize, handle: Arc<H>) -> std::io::Result<JoinHandle<()>>
    where
        H: Fn(&Blocking, W) + Send + Sync + 'static,
    {
        let (ring, cancel) = (self.ring.clone(), self.cancel.child()?);
        std::thread::Builder::new().name(format!("haul-{index}")).spawn(move || {
            let io = Blocking::new(cancel);
            while let Some(item) = ring.pop() {
                io.cancel().reset();
                // The panic hook has reported the panic.
                let _ = catch_unwind(AssertUnwindSafe(|| handle(&io, item)));
            }
        })
    }

    /// Submits `item`, sleeping while the queue is full.
    ///
    /// # Errors
    /// Returns the item if the pool is ending.
    pub fn submit(&self, item: W) -> Result<(), Closed<W>> {
        self.ring.push(item)
    }

    /// Submits `item` if there is room in the queue. Never sleeps.
    ///
    /// # Errors
    /// Returns the item if the queue is full or the pool is ending.
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
            // If a handler drops the last owner of the pool, this is one of its threads, which can't join itself. It
            // ends on its own.
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
