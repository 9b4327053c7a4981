//! How a run packs.
//!
//! Owns: the options.
//! Does not own: what follows from them ([`super::outlet`], [`super::packer`]).

use std::sync::Arc;

use haul_io::{Cancel, ChunkedFormat, Durability};

use super::place::Place;

/// How a run packs.
#[derive(Clone, Debug)]
pub struct PackOptions {
    /// Where shards are published.
    pub place: Place,
    /// The first number of a shard. In a directory, numbers that are taken are left out.
    pub first_number: u32,
    /// The start of their names.
    pub prefix: String,
    /// The format that they are stored in; `None` for plain archives.
    pub format: Option<Arc<dyn ChunkedFormat>>,
    /// The length of a shard, before it is stored in the format. A longer member is alone in its shard.
    pub shard_bytes: u64,
    /// The shards that are written at the same time.
    pub open_max: usize,
    /// Permission bits of members that have no source file, and of shards, which nobody else may write.
    pub mode: u32,
    /// The user and the group of members that have no source file.
    pub owner: u32,
    /// See `owner`.
    pub group: u32,
    /// Whether a shard must survive a power cut when its members count as done.
    pub durability: Durability,
    /// Ends the run. Members that come later are refused; shards that hold members are published.
    pub cancel: Cancel,
}
