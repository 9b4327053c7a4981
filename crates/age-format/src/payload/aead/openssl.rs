//! ChaCha20-Poly1305 from OpenSSL.
//!
//! Owns: the library's contexts, which are made once and reused.
//! Does not own: when a key is used.

use std::sync::{Mutex, PoisonError};

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use zeroize::Zeroizing;

use super::cipher::{ChunkAead, KEY_BYTES, NONCE_BYTES, TAG_BYTES};
use crate::error::ChunkError;

pub(crate) struct Key {
    secret: Zeroizing<[u8; KEY_BYTES]>,
    /// Contexts not in use. Invariant: at most as many as there were threads in this type at once.
    idle: Mutex<Vec<CipherCtx>>,
}

impl Key {
    /// Runs `work` with a context that no other thread uses meanwhile.
    fn with_context<T>(
        &self,
        work: impl FnOnce(&mut CipherCtx) -> Result<T, ErrorStack>,
    ) -> Result<T, ErrorStack> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let mut context = taken.map_or_else(new_context, Ok)?;
        let result = work(&mut context)?;
        idle().push(context);
        Ok(result)
    }
}

fn new_context() -> Result<CipherCtx, ErrorStack> {
    let mut context = CipherCtx::new()?;
    context.encrypt_init(Some(Cipher::chacha20_poly1305()), None, None)?;
    Ok(context)
}

impl ChunkAead for Key {
    fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self { secret: Zeroizing::new(*key), idle: Mutex::default() }
    }

    fn seal(
        &self,
        nonce: &[u8; NONCE_BYTES],
        plain: &[u8],
        ciphertext: &mut [u8],
        tag: &mut [u8; TAG_BYTES],
    ) {
        self.with_context(|context| {
            context.encrypt_init(None, Some(&*self.secret), Some(nonce))?;
            if !plain.is_empty() {
                context.cipher_update(plain, Some(ciphertext))?;
            }
            context.cipher_final(&mut [])?;
            context.tag(tag)
        })
        .expect("a chunk of legal length can be sealed");
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        ciphertext: &[u8],
        tag: &[u8; TAG_BYTES],
        plain: &mut [u8],
    ) -> Result<(), ChunkError> {
        self.with_context(|context| {
            context.decrypt_init(None, Some(&*self.secret), Some(nonce))?;
            context.set_tag(tag)?;
            if !ciphertext.is_empty() {
                context.cipher_update(ciphertext, Some(plain))?;
            }
            context.cipher_final(&mut [])
        })
        .map(|_| ())
        .map_err(|_| ChunkError)
    }
}
