//! The payload of an age file: how it is divided, and how its chunks are sealed and opened.
//!
//! What enters: bytes of a source, the keys for its header. What leaves: the [`Payload`] of an accepted header, sealed
//! chunks, authenticated plaintext. Nobody outside calls the chunk functions of a payload key, because only [`chunks`]
//! knows what is authentic after an error. This room writes no file.
//!
//! Owns: segments and pieces, reading a header from a file, authenticating chunks.
//! Does not own: the format ([`haul_age_format`]), where results go ([`crate::jobs`], [`crate::stream`]).

pub(crate) mod accept;
pub(crate) mod chunks;
pub(crate) mod keys;
pub(crate) mod segments;
pub(crate) mod wrapped;

pub use self::chunks::Payload;
pub use self::wrapped::WrappedKey;
