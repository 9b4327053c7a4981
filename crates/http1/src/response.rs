//! Responses from bytes: heads, framing, body data and trailers.
//!
//! Enters: the bytes that a peer sends, in prefixes of any length, and whether the peer closed the connection.
//! Leaves: [`ResponseHead`], the [`Framing`] of its body, ranges of body data, trailers, or a
//! [`ProtocolError`](crate::ProtocolError).
//! Not for use from outside the crate: the parsers of single lines.
//!
//! Source: RFC 9112, sections 4 to 8.

pub(crate) mod body;
mod chunked;
mod fields;
pub(crate) mod framing;
pub(crate) mod head;
mod status_line;
mod step;

pub use body::Body;
pub use framing::{Framing, content_length};
pub use head::{Exchange, Head, ResponseHead};
pub use step::{BodyState, Step};
