//! The client side of HTTP/1.1 as a state machine without I/O, clock or threads.
//!
//! Owns: request heads and chunked request bodies as bytes; response heads, message framing, body decoding
//! and trailers from bytes; the pure questions around one exchange (may the connection be reused, may the
//! request be replayed, does a partial response answer the range that was asked for).
//! Does not own: sockets, TLS, timeouts, pools, redirects, content codings, the policy of retries and
//! resumption.
//!
//! Source: RFC 9112 (HTTP/1.1) and RFC 9110 (HTTP semantics); sections are cited where a line implements
//! them.
//!
//! One exchange, in the order in which a caller meets it:
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

mod authority;
mod body;
mod chunk_encode;
mod chunked;
mod error;
mod fields;
mod framing;
mod head;
mod limits;
mod range;
mod replay;
mod request;
mod reuse;
mod scan;
mod status_line;

pub use authority::Authority;
pub use body::{Body, BodyState, Step};
pub use chunk_encode::{CHUNK_END, ChunkHead, encode_chunk, encode_last_chunk};
pub use error::ProtocolError;
pub use framing::{Framing, content_length};
pub use head::{Exchange, Head, ResponseHead};
pub use limits::Limits;
pub use range::{ContentRange, RangeAnswer, RangeError, RequestedRange, content_range};
pub use replay::{Replay, RetryAfter, retry_after};
pub use request::{BodyLength, RequestError, RequestHead, Target, parse_field};
pub use reuse::{AfterResponse, CloseReason, check_idle};
