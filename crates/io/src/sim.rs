//! A seeded simulation of files, peers and time, as an [`Io`](crate::Io).
//!
//! Enters: a seed, files, scripted peers, faults to inject: operations that fail, interruptions, power cuts.
//! Leaves: the results of jobs, and the files that they or a power cut left.
//! Private: the order of completions, which follows from the seed.

mod content;
mod files;
mod links;
mod machine;
mod peers;
mod random;
mod survival;

pub use files::Files;
pub use machine::Sim;
pub use peers::{Ending, Peers, Reply};
