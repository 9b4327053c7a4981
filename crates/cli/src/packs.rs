//! Packed shards: results in few large files.
//!
//! In: the options of `--pack`, and shards that exist. Out: the packer of a run, and members of shards. Writing shards
//! belongs to [`haul_pack`].

mod bucket;
mod home;
pub(crate) mod index;
mod names;
pub(crate) mod only;
pub(crate) mod plan;
pub(crate) mod slices;
