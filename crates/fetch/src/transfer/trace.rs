//! What is noted of an attempt besides its result.
//!
//! Owns: times of the steps, how many redirects there were, what the server asks to wait.
//! Does not own: what follows from them.

use std::time::Duration;

/// When the steps of a request took how long. Steps of several redirects add up; what did not happen is zero: a connection
/// that is used again has no time of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Looking up the host's addresses.
    pub dns: Duration,
    /// Connecting, without TLS.
    pub connect: Duration,
    /// The handshake of TLS.
    pub tls: Duration,
    /// From the request's first byte to the end of the response's head.
    pub head: Duration,
    /// From there to the end of the body.
    pub body: Duration,
}

/// The notes on one attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) times: Times,
    /// How long the host wants to be left alone.
    pub(crate) host_pause: Option<Duration>,
    /// Redirects that were followed.
    pub(crate) redirect_count: u32,
}
