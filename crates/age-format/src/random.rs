//! The system's randomness, where a caller doesn't bring its own.
//!
//! Owns: the one source.
//! Does not own: what it is used for.

/// Fills `out` from the system's generator of random numbers. Pass it wherever this crate asks for randomness.
///
/// # Panics
/// If the system has no randomness to give: no key could be made then.
pub fn system_random(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).expect("the system provides randomness");
}
