//! The engines whose workers are threads of this process: blocking threads, and threads that each drive an io_uring.
//!
//! Enters: a job, a supervisor, the run's configuration.
//! Leaves: one call for each task that ended, and the merged distributions of the times ([`workers::run`],
//! [`rings::run`]); the [`ThreadPool`](thread_pool::ThreadPool), which needs no run.
//! Not to be touched from outside: the [`dispatcher`], through which workers and supervisor exchange work and answers.

mod dispatcher;
mod recorders;
pub(crate) mod rings;
pub(crate) mod thread_pool;
pub(crate) mod workers;
