//! Threads for what would block the ring's thread.
//!
//! Threads are started when there is work and none is idle, up to the bound. What is done goes into a list, and the ring
//! is woken by its own means: that costs no system call while it is awake.
//!
//! Owns: the threads, the work that waits for one, the list of what is done.
//! Does not own: which operations come here ([`super::placement`]).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::ring::park::Park;
use super::ring::slab::Key;
use super::ring::slot::Done;
use crate::names::answer::{Answer, at_port};
use crate::{Blocking, Buf, Cancel, Completion, Io, Names, Op, Publish, Value, run_ready};

/// What a thread does in one go.
pub(super) enum Work {
    One(Op),
    WriteFile(Publish, Buf),
}

pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: RefCell<Vec<JoinHandle<()>>>,
    threads_max: usize,
}

struct Shared {
    waiting: Mutex<Waiting>,
    /// Something waits, or the pool was closed.
    changed: Condvar,
    done: Mutex<Vec<Done>>,
    park: Arc<Park>,
    cancel: Cancel,
}

struct Waiting {
    work: VecDeque<(Key, Work)>,
    /// Threads that wait for work.
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(super) fn new(threads_max: usize, park: Arc<Park>, cancel: Cancel) -> Self {
        let waiting = Mutex::new(Waiting { work: VecDeque::new(), idle: 0, closed: false });
        let shared = Shared { waiting, changed: Condvar::new(), done: Mutex::default(), park, cancel };
        Self { shared: Arc::new(shared), threads: RefCell::default(), threads_max: threads_max.max(1) }
    }

    /// Hands `work` to a thread. Where the system gives not a single one, it is done here and now.
    pub(super) fn submit(&self, key: Key, work: Work) {
        let mut waiting = lock(&self.shared.waiting);
        waiting.work.push_back((key, work));
        let must_grow = waiting.work.len() > waiting.idle;
        drop(waiting);
        self.shared.changed.notify_one();
        let mut threads = self.threads.borrow_mut();
        if must_grow && threads.len() < self.threads_max {
            let shared = self.shared.clone();
            let name = "haul-ring-pool".to_owned();
            match std::thread::Builder::new().name(name).spawn(move || serve(&shared)) {
                Ok(thread) => threads.push(thread),
                Err(_) if threads.is_empty() => self.do_one_here(),
                Err(_) => {}
            }
        }
    }

    fn do_one_here(&self) {
        let next = lock(&self.shared.waiting).work.pop_front();
        if let Some((key, work)) = next {
            finish(&self.shared, key, work, &Blocking::new(self.shared.cancel.clone()));
        }
    }

    /// What was done since the last call.
    pub(super) fn take_done(&self) -> Vec<Done> {
        std::mem::take(&mut *lock(&self.shared.done))
    }

    /// Drops what no thread has begun, and waits for what one has.
    pub(super) fn close(&self) {
        let mut waiting = lock(&self.shared.waiting);
        waiting.closed = true;
        waiting.work.clear();
        drop(waiting);
        self.shared.changed.notify_all();
        for thread in self.threads.borrow_mut().drain(..) {
            // It catches the panics of its work, and there is nothing else in it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn tell(&self, key: Key, completion: std::thread::Result<Completion>) {
        lock(&self.done).push(Done { key, completion, at: Instant::now() });
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
    let mut waiting = lock(&shared.waiting);
    loop {
        if let Some(work) = waiting.work.pop_front() {
            return Some(work);
        }
        if waiting.closed {
            return None;
        }
        waiting.idle += 1;
        waiting = shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        waiting.idle -= 1;
    }
}

fn finish(shared: &Arc<Shared>, key: Key, work: Work, io: &Blocking) {
    let completion = match work {
        Work::One(Op::Resolve { names, host, port }) if !io.cancel().is_triggered() => {
            return look_up(shared, key, &names, &host, port);
        }
        work => catch_unwind(AssertUnwindSafe(|| carry_out(io, work))),
    };
    shared.tell(key, completion);
}

/// Leaves the thread free where another one looks up the same name.
fn look_up(shared: &Arc<Shared>, key: Key, names: &Names, host: &str, port: u16) {
    let telling = shared.clone();
    let told = move |answer: &Answer| {
        let addresses = at_port(answer, port).map(Value::Addresses);
        telling.tell(key, Ok(Completion::new(addresses)));
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| names.find_then(host, Box::new(told)))) {
        shared.tell(key, Err(panic));
    }
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

/// No panic happens under these locks, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
