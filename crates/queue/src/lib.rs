//! Bounded queues that pass tasks from their source to the workers.
//!
//! Owns: the in-process [`Ring`]; the lease table across processes ([`lease`]); the [`Combiner`]; sleeping and waking.
//! Does not own: the meaning of tasks, running them, threads.
//!
//! `PROTOCOL.md`, next to this crate's manifest, states the protocols in numbered steps and proves them.
// Each block is argued; the lint `undocumented_unsafe_blocks` enforces it.
#![allow(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("haul-queue works on Linux only");

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod backoff;
mod combiner;
#[cfg(any(not(any(loom, shuttle)), all(loom, test)))]
pub mod lease;
pub mod oracle;
mod ring;
mod sync;

pub use combiner::{Combiner, Poisoned};
pub use ring::{Closed, Ring, TryPop, TryPush};
