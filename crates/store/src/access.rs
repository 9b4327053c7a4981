//! The access room: where a store is, and the right to use it.
//!
//! Enters: `s3://` addresses, the caller's environment.
//! Leaves: URLs, and the keys that requests are signed with.
//! Not to be touched from outside: the sources of keys, their expiry.

pub(crate) mod address;
pub(crate) mod credentials;
pub(crate) mod endpoint;
pub(crate) mod keys;
mod metadata;
mod profile;
