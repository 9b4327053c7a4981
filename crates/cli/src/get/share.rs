//! The share of all URLs that this run fetches, where several machines work on one list.
//!
//! In: `--shard`, the variables of job schedulers; `--fleet`. Out: which lines are fetched, the marker of a part that
//! is complete, what a fleet hears of each line. Only this room knows the hash of URLs and the form of markers.

pub(super) mod marker;
pub(super) mod node;
pub(super) mod shard;
