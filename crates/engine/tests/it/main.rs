//! The engines that stay in one process, through the public API.
//!
//! Owns: that every engine ends every task exactly once, as serial does; starting again; the thread pool.
//! Does not own: worker processes (`tests/processes.rs`, which is its own worker and so needs its own `main`).

mod engines;
mod exhaustion;
mod late;
mod restarts;
mod stalls;
