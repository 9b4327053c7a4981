//! Responses.
//!
//! Owns: what callers get, and reading it as text or JSON.
//! Does not own: receiving ([`crate::transfer`]).

use http::{HeaderMap, StatusCode};
use url::Url;

use crate::Error;

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

    /// The body as JSON, whatever its media type.
    ///
    /// # Errors
    /// [`Error::Json`] if it isn't the JSON of a `T`.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Json { reason: error.to_string() })
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`Error::Text`] if it isn't UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.body).map_err(|_| Error::Text)
    }

    /// The value of the first header field of this name, if it is there and visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
