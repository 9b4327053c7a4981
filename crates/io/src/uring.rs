//! [`Io`](crate::Io) by io_uring: one thread, one ring, many jobs in flight.
//!
//! ```text
//!   job ── op ──► placement ──► inline: a system call that doesn't wait
//!    ▲                     ├──► ring: a slot, an entry, a completion
//!    │                     ├──► pool: a thread, a queue, a wake-up
//!    │                     └──► timer
//!    └──────── executor: polls a job when what it awaits is complete
//! ```
//!
//! A receive is submitted for one arrival and writes into the job's own buffer. Multishot receives with a provided
//! buffer ring were measured (`examples/ring`): they took 1 to 3 % less processor time for short responses, and 7 %
//! more for long ones, which they have to copy. They would also tie a socket to its ring, keep connections open that a
//! job has dropped, and hide bytes that arrive on idle connections.
//!
//! Enters: a configuration, jobs from a feed, operations of jobs.
//! Leaves: completions to the jobs, counts and the kernel's parameters to the report; [`RingRefused`] if there is no
//! ring.
//! Private: [`ring`], the memory shared with the kernel; the executor and its job slots; the pool's threads.
//!
//! Owns: where an operation runs, the jobs of one ring.
//! Does not own: the operations ([`crate::op`]), what jobs do.

mod config;
mod connect;
mod core;
mod directory_sync;
mod executor;
mod group_sync;
mod handle;
mod in_flight;
mod jobs;
mod placement;
mod pool;
mod ring;
mod spare;
mod task;

pub use self::config::UringConfig;
pub use self::handle::Uring;
pub use self::jobs::{Feed, LocalJob};
pub use self::placement::{Placement, PlacementCounts};
pub use self::ring::park::Unparker;
pub use self::ring::setup::{Refusal, RingParams, RingRefused};
pub use self::task::TaskIo;
