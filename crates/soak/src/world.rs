//! The world of one step: a file system, a tree of originals on it, keys, the program.
//!
//! Seeded choices enter; paths and the model of the tree leave. Everything is removed when the world is dropped.

pub(crate) mod disk;
pub(crate) mod model;
pub(crate) mod setup;
