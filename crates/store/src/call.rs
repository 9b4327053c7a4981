//! The call room: one signed request and its answer, with its retries.
//!
//! Enters: a method, an object, a query, fields and a body.
//! Leaves: a successful response, or the store's refusal.
//! Not to be touched from outside: signatures, the clock's correction, pauses.

pub(crate) mod body;
mod refused;
pub(crate) mod send;
mod signature;
pub(crate) mod store;
pub(crate) mod xml;
