//! The client side of HTTP/1.1 as a state machine without I/O, clock or threads.
//!
//! Owns: request heads and chunked request bodies as bytes; response heads, message framing, body decoding
//! and trailers from bytes; the pure decisions around one exchange (may the connection be reused, may the
//! request be replayed, does a partial response match the requested range).
//! Does not own: sockets, TLS, timeouts, pools, redirects, content codings, the policy of retries and
//! resumption.
//!
//! Source: RFC 9112 (HTTP/1.1) and RFC 9110 (HTTP semantics); sections are cited where a line implements
//! them.
//!
//! One exchange, step by step:
//!
//! ```text
//! RequestHead::encode ──► bytes out        (body: as is, or encode_chunk … encode_last_chunk)
//!
//! bytes in ──► Exchange::head ──► NeedMore | Interim | Complete { response, len }
//!                                                         │ response.framing
//! bytes in ──► Body::decode ──► Step { consumed, data, state: NeedMore | More | Complete }
//! peer closed ──► Exchange::closed / Body::finish
//!
//! AfterResponse::must_close ──► keep the connection, or a reason to close it
//! ```
//!
//! ```
//! use haul_http1::{Body, BodyState, Exchange, Head, Limits};
//!
//! let input = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
//! let limits = Limits::default();
//! let mut exchange = Exchange::new(&http::Method::GET, limits);
//! let Head::Complete { response, len, .. } = exchange.head(input)? else { panic!("the head is whole") };
//! assert_eq!(response.status, http::StatusCode::OK);
//!
//! let mut body = Body::new(response.framing, &limits);
//! let unread = &input[len..];
//! let step = body.decode(unread)?;
//! assert_eq!(&unread[step.data], b"hello");
//! assert_eq!(step.state, BodyState::Complete);
//! # Ok::<(), haul_http1::ProtocolError>(())
//! ```
#![forbid(unsafe_code)]

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod error;
mod limits;
mod outcome;
mod request;
mod response;
mod syntax;

pub use error::ProtocolError;
pub use limits::Limits;
pub use outcome::{
    AfterResponse, CloseReason, ContentRange, RangeAnswer, RangeError, Replay, RequestedRange, RetryAfter,
    check_idle, content_range, retry_after,
};
pub use request::{
    Authority, BodyLength, CHUNK_END, ChunkHead, RequestError, RequestHead, Target, encode_chunk,
    encode_last_chunk, parse_field,
};
pub use response::{Body, BodyState, Exchange, Framing, Head, ResponseHead, Step, content_length};
