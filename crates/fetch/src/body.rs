//! The body room: where the content of responses goes, and what it is checked against.
//!
//! Enters: bytes of content, after framing was undone.
//! Leaves: a published file, bytes in memory, bytes on a stream, or bytes handed to a reader.
//! Not to be touched from outside: files that are being written, digests being computed.

pub(crate) mod checksum;
pub(crate) mod coding;
pub(crate) mod digest;
pub(crate) mod download;
pub(crate) mod encoded;
pub(crate) mod expectation;
pub(crate) mod file_sink;
pub(crate) mod handover;
pub(crate) mod receiver;
pub(crate) mod reread;
pub(crate) mod shortage;
pub(crate) mod sink;
pub(crate) mod space;
pub(crate) mod store;
pub(crate) mod write;
