//! The kept room: what is on disk from earlier attempts or runs, and whether it still is what the server has.
//!
//! Enters: a result's path, a URL, the responses of the server.
//! Leaves: range and conditional requests, and verdicts on their responses.
//! Not to be touched from outside: the names and the format of records.

pub(crate) mod claims;
pub(crate) mod comparison;
pub(crate) mod condition;
pub(crate) mod content;
pub(crate) mod existing;
pub(crate) mod mark;
pub(crate) mod partial;
pub(crate) mod place;
mod record;
pub(crate) mod resume;
pub(crate) mod sync;
pub(crate) mod validator;
