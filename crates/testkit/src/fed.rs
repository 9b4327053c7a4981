//! A source that another thread feeds while the run goes on.
//!
//! Owns: handing tasks over, waking the engine for each and for the end, counting how often the engine asks.
//! Does not own: the tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::task::Waker;
use std::time::Duration;

use haul_engine::{Next, Source, SourceWaker};

/// Yields what its [`Feeder`] is given. It never asks the engine to look by itself: a lost wake-up is a run that hangs.
#[derive(Debug)]
pub struct FedSource<T> {
    tasks: Receiver<T>,
    waker: SourceWaker,
    asked: Arc<AtomicU64>,
}

/// Feeds a [`FedSource`], which ends when this is dropped.
#[derive(Debug)]
pub struct Feeder<T> {
    /// `None` once it is dropped.
    tasks: Option<Sender<T>>,
    waker: SourceWaker,
    asked: Arc<AtomicU64>,
}

/// A source and what feeds it.
pub fn fed<T>() -> (FedSource<T>, Feeder<T>) {
    let (sender, tasks) = channel();
    let (waker, asked) = (SourceWaker::default(), Arc::new(AtomicU64::new(0)));
    let feeder = Feeder { tasks: Some(sender), waker: waker.clone(), asked: asked.clone() };
    (FedSource { tasks, waker, asked }, feeder)
}

impl<T> Feeder<T> {
    /// Has the source yield `task`.
    pub fn feed(&self, task: T) {
        // After the end of the run, nobody takes it.
        let _ = self.tasks.as_ref().map(|tasks| tasks.send(task));
        self.waker.wake();
    }

    /// How often the engine has asked the source.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl<T> Drop for Feeder<T> {
    fn drop(&mut self) {
        drop(self.tasks.take());
        self.waker.wake();
    }
}

impl<T: Send> Source<T> for FedSource<T> {
    fn next(&mut self) -> Next<T> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.tasks.try_recv() {
            Ok(task) => Next::Task(task),
            Err(TryRecvError::Empty) => Next::Later,
            Err(TryRecvError::Disconnected) => Next::End,
        }
    }

    fn set_waker(&mut self, waker: Waker) {
        self.waker.set(waker);
    }

    fn ask_again_in(&mut self) -> Duration {
        Duration::MAX
    }
}
