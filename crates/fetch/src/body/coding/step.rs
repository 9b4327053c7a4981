//! The limit of a decoder, and the result of one of its steps.
//!
//! Owns: both types.
//! Does not own: decoding ([`super::decoder`]).

/// The largest window that a decoder may have, as a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) bits: u32,
}

/// The result of one step: how many bytes it took and made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DecodeStep {
    pub(crate) taken: usize,
    pub(crate) made: usize,
}

impl DecodeStep {
    /// Whether the step neither took nor made a byte.
    pub(crate) fn is_idle(self) -> bool {
        self == Self::default()
    }
}
