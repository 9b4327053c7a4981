//! The source of a run's tasks.
//!
//! Owns: the interface of a source.
//! Does not own: any particular source.

use std::task::Waker;
use std::time::Duration;

use crate::config::POLL_INTERVAL;
use crate::job::contract::TaskId;

/// A source's answer when it is asked for a task.
#[derive(Debug)]
pub enum Next<T> {
    /// A new task.
    Task(T),
    /// A task that was returned by [`Source::again`] and may start again now.
    Again(TaskId),
    /// No task at the moment. The engine asks again when a task has ended or the source wakes it, at the latest after
    /// [`Source::ask_again_in`].
    Later,
    /// No further task, unless one is returned.
    End,
}

/// When a returned task starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// As soon as a worker is free.
    AtOnce,
    /// When the source answers [`Next::Again`]. Until then the run does not end.
    WhenGiven,
}

/// Yields the tasks of a run. Every iterator is a source. It is asked only when there is room, so it may be endless.
///
/// The engine reports the end of each task to the source, so that a source can limit what runs at a time. Calls may
/// come from any worker thread, one at a time. None comes once the run is cancelled.
pub trait Source<T>: Send {
    /// The next task. Should not block: answers are processed between the calls.
    fn next(&mut self) -> Next<T>;

    /// Takes the engine's waker. To wake it, from any thread, has the engine ask again. Called before the engine asks
    /// for the first task, and once more if another engine takes over the run. A source that wraps another passes the
    /// waker on.
    fn set_waker(&mut self, waker: Waker) {
        drop(waker);
    }

    /// After [`Next::Later`]: the time after which to ask again, if no task ends, none comes back and the source
    /// doesn't wake the engine before. [`Duration::MAX`] if only that can change the answer. Milliseconds for a source
    /// that can't tell and doesn't wake.
    fn ask_again_in(&mut self) -> Duration {
        POLL_INTERVAL
    }

    /// Takes back the unfinished task `id` ([`Step::Again`](crate::job::contract::Step::Again)). It occupies no
    /// worker and is not reported.
    fn again(&mut self, id: TaskId, task: &T) -> Again {
        let _ = (id, task);
        Again::AtOnce
    }

    /// Called when a task has ended and is about to be reported.
    fn ended(&mut self, task: &T) {
        let _ = task;
    }
}

/// A source of any type. The engines are compiled for this one alone: once for a job, whatever its tasks come from.
impl<T> Source<T> for &mut (dyn Source<T> + '_) {
    fn next(&mut self) -> Next<T> {
        (**self).next()
    }

    fn set_waker(&mut self, waker: Waker) {
        (**self).set_waker(waker);
    }

    fn ask_again_in(&mut self) -> Duration {
        (**self).ask_again_in()
    }

    fn again(&mut self, id: TaskId, task: &T) -> Again {
        (**self).again(id, task)
    }

    fn ended(&mut self, task: &T) {
        (**self).ended(task);
    }
}

impl<T, I: Iterator<Item = T> + Send> Source<T> for I {
    fn next(&mut self) -> Next<T> {
        Iterator::next(self).map_or(Next::End, Next::Task)
    }
}
