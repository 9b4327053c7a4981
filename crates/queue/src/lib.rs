//! Bounded queues that hand tasks from their source to the workers.
//!
//! Owns: the bounded in-process [`Ring`]; the table of leases across processes ([`lease`]); sleeping and waking.
//! Does not own: what a task is, who runs it, threads.
//!
//! The protocols are written down and argued in `PROTOCOL.md`, beside this crate's manifest.
// Each block is argued; the lint `undocumented_unsafe_blocks` sees to it.
#![allow(unsafe_code)]

mod backoff;
mod combiner;
#[cfg(any(not(any(loom, shuttle)), all(loom, test)))]
pub mod lease;
pub mod oracle;
mod ring;
mod sync;

pub use combiner::{Combiner, Poisoned};
pub use ring::{Closed, Ring, TryPop, TryPush};
