//! The decoders of a client that is built without the feature `codings`: none, so that every coding is unknown.
//!
//! Owns: saying so.
//! Does not own: chains and limits ([`super::decoding`]).

use super::error::CodingError;
use super::step::{DecodeStep, Window};

/// The value of Accept-Encoding when codings are wanted.
pub(crate) const ACCEPTED: &str = "identity";

/// There is none.
pub(crate) enum Decoder {}

impl Decoder {
    pub(super) fn of(_name: &str, _window: Window) -> Option<Self> {
        None
    }

    pub(super) fn is_complete(&self) -> bool {
        match *self {}
    }

    pub(super) fn step(&mut self, _input: &[u8], _output: &mut [u8]) -> Result<DecodeStep, CodingError> {
        match *self {}
    }
}
