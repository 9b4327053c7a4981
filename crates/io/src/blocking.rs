//! The execution by blocking system calls.
//!
//! Enters: an operation.
//! Leaves: its completion, when the system call has returned.
//! Private: the system calls, except [`perform`], which the ring uses for operations that don't wait.

mod connect;
mod metadata;
mod moving;
pub(crate) mod perform;
mod transfer;
mod worker;

pub use worker::{Blocking, run_ready};
