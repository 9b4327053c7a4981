//! The integration tests of the crate: the protocol's rules, llhttp's cases, and the properties that the fuzz targets
//! share.
//!
//! Owns: the tests that use the public interface alone.
//! Does not own: cases of other projects (see [`llhttp`]).

mod drive;
mod llhttp;
mod properties;
mod rules;
