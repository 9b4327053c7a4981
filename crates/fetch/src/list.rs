//! The list room: many tasks, run by an engine.
//!
//! Enters: tasks from a source, the limits of each host.
//! Leaves: one outcome for each task.
//! Not to be touched from outside: the queues of the scheduler, the progress that attempts leave in a task.

mod directories;
pub(crate) mod job;
mod joining;
mod lookahead;
mod open_files;
mod prepare;
pub(crate) mod progress;
pub(crate) mod retry;
mod scheduler;
pub(crate) mod shared_limits;
pub(crate) mod source;
pub(crate) mod task;
