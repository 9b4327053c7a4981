//! Writing shards while a run goes on.
//!
//! Enters: members, each complete. Leaves: published shards, and a [`ticket::Ticket`] for each member that tells what
//! became of its shard.
//! Private: the shards that are being written. Each is written by one task at a time.

pub(crate) mod content;
pub(crate) mod earlier;
pub(crate) mod gate;
pub(crate) mod identity;
pub(crate) mod options;
mod outlet;
pub(crate) mod packer;
mod part;
pub(crate) mod place;
mod shard;
pub(crate) mod source;
mod steady;
pub(crate) mod ticket;
mod writer;
