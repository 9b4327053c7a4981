//! The kernel's side of the ring: memory that it shares, entries, completions, and the end of all that.
//!
//! Enters: requests, each with the job that awaits it and a deadline.
//! Leaves: completed requests, and the jobs that have one to take.
//! Private: the ring itself and the slots. Code outside names a slot by its [`slab::Key`] and can't move or free what
//! the kernel may still write to. All `unsafe` code of the ring lies here.
//!
//! Source: io_uring(7).

// The kernel reads and writes memory that only this module knows of; each block argues why the memory stays valid.
#![allow(unsafe_code)]

pub(super) mod driver;
pub(super) mod park;
pub(super) mod pending;
#[cfg(test)]
mod quarantine;
pub(super) mod request;
pub(super) mod setup;
pub(super) mod slab;
mod timers;
