//! ChaCha20-Poly1305 from aws-lc-rs.
//!
//! Owns: the library's calls.
//! Does not own: when a key is used.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use super::cipher::{ChunkAead, KEY_BYTES, NONCE_BYTES, TAG_BYTES};
use crate::error::ChunkError;

pub(crate) struct Key(LessSafeKey);

impl ChunkAead for Key {
    fn new(key: &[u8; KEY_BYTES]) -> Self {
        let unbound = UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has the right length");
        Self(LessSafeKey::new(unbound))
    }

    fn seal(
        &self,
        nonce: &[u8; NONCE_BYTES],
        plain: &[u8],
        ciphertext: &mut [u8],
        tag: &mut [u8; TAG_BYTES],
    ) {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0
            .seal_out_of_place_scatter(nonce, Aad::empty(), plain, ciphertext, &[], tag)
            .expect("a chunk of legal length can be sealed");
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        ciphertext: &[u8],
        tag: &[u8; TAG_BYTES],
        plain: &mut [u8],
    ) -> Result<(), ChunkError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0.open_separate_gather(nonce, Aad::empty(), ciphertext, tag, plain).map_err(|_| ChunkError)
    }
}
