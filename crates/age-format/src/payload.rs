//! The sealed payload: chunks, their order, and the cipher below them.
//!
//! Enters: a [`PayloadKey`], plaintext or sealed bytes.
//! Leaves: sealed bytes or authentic plaintext, and where each chunk lies ([`Layout`]).
//! Not for use from outside: nonces and the cipher libraries.
//!
//! Spec: C2SP age.md, "Payload".

mod aead;
pub(crate) mod chunks;
pub(crate) mod key;
pub(crate) mod streaming;

pub use chunks::{CHUNK_BYTES, Layout, SEALED_CHUNK_BYTES, TAG_BYTES};
pub use key::PayloadKey;
pub use streaming::{StreamOpener, StreamSealer};
