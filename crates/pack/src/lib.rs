//! Packed shards: many small results in few large tar files, each with an index of its members.
//!
//! | to | use |
//! |---|---|
//! | lay out a shard in memory | [`Entry`], [`IndexWriter`] |
//! | find a member of a shard | [`Trailer`], [`Member`] |
//! | pack the results of a run's tasks | [`Packer`], [`PackSource`] |
//! | make one shard of each part of a run that several programs share | [`Packer::part`], [`PartGate`] |
//!
//! A task whose result is in a shard that isn't published yet hasn't ended: it goes back to its source, and is reported
//! when the shard has its name, or failed.
//!
//! # The rooms
//!
//! `layout` has the bytes of a shard and does no I/O. `shards` writes shards; a member comes from memory, or from a
//! file of its own that content spilled into.
//!
//! Owns: the form of shards, which shard a member goes to, when a shard is published.
//! Does not own: what is packed, encrypting ([`haul_io::ChunkedFormat`]), names of results.
#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("haul-pack works on Linux only");

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod layout;
mod shards;

pub use layout::entry::{Entry, padding};
pub use layout::index::{BadIndex, IndexWriter, Member, Trailer};
pub use shards::content::{Content, Spill};
pub use shards::earlier::{Earlier, EarlierMember};
pub use shards::gate::{PartGate, PartShard};
pub use shards::identity::ShardIdentity;
pub use shards::options::PackOptions;
pub use shards::packer::Packer;
pub use shards::place::{Place, ShardStore, ShardUpload};
pub use shards::source::{PackSource, Packed};
pub use shards::ticket::{Ticket, Unpublished};
