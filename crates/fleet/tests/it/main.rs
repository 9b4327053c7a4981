//! The lease contract: against a simulated server with seeds, and against Redis.

mod contract;
mod fake;
mod fake_hosts;
mod model;
mod redis;
mod shares;
mod simulation;
