//! The engines whose workers are processes: this program, started again, on a lease table in shared memory.
//!
//! Enters: a portable job, a supervisor, the command that starts a worker.
//! Leaves: in the supervising process, one call for each task that ended ([`coordinator::run`]); in a worker process,
//! [`worker::work`], which returns when the process is to end.
//! From outside, only [`handles::Workers`] reaches running workers.
//! Not to be touched from outside: the bytes of handshakes, orders, replies and intents, which change with every build;
//! the pipes and pidfds of the workers.

mod answers;
pub(crate) mod coordinator;
mod encoding;
pub(crate) mod handles;
mod intent;
mod order;
mod sentry;
mod suspect;
mod watch;
pub(crate) mod worker;
pub(crate) mod worker_pool;
