//! Randomness: the system's, where a caller doesn't bring its own, and batches of the caller's.
//!
//! Owns: the one source, its form for other crates, drawing once for all values of a header.
//! Does not own: what it is used for.

use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

/// Enough for the key, the nonce and the shares of seven recipients of X25519.
const BATCH_BYTES: usize = 256;

/// Fills `out` from the system's generator of random numbers. Pass it wherever this crate asks for randomness.
///
/// # Panics
/// If the system has no randomness to give: no key could be made then.
pub fn system_random(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).expect("the system provides randomness");
}

/// Randomness for the values of one header, drawn together: a draw is a system call. No byte is handed out twice. A
/// batch lives on the stack for the time of one header, so no other file, thread or process shares it; it is wiped
/// when it is dropped.
pub(crate) struct Batch<'a> {
    source: &'a mut dyn FnMut(&mut [u8]),
    bytes: Zeroizing<[u8; BATCH_BYTES]>,
    /// How many bytes at the end of `bytes` were drawn and not handed out.
    left: usize,
}

impl<'a> Batch<'a> {
    /// An empty batch that draws from `source` when it is asked for the first time.
    pub(crate) fn new(source: &'a mut dyn FnMut(&mut [u8])) -> Self {
        Self { source, bytes: Zeroizing::new([0; BATCH_BYTES]), left: 0 }
    }

    /// Fills `out`.
    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        if out.len() > BATCH_BYTES {
            return (self.source)(out);
        }
        if out.len() > self.left {
            (self.source)(&mut *self.bytes);
            self.left = BATCH_BYTES;
        }
        let start = BATCH_BYTES - self.left;
        out.copy_from_slice(&self.bytes[start..start + out.len()]);
        self.left -= out.len();
    }
}

/// The caller's randomness as the trait that other crates expect.
pub(crate) struct Random<'a>(pub(crate) &'a mut dyn FnMut(&mut [u8]));

impl TryRng for Random<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        (self.0)(out);
        Ok(())
    }
}

impl TryCryptoRng for Random<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_handed_out_twice() {
        let (mut drawn, mut draws) = (0_u16, 0);
        // Every pair of bytes is another one.
        let mut source = |out: &mut [u8]| {
            draws += 1;
            out.chunks_mut(2).for_each(|pair| {
                pair.copy_from_slice(&drawn.to_ne_bytes()[..pair.len()]);
                drawn += 1;
            });
        };
        let mut batch = Batch::new(&mut source);
        let mut seen = std::collections::BTreeSet::new();
        for bytes in [16, 32, 16, 32, 64, 64, 32, 600, 256, 2] {
            let mut out = vec![0; bytes];
            batch.fill(&mut out);
            for pair in out.chunks(2) {
                assert!(seen.insert(pair.to_vec()), "{bytes}: {pair:?} again");
            }
        }
        // One for the first 256 bytes, the long one itself, and two more.
        assert_eq!(draws, 4);
    }
}
