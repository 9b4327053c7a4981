//! The segments room: one large file over several connections.
//!
//! Enters: the response for a whole file, before its body.
//! Leaves: the complete file, or what a later attempt may continue.
//! Not to be touched from outside: which connection fetches which bytes.

pub(crate) mod encoded_part;
pub(crate) mod host_permits;
pub(crate) mod lane;
mod part;
pub(crate) mod segmented;
pub(crate) mod spans;
mod stall;
mod whole;
