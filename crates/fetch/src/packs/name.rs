//! The name of a result in a shard.
//!
//! Owns: this pair.
//! Does not own: shards ([`haul_pack`]).

use std::fmt;
use std::path::PathBuf;

use haul_pack::Packer;

/// A result that becomes a member of a shard.
#[derive(Clone)]
pub struct PackName {
    /// The shards of the run.
    pub packer: Packer,
    /// The name of the member, relative and without `..`.
    pub name: PathBuf,
}

impl fmt::Debug for PackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackName").field("name", &self.name).finish_non_exhaustive()
    }
}
