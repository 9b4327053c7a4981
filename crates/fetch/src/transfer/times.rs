//! How long the steps of a request took.
//!
//! Owns: this record.
//! Does not own: measuring (`route::connection`, `transfer::answered`, `transfer::fetch`).

use std::time::Duration;

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
