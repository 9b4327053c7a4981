//! Connecting: the order and timing of attempts, and the sockets they are made with.
//!
//! Enters: addresses, a timeout and the current time.
//! Leaves: the next step of a race, and non-blocking sockets whose attempt has been started.
//! Private: the state of a race. Waiting for an attempt is up to each execution.

pub(crate) mod race;
pub(crate) mod socket;
