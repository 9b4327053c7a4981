//! The object room: objects as they are written, read, listed and removed.
//!
//! Enters: addresses, bytes.
//! Leaves: published objects, bytes of one version, names.
//! Not to be touched from outside: parts and their numbers, the order of requests.

pub(crate) mod assembly;
pub(crate) mod conditions;
pub(crate) mod leftovers;
pub(crate) mod listing;
pub(crate) mod multipart;
pub(crate) mod options;
mod parts;
pub(crate) mod reader;
pub(crate) mod requests;
pub(crate) mod upload;
pub(crate) mod writer;
