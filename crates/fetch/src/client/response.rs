//! Responses.
//!
//! Owns: what callers get.
//! Does not own: receiving ([`crate::transfer`]), reading bodies ([`crate::client::response_body`]).

use http::{HeaderMap, StatusCode};
use url::Url;

/// A response whose body has been received completely.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The trailer fields of a chunked body (RFC 9112, section 7.1.2); empty if there are none. They are never merged
    /// into the header fields, as they must not affect framing, routing or authentication. At most
    /// [`Limits::trailer_bytes_max`](haul_http1::Limits::trailer_bytes_max) bytes.
    pub trailers: HeaderMap,
    /// The URL of the response, after all redirects.
    pub url: Url,
    /// The body; empty if it was written elsewhere.
    pub body: Vec<u8>,
    /// Length of the body in bytes.
    pub body_bytes: u64,
    /// Redirects that were followed.
    pub redirect_count: u32,
}

impl Response {
    /// A response without a body.
    #[cfg(test)]
    pub(crate) fn of_head(status: StatusCode, headers: HeaderMap, url: Url) -> Self {
        let (trailers, body) = (HeaderMap::new(), Vec::new());
        Self { status, headers, trailers, url, body, body_bytes: 0, redirect_count: 0 }
    }

    /// The value of the first header field of this name, if it is there and visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
