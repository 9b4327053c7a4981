//! Bounded queues that hand tasks from their source to the workers.
//!
//! Owns: the bounded in-process [`Ring`]; sleeping and waking at its ends.
//! Does not own: what a task is, who runs it, threads.

mod ring;

pub use ring::{Closed, Ring, TryPop, TryPush};
