//! The engines whose workers are processes: this program, started again, on a lease table in shared memory.
//!
//! Enters: a portable job, a supervisor, the command that starts a worker.
//! Leaves: in the supervising process, one call for each task that ended ([`coordinator::run`]); in a worker process,
//! [`worker::work`], which returns when the process is to end.
//! Not to be touched from outside: the bytes of handshakes, orders, replies and intents, which change with every build;
//! the pipes and pidfds of the workers.

pub(crate) mod coordinator;
mod encoding;
mod intent;
mod order;
pub(crate) mod worker;
pub(crate) mod worker_pool;
