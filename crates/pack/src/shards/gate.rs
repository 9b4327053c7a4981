//! The one who decides about the shard of a part.
//!
//! Owns: the interface.
//! Does not own: asking ([`super::part`], [`super::source`]).

use super::identity::ShardIdentity;

/// Decides about the shard of a part.
pub trait PartGate: Send + Sync {
    /// Whether nothing more comes to the shard, for whose end so many tasks wait.
    fn is_complete(&self, waiting: usize) -> bool;

    /// Whether the shard may be published; `None` if that isn't known yet. It is asked again soon.
    fn may_publish(&self, shard: &PartShard) -> Option<bool>;

    /// The shard can't be published: there is something of its name.
    fn is_taken(&self);
}

/// A complete shard of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartShard {
    /// Its name.
    pub name: String,
    /// How many members it has.
    pub members: u64,
    /// The length of their content in bytes.
    pub content_bytes: u64,
    /// What tells it from other shards.
    pub identity: ShardIdentity,
}
