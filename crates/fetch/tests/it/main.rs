//! The crate by its public interface, against scripted servers and in the simulation.
//!
//! Owns: the rooms: each tests the room of the crate with the same name.
//! Does not own: tests of single files, which lie beside them.

mod client;
mod downloads;
mod encoded;
mod list;
#[cfg(feature = "cookies")]
mod properties;
mod route;
mod segments;
mod transfer;
mod uploads;
