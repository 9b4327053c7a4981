//! Scripted servers, trees of files, the program under test and its peers, for haul's tests.
//!
//! Owns: everything that several crates' tests need and that must not leave anything behind.
//! Does not own: what the tests assert; simulated files and sockets (see `haul-io`'s `Sim`).
//!
//! Failures panic here: this code runs in tests only. Nothing in it sleeps to order events; where a server has to
//! be caught in the middle of something, a [`Gate`] holds it there.
#![forbid(unsafe_code)]

mod answer;
mod compare;
mod connection;
mod gate;
mod golden;
mod haul;
mod head;
mod nginx;
mod peer;
mod plugin;
mod random;
mod ranged;
mod refused;
mod request;
mod server;
mod socks;
mod tls;
mod tree;
mod watched;

pub use answer::{Answer, End};
pub use compare::{Compare, assert_same, compare};
pub use connection::Expectations;
pub use gate::Gate;
pub use golden::check_golden;
pub use haul::{Haul, Run, Running};
pub use nginx::Nginx;
pub use peer::{is_root, peer, skip};
pub use plugin::PluginFolder;
pub use random::seeded_bytes;
pub use refused::{RefusedGuard, refused_address};
pub use request::{Handshake, Request};
pub use server::{Server, ServerBuilder};
pub use socks::Socks;
pub use tls::{Fault, Tls};
pub use tree::{Tree, files_below};
pub use watched::Watched;
