//! The recipient type ssh-ed25519: an Ed25519 signing key used for X25519.
//!
//! Owns: the conversion of keys, wrapping and unwrapping.
//! Does not own: the form of keys and stanzas.
//!
//! The construction is that of the X25519 type with one more step: the shared secret is multiplied by a tweak, which is
//! derived from the SSH public key, so that a file key wrapped for this key never equals one for the same X25519 key.

use aws_lc_rs::digest;
use curve25519_dalek::edwards::CompressedEdwardsY;
use zeroize::Zeroizing;

use super::stanza::key_hash;
use crate::encoding::to_base64;
use crate::error::{HeaderError, SealError};
use crate::file_key::{FileKey, derive, unwrap, wrap};
use crate::header::stanza::Stanza;
use crate::keys::curve::{private_key, public_of, shared_secret};
use crate::keys::ssh_forms::ED25519_TAG;

const INFO: &[u8] = b"age-encryption.org/v1/ssh-ed25519";

/// A public key, as a point of the curve that X25519 uses.
pub(super) struct PublicKey([u8; 32]);

impl PublicKey {
    /// `None` if `point` isn't on the curve, or is of small order: a file sealed to it would be open to all.
    pub(super) fn new(point: &[u8; 32]) -> Option<Self> {
        let point = CompressedEdwardsY(*point).decompress()?;
        if point.is_small_order() { None } else { Some(Self(point.to_montgomery().to_bytes())) }
    }

    /// Wraps `file_key` under a new ephemeral key. `blob` is this key's SSH encoding.
    pub(super) fn wrap(
        &self,
        blob: &[u8],
        file_key: &FileKey,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Stanza, SealError> {
        let mut ephemeral = Zeroizing::new([0; 32]);
        random(&mut *ephemeral);
        let ephemeral = private_key(&ephemeral);
        let share = public_of(&ephemeral);
        let shared = shared_secret(&ephemeral, &self.0)
            .and_then(|shared| shared_secret(&private_key(&tweak(blob)), &shared))
            .ok_or(SealError::InvalidRecipient)?;
        let arguments = vec![ED25519_TAG.to_owned(), key_hash(blob), to_base64(&share)];
        Ok(Stanza { arguments, body: wrap(&wrap_key(&shared, &share, &self.0), file_key) })
    }
}

/// A private key, converted for X25519. Wiped when dropped.
pub(super) struct PrivateKey {
    secret: Zeroizing<[u8; 32]>,
    /// Derived from `secret`, kept because every stanza needs it.
    public: [u8; 32],
}

impl PrivateKey {
    /// The key with `seed`, which is what RFC 8032 calls the private key.
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        let hash = digest::digest(&digest::SHA512, seed);
        let mut secret = Zeroizing::new([0; 32]);
        secret.copy_from_slice(&hash.as_ref()[..32]);
        let public = public_of(&private_key(&secret));
        Self { secret, public }
    }

    /// Whether `public` is this key's public half.
    pub(super) fn belongs_to(&self, public: &PublicKey) -> bool {
        self.public == public.0
    }

    /// The file key, if `body` was wrapped for this key under `share`. `blob` is its public half's SSH encoding.
    pub(super) fn unwrap(
        &self,
        blob: &[u8],
        share: &[u8; 32],
        body: &[u8],
    ) -> Result<Option<FileKey>, HeaderError> {
        let shared = shared_secret(&private_key(&self.secret), share)
            .and_then(|shared| shared_secret(&private_key(&tweak(blob)), &shared))
            // A share of low order.
            .ok_or(HeaderError::MalformedSsh)?;
        Ok(unwrap(&wrap_key(&shared, share, &self.public), body))
    }
}

/// A public value that separates this type from X25519.
fn tweak(blob: &[u8]) -> Zeroizing<[u8; 32]> {
    derive(&[], blob, INFO)
}

fn wrap_key(shared: &[u8; 32], share: &[u8; 32], recipient: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let mut salt = [0; 64];
    salt[..32].copy_from_slice(share);
    salt[32..].copy_from_slice(recipient);
    derive(shared, &salt, INFO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_small_order_are_refused() {
        // The identity, and a point of order two: y = 1 and y = -1.
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        assert!(PublicKey::new(&one).is_none());
        assert!(PublicKey::new(&minus_one).is_none());
        assert!(PublicKey::new(&[0; 32]).is_none(), "order four");
        let mut no_point = [0; 32];
        no_point[0] = 2;
        assert!(PublicKey::new(&no_point).is_none());
    }

    #[test]
    fn shares_of_low_order_are_malformed() {
        let key = PrivateKey::new(&[7; 32]);
        let result = key.unwrap(b"blob", &[0; 32], &[0; 32]);
        assert!(matches!(result, Err(HeaderError::MalformedSsh)));
    }
}
