//! The lease table: tasks for a pool of worker processes, each of which may be killed at any instruction.
//!
//! Owns: passing task bytes to workers and outcome bytes back through sealed shared memory; giving the tasks of dead
//! workers to others; giving up tasks that kill workers; sleeping and waking across processes.
//! Does not own: starting processes, detecting their death, the meaning of the bytes.
//!
//! Enters: task bytes and the deaths of owners ([`Supervisor`]); outcome bytes and intents ([`Worker`]).
//! Leaves: leases, outcomes, reaped and poisoned tasks.
//! Not to be touched from outside: the mapping, the slots' words, the event counts; a process that writes to them
//! other than by the steps of `PROTOCOL.md` breaks the table for all.
//!
//! A task does not move through a queue: it stays in its slot, and a worker holds a *lease* on it. All coordination
//! goes through one atomic word per slot, so a killed worker leaves nothing locked and nothing torn.
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
//! // In a worker process, which has inherited the descriptor. The supervisor assigned it the owner number 1.
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
pub use supervisor::{Alarm, Finished, Poisoned, Reaped, SlotId, Supervisor};
#[cfg(not(loom))]
pub use worker::{Lease, Next, Seen, Worker};
