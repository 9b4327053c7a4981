//! Whether a request may be sent again, and when.
//!
//! Owns: the rule for automatic replay on a stale connection, the Retry-After field.
//! Does not own: the policy of retries, clocks, dates.
//!
//! Source: RFC 9110, section 9.2.2 (idempotent methods), 10.2.3 (Retry-After); RFC 9112, section 9.3.1
//! (retrying requests).

use http::header::RETRY_AFTER;
use http::{HeaderMap, Method};

use crate::scan::decimal;

/// What is known about a request whose connection failed.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a> {
    /// The method.
    pub method: &'a Method,
    /// Whether the connection had carried an earlier request, so that the server may have closed it
    /// meanwhile.
    pub connection_reused: bool,
    /// Bytes of the response that came, interim responses included.
    pub response_bytes: u64,
    /// Automatic replays of this request so far.
    pub replay_count: u32,
}

impl Replay<'_> {
    /// Whether the request may be sent once more on a new connection without counting as another attempt:
    /// idempotent, for the first time, on a reused connection, and with no byte of a response seen.
    ///
    /// Whether its body can be produced again is for the caller to know.
    pub fn is_allowed(&self) -> bool {
        let stale = self.connection_reused && self.response_bytes == 0;
        stale && self.replay_count == 0 && self.method.is_idempotent()
    }
}

/// When a server wants to be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter<'a> {
    /// In so many seconds; a number beyond 2^64 counts as the largest. Cap it.
    Seconds(u64),
    /// Anything else, trimmed by the head parser: an HTTP date if the server is right. Not checked.
    Date(&'a [u8]),
}

/// The first Retry-After of a header section.
pub fn retry_after(headers: &HeaderMap) -> Option<RetryAfter<'_>> {
    let value = headers.get(RETRY_AFTER)?.as_bytes();
    if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
        return Some(RetryAfter::Seconds(decimal(value).unwrap_or(u64::MAX)));
    }
    Some(RetryAfter::Date(value))
}
