//! The transfer room: one attempt at a request, from its first byte to the end of the response.
//!
//! Enters: a request, what is shared by the client's transfers, and a [`crate::body::receiver::Receiver`] for the
//! content. Leaves: a response, or the error of the attempt.
//! Not to be touched from outside: the order of the steps on a connection (head, 100-continue, body, reuse).

mod answered;
pub(crate) mod attempt;
pub(crate) mod bulk;
mod clock;
mod drain;
pub(crate) mod exchange;
pub(crate) mod fetch;
mod pace;
mod receive;
mod redirect;
pub(crate) mod retry_after;
mod send;
pub(crate) mod shared;
pub(crate) mod times;
pub(crate) mod trace;
