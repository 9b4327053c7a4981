//! A task of a run that packs.
//!
//! Owns: the name of the member, what is known of it until its shard is published.
//! Does not own: reading the source ([`super::pack`]).

use std::fmt;
use std::sync::{Mutex, PoisonError};

use haul_pack::{Packed, Packer, Ticket};

use crate::task::{Remarks, Task};

/// A task, and the member that its file becomes.
pub struct PackTask {
    task: Task,
    /// The name of the member; empty if the task has no file.
    name: Vec<u8>,
    /// What packs the member, if it isn't the job's packer.
    packer: Option<Packer>,
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
        Self { task, name, packer: None, held: Mutex::default() }
    }

    /// Has `packer` pack the member, and not that of the job: one for a [part](Packer::part) of the run.
    #[must_use]
    pub fn packed_by(self, packer: Option<Packer>) -> Self {
        Self { packer, ..self }
    }

    /// The task.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The name of the member; empty if there is none.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    pub(super) fn packer(&self) -> Option<&Packer> {
        self.packer.as_ref()
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
