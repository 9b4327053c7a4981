//! ChaCha20-Poly1305 for chunks, from the library chosen at build time.
//!
//! Enters: a key; chunks with their nonces.
//! Leaves: [`ChunkKey`], the key of the chosen library, behind [`ChunkAead`].
//! Not for use from outside: each library's calls.
//!
//! Owns: the choice of the library.
//! Does not own: nonces; wrapping file keys of 16 bytes, which aws-lc-rs always does.
//!
//! aws-lc-rs is the default. OpenSSL is faster on processors with AVX-512; the feature `openssl` selects it.
//!
//! Spec: RFC 8439.

#[cfg(any(test, not(feature = "openssl")))]
mod aws_lc;
mod cipher;
#[cfg(feature = "openssl")]
mod openssl;

#[cfg(not(feature = "openssl"))]
pub(super) use aws_lc::Key as ChunkKey;
pub(super) use cipher::{ChunkAead, NONCE_BYTES, TAG_BYTES};
#[cfg(feature = "openssl")]
pub(super) use openssl::Key as ChunkKey;

#[cfg(test)]
mod tests {
    use super::cipher::{ChunkAead, KEY_BYTES, NONCE_BYTES, TAG_BYTES};
    use super::*;
    use crate::error::ChunkError;

    /// The chunk as aws-lc-rs seals it in place, through another of its interfaces.
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
