//! The bytes of a shard, without I/O.
//!
//! Enters: what is known of each member. Leaves: tar headers, the end of an archive, the lines of the index.
//! Private: the fields of a header.

pub(crate) mod entry;
mod header;
pub(crate) mod index;
