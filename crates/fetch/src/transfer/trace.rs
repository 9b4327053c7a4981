//! What is recorded of an attempt besides its result.
//!
//! Owns: the duration of each step, the number of redirects, the pause that the server asks for.
//! Does not own: what follows from them.

use std::time::Duration;

use crate::route::host_pause::HostPause;

/// How long each step of a request took. The steps of several redirects add up. A step that did not happen took no
/// time, such as connecting when a connection was reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Looking up the host's addresses.
    pub dns: Duration,
    /// Connecting, without TLS.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From the request's first byte to the end of the response's head.
    pub head: Duration,
    /// From the end of the head to the end of the body.
    pub body: Duration,
}

/// The record of one attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) times: Times,
    /// The host that asks to receive no further requests for a while.
    pub(crate) host_pause: Option<Box<HostPause>>,
    /// Redirects that were followed.
    pub(crate) redirect_count: u32,
}
