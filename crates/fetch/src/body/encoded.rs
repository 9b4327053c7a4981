//! Bodies that are stored in a format of chunks: encoding them on their way to a sink, and reading them again.
//!
//! Owns: its files.
//! Does not own: formats ([`haul_io::ChunkedFormat`]).

pub(crate) mod chunks;
pub(crate) mod encoder;
pub(crate) mod encoding;
pub(crate) mod helper;
pub(crate) mod waiting;
