//! The contract between this crate and its callers: what a caller implements to have its work done.
//!
//! Enters: implementations of [`Job`](contract::Job), [`Portable`](portable::Portable) and [`Source`](source::Source).
//! Leaves: these traits, and the values that pass through them ([`Step`](contract::Step),
//! [`Failure`](contract::Failure), [`Phases`](phases::Phases)); all are part of the public API.
//! Not to be touched from outside: nothing here runs or decides anything, and nothing here may depend on an engine.

pub(crate) mod contract;
pub(crate) mod phases;
pub(crate) mod piece;
pub(crate) mod portable;
pub(crate) mod source;
pub(crate) mod waker;
