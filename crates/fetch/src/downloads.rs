//! The downloads room: many URLs into the files of a directory, in one call.
//!
//! Enters: a client, a directory, URLs.
//! Leaves: files, events, a report.
//! Not to be touched from outside: the engine that runs the list, the meters of active transfers.

pub(crate) mod builder;
pub(crate) mod event;
pub(crate) mod item;
mod meter;
pub(crate) mod report;
mod run;
