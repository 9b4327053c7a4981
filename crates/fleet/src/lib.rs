//! Slices of work that several machines lease from Redis 6.2 or later, or Valkey, each acknowledged once.
//!
//! | entry point | what it does |
//! |---|---|
//! | [`Run::create`], [`Run::add`], [`Run::fill`] | makes a run of slices |
//! | [`Node::join`] | takes part in a run: takes slices, keeps their leases alive, acknowledges them |
//! | [`Run::status`], [`Run::each`], [`Run::retry`], [`Run::cancel`] | shows and changes a run |
//! | [`Limiter`] | the node's share of what the whole fleet may do at each host |
//! | [`Member`], [`Shares`] | a node's side of the contract, without threads, clocks and connections |
//!
//! The contract itself is in `docs/fleet.md`; [`Script`] has its steps.
//!
//! Owns: states in Redis, leases, their tokens, shares of hosts.
//! Does not own: what a slice means, and how its results become durable.
#![forbid(unsafe_code)]

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod address;
mod caller;
mod connection;
mod ending;
mod limiter;
mod member;
mod node;
mod retry;
mod run;
mod scripts;
mod server;
mod shares;
mod slice;

pub use address::{Address, BadAddress};
pub use connection::Connection;
pub use ending::{Finished, Prepared, Results};
pub use limiter::Limiter;
pub use member::{Ended, Member, Next, Outcome};
pub use node::Node;
pub use run::{Kept, Run, RunError, Settings, Status};
pub use scripts::Script;
pub use server::{Call, Failure, Reply, Server};
pub use shares::{HostNews, Shares, Terms};
pub use slice::{SLICE_BYTES_MAX, SliceId, pack, unpack};
