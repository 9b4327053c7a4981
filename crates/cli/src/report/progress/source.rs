//! A source that tells the progress what it yields.
//!
//! Owns: counting tasks as an engine takes them.
//! Does not own: the tasks.

use std::task::Waker;
use std::time::Duration;

use haul_engine::{Again, Next, Source, TaskId};

use super::screen::Progress;
use super::state::ProgressEvent;
use crate::report::describe::Subject;
use crate::report::text::last_name;

/// Yields what `source` does.
pub(crate) struct Counted<'a, T> {
    source: &'a mut dyn Source<T>,
    progress: Progress,
    is_first: bool,
    has_ended: bool,
}

impl<'a, T> Counted<'a, T> {
    pub(crate) fn new(source: &'a mut dyn Source<T>, progress: Progress) -> Self {
        Self { source, progress, is_first: true, has_ended: false }
    }
}

impl<T: Subject> Source<T> for Counted<'_, T> {
    fn next(&mut self) -> Next<T> {
        let next = self.source.next();
        match &next {
            Next::Task(task) => {
                self.progress.tell(ProgressEvent::Started);
                if task.is_file() {
                    let name = std::mem::take(&mut self.is_first).then(|| last_name(&task.subject()));
                    self.progress.tell(ProgressEvent::Found { name, bytes: task.bytes_at_start() });
                }
            }
            Next::Again(_) => self.progress.tell(ProgressEvent::Started),
            Next::End if !self.has_ended => {
                self.has_ended = true;
                self.progress.tell(ProgressEvent::AllFound);
            }
            Next::End | Next::Later => {}
        }
        next
    }

    fn set_waker(&mut self, waker: Waker) {
        self.source.set_waker(waker);
    }

    fn ask_again_in(&mut self) -> Duration {
        self.source.ask_again_in()
    }

    fn again(&mut self, id: TaskId, task: &T) -> Again {
        let again = self.source.again(id, task);
        if again == Again::WhenGiven {
            self.progress.tell(ProgressEvent::Returned);
        }
        again
    }

    fn ended(&mut self, task: &T) {
        self.progress.tell(ProgressEvent::Returned);
        self.source.ended(task);
    }
}
