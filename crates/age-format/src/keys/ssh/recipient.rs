//! SSH public keys, to seal to.
//!
//! Owns: their text.
//! Does not own: the cryptography of each type.
//!
//! Spec: RFC 4253, Section 6.6; RFC 8709, Section 4; sshd(8), "AUTHORIZED_KEYS FILE FORMAT".

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use ssh_key::public::KeyData;

use super::stanza::key_hash;
use super::{ed25519, rsa};
use crate::encoding::BASE64_PADDED;
use crate::error::SealError;
use crate::file_key::FileKey;
use crate::header::stanza::Stanza;
use crate::keys::error::KeyTextError;
use crate::keys::ssh_forms::{ED25519_TAG, RSA_TAG, is_tag};

/// A public key to seal to, as in `authorized_keys`. Clones share the key.
#[derive(Clone)]
pub struct SshRecipient(Arc<Public>);

struct Public {
    /// The SSH encoding of the key.
    blob: Vec<u8>,
    key: PublicKey,
}

enum PublicKey {
    Ed25519(ed25519::PublicKey),
    Rsa(rsa::PublicKey),
}

impl SshRecipient {
    /// The key with the SSH encoding `blob`.
    pub(super) fn from_blob(blob: Vec<u8>) -> Result<Self, KeyTextError> {
        let key = ssh_key::PublicKey::from_bytes(&blob).map_err(|_| KeyTextError::InvalidKey)?;
        let key = match key.key_data() {
            KeyData::Ed25519(point) => {
                PublicKey::Ed25519(ed25519::PublicKey::new(&point.0).ok_or(KeyTextError::InvalidKey)?)
            }
            KeyData::Rsa(key) => {
                let number = |number: &ssh_key::Mpint| number.as_positive_bytes().map(<[u8]>::to_vec);
                let numbers = number(key.e()).zip(number(key.n()));
                let (exponent, modulus) = numbers.ok_or(KeyTextError::InvalidKey)?;
                PublicKey::Rsa(rsa::PublicKey::new(&exponent, &modulus)?)
            }
            _ => return Err(KeyTextError::Unsupported),
        };
        Ok(Self(Arc::new(Public { blob, key })))
    }

    pub(crate) fn wrap(
        &self,
        file_key: &FileKey,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Stanza, SealError> {
        let blob = &self.0.blob;
        match &self.0.key {
            PublicKey::Ed25519(key) => key.wrap(blob, file_key, random),
            PublicKey::Rsa(key) => {
                let arguments = vec![RSA_TAG.to_owned(), key_hash(blob)];
                Ok(Stanza { arguments, body: key.wrap(file_key)? })
            }
        }
    }
}

impl FromStr for SshRecipient {
    type Err = KeyTextError;

    /// Parses the type and the key. A comment may follow.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split(' ');
        let (Some(tag), Some(base64)) = (words.next(), words.next()) else {
            return Err(KeyTextError::InvalidKey);
        };
        let blob = BASE64_PADDED.decode(base64).map_err(|_| KeyTextError::InvalidKey)?;
        // The encoding repeats the type.
        let (length, rest) = blob.split_first_chunk::<4>().ok_or(KeyTextError::InvalidKey)?;
        if u32::from_be_bytes(*length) as usize != tag.len() || !rest.starts_with(tag.as_bytes()) {
            return Err(KeyTextError::InvalidKey);
        }
        if is_tag(tag) { Self::from_blob(blob) } else { Err(KeyTextError::Unsupported) }
    }
}

impl fmt::Display for SshRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = match self.0.key {
            PublicKey::Ed25519(_) => ED25519_TAG,
            PublicKey::Rsa(_) => RSA_TAG,
        };
        write!(f, "{tag} {}", BASE64_PADDED.encode(&self.0.blob))
    }
}

impl PartialEq for SshRecipient {
    fn eq(&self, other: &Self) -> bool {
        self.0.blob == other.0.blob
    }
}

impl Eq for SshRecipient {}

impl fmt::Debug for SshRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SshRecipient({self})")
    }
}
