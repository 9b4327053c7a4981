//! A part of a run whose members share one shard, such as a slice of a fleet.
//!
//! Several programs may work on a part, one after the other; one of them may come too late without knowing. So a shard
//! of a part is published only if somebody who knows says that it may, under a name that was chosen before. Whoever
//! takes a part over [blocks](crate::Packer::block) the names under which shards may still be on their way.
//!
//! Owns: what a part is asked, its end.
//! Does not own: the one who decides, writing the shard ([`super::packer`]).

use std::sync::{Arc, Mutex, PoisonError};

use super::identity::ShardIdentity;
use super::ticket::ShardEnd;

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

/// A part, as its packer has it.
pub(super) struct Part {
    pub(super) gate: Arc<dyn PartGate>,
    /// The shard, when it has ended.
    end: Mutex<Option<Arc<ShardEnd>>>,
}

impl Part {
    pub(super) fn new(gate: Arc<dyn PartGate>) -> Self {
        Self { gate, end: Mutex::new(None) }
    }

    pub(super) fn set_end(&self, end: Arc<ShardEnd>) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    pub(super) fn end(&self) -> Option<Arc<ShardEnd>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
