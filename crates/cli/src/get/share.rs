//! The share of all URLs that this run fetches, where several machines work on one list.
//!
//! In: `--shard`, the variables of job schedulers. Out: which lines are fetched, and the marker of a part that is
//! complete. Only this room knows the hash of URLs and the form of markers.

pub(super) mod marker;
pub(super) mod shard;
