//! The packs room: files that become members of shards, which are sealed as wholes.
//!
//! What enters: the tasks of a walk, each with the name of its member ([`PackTask`]). What leaves: an
//! [`Outcome`](crate::Outcome) that names the shard, when that is published. Nobody outside decides how a source is
//! read.
//!
//! Owns: reading a source for a shard, its header.
//! Does not own: shards ([`haul_pack`]), finding files ([`crate::walk`]).

mod job;
mod task;

pub use self::job::PackJob;
pub(crate) use self::job::kept;
pub use self::task::PackTask;
