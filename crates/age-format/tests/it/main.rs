//! The integration tests of the crate: the format's rules, keys of every type, the `age` crate as a peer, test
//! vectors, and the properties that the fuzz targets share.
//!
//! Owns: the tests that use the public interface alone.
//! Does not own: data, which lies in `tests/ssh` and `tests/cctv`.

mod armor;
mod cctv;
mod format;
mod keys;
#[cfg(not(feature = "ssh"))]
mod no_ssh;
mod properties;
#[cfg(feature = "ssh")]
mod ssh;
mod tagged;
mod vectors;
