//! Sending a request again: whether it is safe, and when the server allows it.
//!
//! Owns: the rule for automatic replay after a stale connection, the Retry-After field.
//! Does not own: the policy of retries, clocks, dates.
//!
//! Source: RFC 9110, section 9.2.2 (idempotent methods), 10.2.3 (Retry-After); RFC 9112, section 9.3.1
//! (retrying requests).

use http::header::RETRY_AFTER;
use http::{HeaderMap, Method};

use crate::syntax::decimal;

/// The facts about a request whose connection failed.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a> {
    /// The method.
    pub method: &'a Method,
    /// Whether the connection had carried an earlier request, so that the server may have closed it in the meantime.
    pub connection_reused: bool,
    /// Whether a response had begun, interim ones included: see [`Exchange::has_begun`](crate::Exchange::has_begun).
    pub response_begun: bool,
    /// Automatic replays of this request so far.
    pub replay_count: u32,
}

impl Replay<'_> {
    /// Whether the request may be sent again on a new connection without counting as another attempt. All of these must
    /// hold:
    ///
    /// - the method is idempotent,
    /// - the connection was reused,
    /// - no byte of a response was received (other bytes don't count),
    /// - the request wasn't replayed before.
    ///
    /// The caller must also be able to send the body again.
    pub fn is_allowed(&self) -> bool {
        let stale = self.connection_reused && !self.response_begun;
        stale && self.replay_count == 0 && self.method.is_idempotent()
    }
}

/// When a server allows another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter<'a> {
    /// After this many seconds; a fraction counts as a whole one. A number beyond 2^64 becomes the largest `u64`, so
    /// apply a limit.
    Seconds(u64),
    /// Any other value, trimmed by the head parser. It should be an HTTP date, which isn't checked.
    Date(&'a [u8]),
}

/// The first Retry-After of a header section.
pub fn retry_after(headers: &HeaderMap) -> Option<RetryAfter<'_>> {
    let value = headers.get(RETRY_AFTER)?.as_bytes();
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    // Some servers send fractions, which the RFC doesn't have.
    let point = value.iter().position(|byte| *byte == b'.').unwrap_or(value.len());
    let (seconds, fraction) = (&value[..point], value.get(point + 1..));
    if !is_number(seconds) || fraction.is_some_and(|fraction| !is_number(fraction)) {
        return Some(RetryAfter::Date(value));
    }
    let begun = fraction.is_some_and(|fraction| fraction.iter().any(|digit| *digit != b'0'));
    Some(RetryAfter::Seconds(decimal(seconds).unwrap_or(u64::MAX).saturating_add(begun.into())))
}
