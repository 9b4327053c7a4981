//! Where tasks come from.
//!
//! Owns: the shape of a source.
//! Does not own: any particular source.

use crate::job::contract::TaskId;

/// What a source has.
#[derive(Debug)]
pub enum Next<T> {
    /// A task.
    Task(T),
    /// One that came back by [`Source::again`], which may be started again now.
    Again(TaskId),
    /// Nothing now; ask again within milliseconds.
    Later,
    /// Nothing ever, unless a task comes back.
    End,
}

/// When a task that came back is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// As soon as a worker is free.
    AtOnce,
    /// When the source says so by [`Next::Again`]. Until then the source isn't at its end.
    WhenGiven,
}

/// Where tasks come from. Every iterator is one; it is asked only when there is room, so it may be endless.
///
/// A source that decides what may run at a time is told of each task's end. It may be called from any worker, by one at a time;
/// and not at all once the run is cancelled.
pub trait Source<T>: Send {
    /// The next task. Should not block: answers are dealt with between the calls.
    fn next(&mut self) -> Next<T>;

    /// Task `id` came back unfinished ([`Step::Again`](crate::job::contract::Step::Again)): it occupies no worker, and it is not reported.
    fn again(&mut self, id: TaskId, task: &T) -> Again {
        let _ = (id, task);
        Again::AtOnce
    }

    /// The task has ended, and is about to be reported.
    fn ended(&mut self, task: &T) {
        let _ = task;
    }
}

impl<T, I: Iterator<Item = T> + Send> Source<T> for I {
    fn next(&mut self) -> Next<T> {
        Iterator::next(self).map_or(Next::End, Next::Task)
    }
}
