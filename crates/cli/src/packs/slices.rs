//! The shards of a fleet, one for each slice.
//!
//! Owns: the names of shards, finding out what became of one that another node was about to publish.
//! Does not own: packing ([`haul_pack`]), when a slice is complete ([`crate::fleet`]).

use std::io;
use std::sync::Arc;

use haul_fleet::{Results, SliceId};
use haul_io::{Blocking, Cancel, run_ready};
use haul_pack::{Packer, PartGate, ShardIdentity};

use super::home::Home;
use super::names::{PREFIX, is_shard};
use crate::report::text::quoted;

/// Where the results of slices are packed.
#[derive(Clone)]
pub(crate) struct SliceShards {
    /// The packer of the run, which packs nothing itself.
    pub(crate) packer: Packer,
    pub(super) home: Home,
}

/// A slice that a node has taken.
pub(crate) struct ShardSearch {
    /// What tells it from an earlier one for the same slice.
    pub(crate) number: u64,
    pub(crate) id: SliceId,
    /// The shards that others were about to publish.
    pub(crate) prepared: Vec<Results>,
    /// Whether no other node has had it.
    pub(crate) is_new: bool,
}

impl SliceShards {
    /// What packs the results of a slice, of which so many shards were prepared before.
    pub(crate) fn part(&self, id: &str, attempt: usize, gate: Arc<dyn PartGate>) -> Packer {
        self.packer.part(&self.stem(id, attempt), gate)
    }

    /// Looks for the shards of a slice that other nodes have prepared. Returns which one has appeared; the others can't
    /// appear any more, and what they left is removed. The name of the next one is free.
    ///
    /// # Errors
    /// If that can't be found out, or if the next name is taken: by the shard of another run.
    pub(crate) fn published(&self, search: &ShardSearch) -> io::Result<Option<usize>> {
        let ShardSearch { id, prepared, is_new, .. } = search;
        for (attempt, results) in prepared.iter().enumerate() {
            if self.has_appeared(results)? {
                return Ok(Some(attempt));
            }
        }
        let name = self.packer.shard_name(&self.stem(id, prepared.len()));
        if self.home.open_shard(&name)?.is_some() {
            let path = quoted(&self.home.path(&name));
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{path} is there already")));
        }
        if *is_new {
            return Ok(None);
        }
        let first = self.stem(id, 0);
        let is_of_slice =
            |name: &str| name.strip_prefix(&first).is_some_and(|rest| rest.starts_with(['.', '-']));
        self.home.sweep_uploads(is_of_slice).map_err(|problem| io::Error::other(problem.message))?;
        Ok(None)
    }

    /// Whether a shard has appeared. If it hasn't, it can't any more.
    fn has_appeared(&self, results: &Results) -> io::Result<bool> {
        // Users who can write to the server choose no other files.
        if !is_shard(&results.name) {
            return Err(io::Error::other(format!("{} is no name of a shard", quoted(&results.name))));
        }
        let identity: ShardIdentity = results.identity.parse().map_err(io::Error::other)?;
        loop {
            if let Some(mut shard) = self.home.open_shard(&results.name)? {
                return identity.is_of(&mut shard);
            }
            if run_ready(self.packer.block(&Blocking::new(Cancel::new()?), &results.name))? {
                return Ok(false);
            }
        }
    }

    /// The name of a shard of the slice, without what follows in the names of all shards.
    fn stem(&self, id: &str, attempt: usize) -> String {
        let number = id.split('-').next().unwrap_or(id);
        let stem = format!("{PREFIX}{number:0>6}");
        if attempt == 0 { stem } else { format!("{stem}-{attempt}") }
    }
}
