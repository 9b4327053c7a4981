//! A task of a run that packs.
//!
//! Owns: the name of the member, what is known of it until its shard is published.
//! Does not own: reading the source ([`super::pack`]).

use std::fmt;
use std::sync::{Mutex, PoisonError};

use haul_pack::{Packed, Ticket};

use crate::task::{Remarks, Task};

/// A task, and the member that its file becomes.
pub struct PackTask {
    task: Task,
    /// The name of the member; empty if the task has no file.
    name: Vec<u8>,
    held: Mutex<Option<HeldMember>>,
}

/// A member whose shard isn't published yet.
#[derive(Clone)]
pub(super) struct HeldMember {
    pub(super) ticket: Ticket,
    pub(super) plain_bytes: u64,
    pub(super) remarks: Remarks,
}

impl PackTask {
    /// Makes the file of `task` the member `name`.
    pub fn new(task: Task, name: Vec<u8>) -> Self {
        Self { task, name, held: Mutex::default() }
    }

    /// The task.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The name of the member; empty if there is none.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    pub(super) fn held(&self) -> Option<HeldMember> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn hold(&self, member: HeldMember) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(member);
    }
}

impl Packed for PackTask {
    fn ticket(&self) -> Option<Ticket> {
        self.held().map(|held| held.ticket)
    }
}

impl fmt::Debug for PackTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackTask").field("task", &self.task).finish_non_exhaustive()
    }
}
