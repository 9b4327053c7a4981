//! The queues as the program runs them, on real atomics, futexes and processes.
//!
//! Owns: the meaning of every operation, stress, workers that are killed.
//! Does not own: rare schedules and weak orderings (`tests/loom.rs`, `tests/shuttle.rs`, which need their own cfg).
#![cfg(not(any(loom, shuttle)))]

mod lease;
mod model;
mod stress;
