//! ChaCha20-Poly1305 for chunks, by the library that was chosen when building.
//!
//! aws-lc-rs is the default. OpenSSL's code is faster on processors with AVX-512; the feature `openssl` takes it.
//!
//! Owns: the joint between chunks and the libraries, each library's calls.
//! Does not own: nonces, the wrapping of file keys (16 bytes, always by aws-lc-rs).
//!
//! Spec: RFC 8439.

#[cfg(any(test, not(feature = "openssl")))]
mod aws_lc;
#[cfg(feature = "openssl")]
mod openssl;

use crate::ChunkError;

pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const NONCE_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;

/// A key that seals and opens out of place, from any thread, without allocating for each chunk.
pub(crate) trait ChunkAead {
    fn new(key: &[u8; KEY_BYTES]) -> Self;

    /// Seals `plain` into `ciphertext` of the same length. A nonce is used twice only for the same `plain`.
    fn seal(&self, nonce: &[u8; NONCE_BYTES], plain: &[u8], ciphertext: &mut [u8], tag: &mut [u8; TAG_BYTES]);

    /// Opens `ciphertext` into `plain` of the same length, which is of no use after an error.
    fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        ciphertext: &[u8],
        tag: &[u8; TAG_BYTES],
        plain: &mut [u8],
    ) -> Result<(), ChunkError>;
}

/// The library's key.
#[cfg(not(feature = "openssl"))]
pub(crate) type ChunkKey = aws_lc::Key;
/// The library's key.
#[cfg(feature = "openssl")]
pub(crate) type ChunkKey = openssl::Key;

#[cfg(test)]
mod tests {
    use super::*;

    /// What aws-lc-rs makes of it through another of its interfaces, in place.
    fn expected(key: &[u8; KEY_BYTES], nonce: [u8; NONCE_BYTES], plain: &[u8]) -> Vec<u8> {
        use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).unwrap());
        let mut sealed = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed).unwrap();
        sealed
    }

    #[track_caller]
    fn check<A: ChunkAead + Sync>() {
        let (secret, nonce) = ([7; KEY_BYTES], [9; NONCE_BYTES]);
        let key = A::new(&secret);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for bytes in [0, 1, 15, 16, 17, 255, 256, 1000, 65_535, 65_536] {
                        check_one(&key, &secret, nonce, bytes);
                    }
                });
            }
        });
    }

    fn check_one<A: ChunkAead>(key: &A, secret: &[u8; KEY_BYTES], nonce: [u8; NONCE_BYTES], bytes: usize) {
        let plain: Vec<u8> = (0..bytes).map(|index| (index * 31) as u8).collect();
        let (mut ciphertext, mut tag) = (vec![0; bytes], [0; TAG_BYTES]);
        key.seal(&nonce, &plain, &mut ciphertext, &mut tag);
        assert_eq!([ciphertext.as_slice(), &tag].concat(), expected(secret, nonce, &plain), "{bytes} bytes");
        let mut opened = vec![0; bytes];
        assert_eq!(key.open(&nonce, &ciphertext, &tag, &mut opened), Ok(()));
        assert_eq!(opened, plain);
        tag[bytes % TAG_BYTES] ^= 1;
        assert_eq!(key.open(&nonce, &ciphertext, &tag, &mut opened), Err(ChunkError), "{bytes} bytes");
        tag[bytes % TAG_BYTES] ^= 1;
        assert!(key.open(&[8; NONCE_BYTES], &ciphertext, &tag, &mut opened).is_err(), "{bytes} bytes");
        if let Some(last) = ciphertext.last_mut() {
            *last ^= 0x80;
            assert!(key.open(&nonce, &ciphertext, &tag, &mut opened).is_err(), "{bytes} bytes");
        }
    }

    #[test]
    fn aws_lc_seals_and_opens() {
        check::<aws_lc::Key>();
    }

    #[cfg(feature = "openssl")]
    #[test]
    fn openssl_gives_the_same_bytes() {
        check::<openssl::Key>();
    }
}
