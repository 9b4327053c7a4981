//! Tasks of a list: retries, resumption, keeping up to date, failures of servers and of this machine.

mod hosts;
mod kept;
mod memory;
mod misbehaving;
mod names;
mod no_content;
pub(crate) mod outcomes;
mod pauses;
mod resume;
mod retry;
mod shared;
mod simulated;
mod sync;
mod trust;
