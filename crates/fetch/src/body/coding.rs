//! The coding room: content codings (gzip, deflate, br, zstd), undone as a body arrives.
//!
//! Enters: encoded content, piece by piece.
//! Leaves: decoded content, within the limits on its growth.
//! Not to be touched from outside: the single decoders.

pub(crate) mod archive;
#[cfg(feature = "codings")]
pub(crate) mod decoder;
#[cfg(not(feature = "codings"))]
#[path = "coding/no_decoder.rs"]
pub(crate) mod decoder;
pub(crate) mod decoding;
pub(crate) mod error;
mod step;
