//! The size of the pieces in which a body is received.
//!
//! Most bodies are small, and pieces of 128 KiB hold them whole. A large one that arrives as fast as it is taken costs
//! less in larger pieces: fewer calls, and longer writes. All transfers together have a budget for these.
//!
//! Owns: when a transfer's pieces become larger, the budget.
//! Does not own: buffers ([`haul_io::Io::take_buf`]), receiving ([`crate::transfer::receive`]).

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a large piece.
pub(crate) const LARGE_BYTES: usize = 2 << 20;
/// Bodies of up to this length aren't received in large pieces.
const BODY_BYTES_MIN: u64 = 8 << 20;
/// Large pieces at a time, at most: 64 MiB.
const COUNT_MAX: usize = 32;

/// The budget for large pieces.
#[derive(Debug, Default)]
pub(crate) struct LargePieces {
    taken: AtomicUsize,
}

/// The right to use one large piece, until this is dropped.
#[derive(Debug)]
pub(crate) struct LargePiece<'a>(&'a LargePieces);

impl LargePieces {
    /// A large piece, if one is worth it and there is one left. `expected_bytes` is the length of the body if known, of
    /// which `received_bytes` have arrived; `was_full` says that the last piece was full.
    pub(crate) fn take(
        &self,
        expected_bytes: Option<u64>,
        received_bytes: u64,
        was_full: bool,
    ) -> Option<LargePiece<'_>> {
        // A slow server would fill no large piece.
        if !was_full || expected_bytes.unwrap_or(received_bytes) <= BODY_BYTES_MIN {
            return None;
        }
        let more = |taken| (taken < COUNT_MAX).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(LargePiece(self))
    }
}

impl Drop for LargePiece<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_and_fast_bodies_have_large_pieces() {
        const LARGE: u64 = BODY_BYTES_MIN + 1;
        let pieces = LargePieces::default();
        for (expected, received, was_full, is_large) in [
            (Some(LARGE), 0, true, true),
            (Some(LARGE), 0, false, false),
            (Some(BODY_BYTES_MIN), BODY_BYTES_MIN, true, false),
            (None, BODY_BYTES_MIN, true, false),
            (None, LARGE, true, true),
        ] {
            let found = pieces.take(expected, received, was_full).is_some();
            assert_eq!(found, is_large, "{expected:?} {received} {was_full}");
        }
    }

    #[test]
    fn all_transfers_share_one_budget() {
        let pieces = LargePieces::default();
        let mut taken: Vec<_> = (0..COUNT_MAX).map(|_| pieces.take(None, u64::MAX, true).unwrap()).collect();
        assert!(pieces.take(None, u64::MAX, true).is_none());
        taken.pop();
        assert!(pieces.take(None, u64::MAX, true).is_some(), "one was given back");
    }
}
