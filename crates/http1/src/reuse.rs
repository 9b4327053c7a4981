//! Whether a connection may carry another request.
//!
//! Owns: the decision after a response, and for bytes on an idle connection.
//! Does not own: pools, idle times, who may share a connection.
//!
//! Source: RFC 9112, section 9.3 (persistence), 9.6 (tear-down), 6.3 (responses that end with the
//! connection).

use std::fmt;

use http::header::CONNECTION;
use http::{HeaderMap, Version};

use crate::scan::list;
use crate::{Body, Framing, ResponseHead};

/// Everything that decides about the connection once a response is over.
#[derive(Clone, Copy, Debug)]
pub struct AfterResponse<'a> {
    /// The fields that the request was sent with.
    pub request_headers: &'a HeaderMap,
    /// Whether the request was sent to its last byte. A server may answer early.
    pub request_sent: bool,
    /// The head of the response.
    pub response: &'a ResponseHead,
    /// Its body, as far as it was decoded.
    pub body: &'a Body,
    /// Bytes that were read and belong to nothing.
    pub leftover_bytes: usize,
}

/// Why a connection can't carry another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The request said `Connection: close`.
    RequestSaidClose,
    /// The request wasn't sent whole.
    RequestUnfinished,
    /// The response said `Connection: close`.
    ResponseSaidClose,
    /// HTTP/1.0 without `Connection: keep-alive`.
    NotPersistent,
    /// The end of the connection is the end of the body.
    FramedByClose,
    /// The connection belongs to another protocol now.
    Tunnel,
    /// The body wasn't read to its end.
    BodyUnfinished,
    /// Bytes came after the response, which nobody asked for. They are never taken for another response.
    LeftoverBytes,
    /// Bytes came while no request was under way.
    IdleBytes,
    /// The peer closed the connection.
    PeerClosed,
}

impl AfterResponse<'_> {
    /// Why the connection must be closed; `None` if it may carry another request.
    pub fn must_close(&self) -> Option<CloseReason> {
        let framing = self.response.framing;
        let response_headers = &self.response.headers;
        // What the bytes prove comes before what the fields promise.
        let reasons = [
            (framing == Framing::Tunnel, CloseReason::Tunnel),
            (self.leftover_bytes > 0, CloseReason::LeftoverBytes),
            (framing == Framing::UntilClose, CloseReason::FramedByClose),
            (!self.body.is_complete(), CloseReason::BodyUnfinished),
            (!self.request_sent, CloseReason::RequestUnfinished),
            (has_option(self.request_headers, b"close"), CloseReason::RequestSaidClose),
            (has_option(response_headers, b"close"), CloseReason::ResponseSaidClose),
            (
                self.response.version < Version::HTTP_11 && !has_option(response_headers, b"keep-alive"),
                CloseReason::NotPersistent,
            ),
        ];
        reasons.into_iter().find(|(applies, _)| *applies).map(|(_, reason)| reason)
    }
}

/// Why an idle connection can't be used; `None` if it can.
///
/// `unread_bytes` are bytes of HTTP that came while no request was under way (after decryption where there is
/// TLS: its session tickets and other messages don't count). They can't be a response, since nothing was
/// asked (RFC 9112, section 9.2).
pub fn check_idle(unread_bytes: usize, peer_closed: bool) -> Option<CloseReason> {
    if unread_bytes > 0 {
        Some(CloseReason::IdleBytes)
    } else {
        peer_closed.then_some(CloseReason::PeerClosed)
    }
}

/// Whether a Connection field has this option, in whatever case and on whatever line.
fn has_option(headers: &HeaderMap, option: &[u8]) -> bool {
    let mut options = headers.get_all(CONNECTION).into_iter().flat_map(|value| list(value.as_bytes()));
    options.any(|this| this.eq_ignore_ascii_case(option))
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestSaidClose => "the request asked to close",
            Self::RequestUnfinished => "the request wasn't sent whole",
            Self::ResponseSaidClose => "the response asked to close",
            Self::NotPersistent => "HTTP/1.0 without keep-alive",
            Self::FramedByClose => "the body ends with the connection",
            Self::Tunnel => "the connection is a tunnel",
            Self::BodyUnfinished => "the body wasn't read to its end",
            Self::LeftoverBytes => "bytes after the response",
            Self::IdleBytes => "bytes without a request",
            Self::PeerClosed => "closed by the peer",
        })
    }
}
