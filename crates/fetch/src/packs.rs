//! The packs room: results that become members of shards.
//!
//! Enters: the bytes of a result, in order.
//! Leaves: a ticket for the shard that has the whole result. The task ends when the shard does.
//! Not to be touched from outside: where the bytes are before that.

pub(crate) mod held;
pub(crate) mod name;
pub(crate) mod sink;
