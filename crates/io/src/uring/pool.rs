//! Threads for work that would block the ring's thread.
//!
//! A thread is started when there is work and none is idle, up to the bound. Completions go into a list, and the ring
//! is woken by its own protocol, without a system call while it is awake.
//!
//! Owns: the threads, the queue of work, the list of completions.
//! Does not own: which operations come here ([`super::placement`]).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::ring::park::Park;
use super::ring::pending::PooledCompletion;
use super::ring::slab::Key;
use crate::names::answer::{Answer, at_port};
use crate::{Blocking, Buf, Cancel, Completion, Io, Names, Op, Publish, Value, run_ready};

/// One piece of work for a thread.
pub(super) enum Work {
    One(Op),
    WriteFile(Publish, Buf),
}

pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: RefCell<Vec<JoinHandle<()>>>,
    threads_max: usize,
    /// Why the system refused a thread.
    refused: Cell<Option<io::Error>>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Work was added, or the pool was closed.
    changed: Condvar,
    done: Mutex<Vec<PooledCompletion>>,
    park: Arc<Park>,
    cancel: Cancel,
}

struct Queue {
    work: VecDeque<(Key, Work)>,
    /// Threads that wait for work.
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(super) fn new(threads_max: usize, park: Arc<Park>, cancel: Cancel) -> Self {
        let queue = Mutex::new(Queue { work: VecDeque::new(), idle: 0, closed: false });
        let shared = Shared { queue, changed: Condvar::new(), done: Mutex::default(), park, cancel };
        Self {
            shared: Arc::new(shared),
            threads: RefCell::default(),
            threads_max: threads_max.max(1),
            refused: Cell::default(),
        }
    }

    /// Hands `work` to a thread. If the system can't start even one, the caller's thread does it.
    pub(super) fn submit(&self, key: Key, work: Work) {
        let mut queue = lock(&self.shared.queue);
        queue.work.push_back((key, work));
        let must_grow = queue.work.len() > queue.idle;
        drop(queue);
        self.shared.changed.notify_one();
        let mut threads = self.threads.borrow_mut();
        if must_grow && threads.len() < self.threads_max {
            let shared = self.shared.clone();
            let name = "haul-ring-pool".to_owned();
            match std::thread::Builder::new().name(name).spawn(move || serve(&shared)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    self.refused.set(Some(error));
                    if threads.is_empty() {
                        self.do_one_here();
                    }
                }
            }
        }
    }

    /// Looks `host` up by `names`, which has threads of its own.
    pub(super) fn look_up(&self, key: Key, names: &Names, host: &str, port: u16) {
        let shared = self.shared.clone();
        let callback = move |answer: &Answer| {
            let addresses = at_port(answer, port).map(Value::Addresses);
            shared.complete(key, Ok(Completion::new(addresses)));
        };
        names.find_then(host, Box::new(callback));
    }

    /// The number of threads, and why there is no further one, if the system refused it.
    pub(super) fn take_refusal(&self) -> Option<(usize, io::Error)> {
        self.refused.take().map(|error| (self.threads.borrow().len(), error))
    }

    fn do_one_here(&self) {
        let next = lock(&self.shared.queue).work.pop_front();
        if let Some((key, work)) = next {
            finish(&self.shared, key, work, &Blocking::new(self.shared.cancel.clone()));
        }
    }

    /// Takes the completions since the last call.
    pub(super) fn take_done(&self) -> Vec<PooledCompletion> {
        std::mem::take(&mut *lock(&self.shared.done))
    }

    /// Drops the work that no thread has started, and waits for the rest.
    pub(super) fn close(&self) {
        let mut queue = lock(&self.shared.queue);
        queue.closed = true;
        queue.work.clear();
        drop(queue);
        self.shared.changed.notify_all();
        for thread in self.threads.borrow_mut().drain(..) {
            // A thread catches the panics of its work and can't panic otherwise.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn complete(&self, key: Key, completion: std::thread::Result<Completion>) {
        lock(&self.done).push(PooledCompletion { key, completion, at: Instant::now() });
        self.park.notify();
    }
}

fn serve(shared: &Arc<Shared>) {
    let io = Blocking::new(shared.cancel.clone());
    while let Some((key, work)) = next(shared) {
        finish(shared, key, work, &io);
    }
}

fn next(shared: &Shared) -> Option<(Key, Work)> {
    let mut queue = lock(&shared.queue);
    loop {
        if let Some(work) = queue.work.pop_front() {
            return Some(work);
        }
        if queue.closed {
            return None;
        }
        queue.idle += 1;
        queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        queue.idle -= 1;
    }
}

fn finish(shared: &Arc<Shared>, key: Key, work: Work, io: &Blocking) {
    let completion = catch_unwind(AssertUnwindSafe(|| carry_out(io, work)));
    shared.complete(key, completion);
}

fn carry_out(io: &Blocking, work: Work) -> Completion {
    match work {
        Work::One(op) => run_ready(io.submit(op)),
        Work::WriteFile(publish, content) => {
            let (result, content) = run_ready(crate::write_file(io, publish, content));
            Completion { result: result.map(Value::Published), buf: Some(content) }
        }
    }
}

/// Nothing panics under these locks, so a poisoned one is still consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
