//! A key shared by the processes of one run, under which they exchange the keys of files over memory that others may
//! read.
//!
//! Owns: wrapping payload keys and file keys, each under a fresh wrapping key.
//! Does not own: how the run's key reaches a process. The key isn't part of the age format and is stored in no file.
//!
//! Source: the construction of age's own stanzas (C2SP age.md): HKDF-SHA256 under a fresh salt, then
//! ChaCha20-Poly1305 with a zero nonce, which is sound because each derived key is used once.

use aws_lc_rs::aead;
use zeroize::Zeroizing;

use crate::file_key::{FileKey, aead_key, derive};
use crate::payload::key::PayloadKey;
use crate::random::system_random;

/// 32 random bytes, for one run. Wiped when dropped.
#[derive(Clone)]
pub struct RunKey(Zeroizing<[u8; 32]>);

const SALT_BYTES: usize = 32;
const PAYLOAD_INFO: &[u8] = b"haul run key";
const FILE_INFO: &[u8] = b"haul run key, file key";

impl RunKey {
    /// Length of a wrapped payload key, in bytes.
    pub const WRAPPED_BYTES: usize = SALT_BYTES + 32 + aead::MAX_TAG_LEN;

    /// Makes a new key from the system's randomness.
    ///
    /// # Panics
    /// If the system provides no randomness.
    pub fn generate() -> Self {
        Self::generate_with(&mut system_random)
    }

    /// As [`generate`](Self::generate), from 32 bytes that `random` provides.
    pub fn generate_with(random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        random(&mut *key);
        Self(key)
    }

    /// The key with `secret`, which another process of the run generated.
    pub fn from_secret(secret: Zeroizing<[u8; 32]>) -> Self {
        Self(secret)
    }

    /// The secret, for another process of the run.
    pub fn secret(&self) -> &[u8; 32] {
        &self.0
    }

    /// Wraps `payload_key` under this key, with a salt from `random`.
    pub fn wrap(&self, payload_key: &PayloadKey, random: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
        self.wrap_secret(&*payload_key.bytes, PAYLOAD_INFO, random)
    }

    /// Wraps `file_key` under this key, with a salt from `random`.
    pub fn wrap_file_key(&self, file_key: &FileKey, random: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
        self.wrap_secret(&file_key.0, FILE_INFO, random)
    }

    /// The key that [`wrap`](Self::wrap) wrapped; `None` if the bytes were changed or belong to another run.
    pub fn unwrap(&self, wrapped: &[u8]) -> Option<PayloadKey> {
        let secret = self.unwrap_secret(wrapped, PAYLOAD_INFO)?;
        Some(PayloadKey::from_bytes(Zeroizing::new(secret.as_slice().try_into().ok()?)))
    }

    /// The key that [`wrap_file_key`](Self::wrap_file_key) wrapped; `None` if the bytes were changed or belong to
    /// another run.
    pub fn unwrap_file_key(&self, wrapped: &[u8]) -> Option<FileKey> {
        let secret = self.unwrap_secret(wrapped, FILE_INFO)?;
        Some(FileKey(secret.as_slice().try_into().ok()?))
    }

    fn wrap_secret(&self, secret: &[u8], info: &[u8], random: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
        let mut salt = [0; SALT_BYTES];
        random(&mut salt);
        let mut body = Zeroizing::new(secret.to_vec());
        let key = aead_key(&derive(&*self.0, &salt, info));
        let tag = key
            .seal_in_place_separate_tag(nonce(), aead::Aad::empty(), &mut body)
            .expect("a short secret can be sealed");
        [&salt, &**body, tag.as_ref()].concat()
    }

    fn unwrap_secret(&self, wrapped: &[u8], info: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (salt, body) = wrapped.split_at_checked(SALT_BYTES)?;
        let mut body = Zeroizing::new(body.to_vec());
        let key = aead_key(&derive(&*self.0, salt, info));
        let length = key.open_in_place(nonce(), aead::Aad::empty(), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

fn nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN])
}

impl std::fmt::Debug for RunKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_keys_pass_between_holders_of_the_run_key() {
        let mut counter = 0;
        let mut random = |out: &mut [u8]| {
            counter += 1;
            out.fill(counter);
        };
        let (ours, others) = (RunKey::generate_with(&mut random), RunKey::generate_with(&mut random));
        let payload_key = FileKey::generate_with(&mut random).payload_key(&[1; 16]);
        let wrapped = ours.wrap(&payload_key, &mut random);
        assert_eq!(wrapped.len(), RunKey::WRAPPED_BYTES);
        assert!(!wrapped.windows(32).any(|window| window == *payload_key.bytes));
        assert_ne!(ours.wrap(&payload_key, &mut random), wrapped, "a fresh salt each time");
        let there = RunKey::from_secret(Zeroizing::new(*ours.secret()));
        assert_eq!(there.unwrap(&wrapped).unwrap().bytes, payload_key.bytes);
        assert!(others.unwrap(&wrapped).is_none());
        for index in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[index] ^= 1;
            assert!(ours.unwrap(&changed).is_none(), "byte {index}");
        }
        assert!((0..wrapped.len()).all(|length| ours.unwrap(&wrapped[..length]).is_none()));
    }

    #[test]
    fn file_keys_pass_too_and_are_not_taken_for_payload_keys() {
        let mut random = |out: &mut [u8]| out.fill(3);
        let (ours, file_key) = (RunKey::generate_with(&mut random), FileKey([9; 16]));
        let wrapped = ours.wrap_file_key(&file_key, &mut random);
        assert_eq!(ours.unwrap_file_key(&wrapped).unwrap().0, file_key.0);
        assert!(ours.unwrap(&wrapped).is_none());
        let payload_key = ours.wrap(&file_key.payload_key(&[1; 16]), &mut random);
        assert!(ours.unwrap_file_key(&payload_key).is_none());
    }
}
