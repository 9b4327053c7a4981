//! Requests as bytes: the head, and the chunks of a body of unknown length.
//!
//! Enters: a method, a target, an [`Authority`], fields, body data.
//! Leaves: bytes to send, or a [`RequestError`].
//! Not for use from outside the crate: the writing of single fields.
//!
//! Source: RFC 9112, sections 3 (request line), 6 (message body) and 7.1 (chunked).

pub(crate) mod authority;
pub(crate) mod chunks;
pub(crate) mod error;
pub(crate) mod head;

pub use authority::Authority;
pub use chunks::{CHUNK_END, ChunkHead, encode_chunk, encode_last_chunk};
pub use error::RequestError;
pub use head::{BodyLength, RequestHead, Target, parse_field};
