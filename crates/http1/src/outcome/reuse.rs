//! Reuse of connections for another request.
//!
//! Owns: the decision after a response, and the one about bytes on an idle connection.
//! Does not own: pools, idle times, which requests may share a connection.
//!
//! Source: RFC 9112, section 9.3 (persistence), 9.6 (tear-down), 6.3 (responses that end with the
//! connection).

use std::fmt;

use http::header::CONNECTION;
use http::{HeaderMap, Version};

use crate::response::body::Body;
use crate::response::framing::{Framing, is_ambiguous};
use crate::response::head::ResponseHead;
use crate::syntax::list;

/// The facts that decide about the connection after a response.
#[derive(Clone, Copy, Debug)]
pub struct AfterResponse<'a> {
    /// The fields of the request.
    pub request_headers: &'a HeaderMap,
    /// Whether the whole request was sent. A server may respond earlier.
    pub request_sent: bool,
    /// The head of the response.
    pub response: &'a ResponseHead,
    /// The body of the response, as far as it was decoded.
    pub body: &'a Body,
    /// Bytes that were read after the response.
    pub leftover_bytes: usize,
}

/// Why a connection can't carry another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The request had `Connection: close`.
    RequestSaidClose,
    /// The request wasn't sent completely.
    RequestUnfinished,
    /// The response had `Connection: close`.
    ResponseSaidClose,
    /// HTTP/1.0 without `Connection: keep-alive`.
    NotPersistent,
    /// The end of the connection is the end of the body.
    FramedByClose,
    /// Transfer-Encoding came with Content-Length, or wasn't just `chunked`, so that another recipient might find
    /// another end of the body (RFC 9112, section 6.3).
    AmbiguousFraming,
    /// The connection now carries another protocol.
    Tunnel,
    /// The body wasn't read to its end.
    BodyUnfinished,
    /// Unrequested bytes followed the response. They must not be taken for another response.
    LeftoverBytes,
    /// Bytes arrived while no request was outstanding.
    IdleBytes,
    /// The peer closed the connection.
    PeerClosed,
}

impl AfterResponse<'_> {
    /// Why the connection must be closed; `None` if it may carry another request.
    pub fn must_close(&self) -> Option<CloseReason> {
        let framing = self.response.framing;
        let response_headers = &self.response.headers;
        // Evidence from the bytes takes precedence over what the fields say.
        let reasons = [
            (framing == Framing::Tunnel, CloseReason::Tunnel),
            (self.leftover_bytes > 0, CloseReason::LeftoverBytes),
            (framing == Framing::UntilClose, CloseReason::FramedByClose),
            (framing != Framing::None && is_ambiguous(response_headers), CloseReason::AmbiguousFraming),
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
/// `unread_bytes` counts the bytes that arrived while no request was outstanding. With TLS, count decrypted bytes
/// only, not session tickets and other messages. They can't be a response, as nothing was requested (RFC 9112,
/// section 9.2).
pub fn check_idle(unread_bytes: usize, peer_closed: bool) -> Option<CloseReason> {
    if unread_bytes > 0 {
        Some(CloseReason::IdleBytes)
    } else {
        peer_closed.then_some(CloseReason::PeerClosed)
    }
}

/// Whether any Connection field has this option, in any letter case.
fn has_option(headers: &HeaderMap, option: &[u8]) -> bool {
    let mut options = headers.get_all(CONNECTION).into_iter().flat_map(|value| list(value.as_bytes()));
    options.any(|this| this.eq_ignore_ascii_case(option))
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestSaidClose => "the request had Connection: close",
            Self::RequestUnfinished => "the request wasn't sent completely",
            Self::ResponseSaidClose => "the response had Connection: close",
            Self::NotPersistent => "HTTP/1.0 without keep-alive",
            Self::FramedByClose => "the body ends with the connection",
            Self::AmbiguousFraming => "ambiguous length of the body",
            Self::Tunnel => "the connection is a tunnel",
            Self::BodyUnfinished => "the body wasn't read to its end",
            Self::LeftoverBytes => "bytes after the response",
            Self::IdleBytes => "bytes without a request",
            Self::PeerClosed => "closed by the peer",
        })
    }
}
