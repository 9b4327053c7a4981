//! One step of decoding a body.
//!
//! Owns: the result that every kind of body shares.
//! Does not own: decoding.

use std::ops::Range;

/// The next action after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyState {
    /// All of the input was consumed. Call again with the following bytes.
    NeedMore,
    /// Part of the input was consumed. Call again with `input[consumed..]`, which isn't empty.
    More,
    /// The body is complete. Bytes after `consumed` don't belong to this response.
    Complete,
}

/// The result of one step of decoding. Nothing is copied: `data` is a range of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of input bytes processed.
    pub consumed: usize,
    /// The body data among them; empty if the step processed framing alone.
    pub data: Range<usize>,
    /// The next action.
    pub state: BodyState,
}
