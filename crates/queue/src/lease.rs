//! The lease table: tasks for a pool of processes that may be killed at any instruction.
//!
//! Owns: handing task bytes to workers and outcome bytes back, through sealed shared memory; giving the tasks of the
//! dead to the living; giving up tasks that kill; sleeping and waking across processes.
//! Does not own: starting processes, noticing their death, the meaning of the bytes.
//!
//! Not a queue of moved values: a task stays in its slot, and a worker holds a *lease* on it. All sharing goes through
//! one atomic word per slot, so a killed worker leaves nothing locked and nothing torn.
//!
//! Source: `PROTOCOL.md`, part 2.
//!
//! ```
//! use haul_queue::lease::{Config, Next, Supervisor, Worker};
//! use std::time::Duration;
//!
//! let mut supervisor = Supervisor::create(Config::default())?;
//! let slot = supervisor.offer(b"a task")?;
//!
//! // In a worker process, which inherited the descriptor. The owner is whatever number the supervisor gave it.
//! let worker = Worker::attach(supervisor.memfd())?;
//! let mut task = Vec::new();
//! if let Next::Lease(lease) = worker.next(1, Duration::from_millis(5)) {
//!     worker.read_task(&lease, &mut task)?;
//!     worker.finish(&lease, b"its outcome")?;
//! }
//!
//! let finished = supervisor.collect();
//! assert_eq!((finished[0].slot, &finished[0].outcome[..]), (slot, &b"its outcome"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod event_count;
mod slots;
mod word;

#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod intents;
#[cfg(not(loom))]
mod layout;
#[cfg(not(loom))]
mod map;
#[cfg(not(loom))]
mod supervisor;
#[cfg(not(loom))]
mod worker;

#[cfg(test)]
mod tests;

#[cfg(not(loom))]
pub use error::{Fenced, FinishError, IntentTooLong, OfferError, TableError};
#[cfg(not(loom))]
pub use layout::Config;
#[cfg(not(loom))]
pub use supervisor::{Finished, Poisoned, Reaped, SlotId, Supervisor};
#[cfg(not(loom))]
pub use worker::{Lease, Next, Worker};
