//! Files for tests: reproducible bytes, trees, their comparison, and a temporary directory to work in.
//!
//! Enters: seeds, names and sizes.
//! Leaves: paths, bytes, the first difference between two trees.
//! Private to this room: the generator of the bytes.

pub(crate) mod compare;
pub(crate) mod random;
pub(crate) mod tree;
pub(crate) mod workdir;
