//! Scripted servers, trees of files, the program under test and its peers, for haul's tests.
//!
//! Rooms: `servers` (scripted servers and proxies), `program` (haul and other programs as processes), `files` (trees
//! and working directories), `mounts` (file systems), `outcomes` (runs of jobs inside the test's own process),
//! `fed` (a source that a test feeds).
//!
//! Owns: fixtures that the tests of several crates share; each removes what it made when it is dropped.
//! Does not own: assertions about the product; simulated files and sockets (see `haul-io`'s `Sim`).
//!
//! Failures panic here, because this code runs in tests only. Nothing sleeps to order events: a [`Gate`] holds a server
//! at a chosen point until the test opens it.
#![forbid(unsafe_code)]

mod fed;
mod files;
mod mounts;
mod outcomes;
mod program;
mod servers;

pub use fed::{FedSource, Feeder, fed};
pub use files::compare::{Compare, assert_same, compare};
pub use files::random::seeded_bytes;
pub use files::tree::{Tree, files_below};
pub use files::workdir::Workdir;
pub use mounts::faulty::Faults;
pub use mounts::mount::Mount;
pub use outcomes::{Outcomes, by_job, outcomes, without_engine};
pub use program::fresh_project::{FreshProject, check_program_lines};
pub use program::golden::check_golden;
pub use program::haul::{Haul, Run, Running};
pub use program::island::{Island, LinkEnd};
pub use program::limits::{Limits, deny_from_now_on, denying};
pub use program::peer::{is_root, peer, python_beside, skip};
pub use program::plugin::PluginFolder;
pub use program::terminal::Terminal;
pub use program::watched::Watched;
pub use servers::answer::{Answer, End};
pub use servers::connection::Expectations;
pub use servers::fake_store::{FakeStore, StoreFault, StoreState, StoredObject, StoredUpload, store_refusal};
pub use servers::gate::Gate;
pub use servers::nginx::Nginx;
pub use servers::redis::{Link, Redis};
pub use servers::refused::{RefusedGuard, refused_address};
pub use servers::request::{Handshake, Request};
pub use servers::server::{Server, ServerBuilder};
pub use servers::socks::Socks;
pub use servers::tls::{Fault, Tls};
pub use servers::weed::Weed;
