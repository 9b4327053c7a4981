//! The file key, and the keys derived from it.
//!
//! Owns: the key schedule, and wiping these keys.
//! Does not own: wrapping for recipients.
//!
//! Spec: C2SP age.md, "File key", "Header MAC", "Payload".

use aws_lc_rs::{aead, hkdf, hmac};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::payload::key::PayloadKey;
use crate::random::system_random;

/// Length of the nonce between header and payload, in bytes.
pub const NONCE_BYTES: usize = 16;

/// The 16 random bytes that every stanza of a file's header wraps. Each file has its own. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct FileKey(pub(crate) [u8; 16]);

impl FileKey {
    pub(crate) const BYTES: usize = 16;

    /// Makes a new key from the system's randomness.
    ///
    /// # Panics
    /// If the system provides no randomness.
    pub fn generate() -> Self {
        Self::generate_with(&mut system_random)
    }

    /// As [`generate`](Self::generate), from 16 bytes that `random` provides.
    pub fn generate_with(random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut key = Self([0; Self::BYTES]);
        random(&mut key.0);
        key
    }

    pub(crate) fn header_key(&self) -> hmac::Key {
        let key = derive(&self.0, &[], b"header");
        hmac::Key::new(hmac::HMAC_SHA256, &*key)
    }

    pub(crate) fn payload_key(&self, nonce: &[u8; NONCE_BYTES]) -> PayloadKey {
        PayloadKey::from_bytes(derive(&self.0, nonce, b"payload"))
    }
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey(…)")
    }
}

pub(crate) fn aead_key(key: &[u8; 32]) -> aead::LessSafeKey {
    let unbound = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, key).expect("the key has the right length");
    aead::LessSafeKey::new(unbound)
}

/// HKDF-SHA256 (RFC 5869) to 32 bytes.
pub(crate) fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let info = [info];
    let expanded = extracted.expand(&info, hkdf::HKDF_SHA256).expect("32 bytes are within HKDF's limit");
    expanded.fill(&mut *key).expect("the length asked for is the key's");
    key
}

/// Wraps `file_key` with ChaCha20-Poly1305 and a zero nonce, which is sound because each `wrap_key` is used once.
pub(crate) fn wrap(wrap_key: &[u8; 32], file_key: &FileKey) -> Vec<u8> {
    let mut body = file_key.0.to_vec();
    let nonce = aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN]);
    let key = aead_key(wrap_key);
    key.seal_in_place_append_tag(nonce, aead::Aad::empty(), &mut body).expect("16 bytes can be sealed");
    body
}

/// The file key in a stanza's body; `None` if it was wrapped under another key.
pub(crate) fn unwrap(wrap_key: &[u8; 32], body: &[u8]) -> Option<FileKey> {
    let mut body = Zeroizing::new(body.to_vec());
    let nonce = aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN]);
    let opened = aead_key(wrap_key).open_in_place(nonce, aead::Aad::empty(), &mut body).ok()?;
    Some(FileKey((&*opened).try_into().ok()?))
}

/// Length of a wrapped file key, in bytes. It is checked before decryption: a longer body could be crafted to open
/// under several keys.
pub(crate) const WRAPPED_BYTES: usize = FileKey::BYTES + 16;
