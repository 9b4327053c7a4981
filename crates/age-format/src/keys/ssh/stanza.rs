//! The stanzas of the types ssh-ed25519 and ssh-rsa.
//!
//! Owns: their arguments, the short hash that names a key.
//! Does not own: what their bodies encrypt.

use aws_lc_rs::digest;

use crate::encoding::{array_from_base64, to_base64};
use crate::error::HeaderError;
use crate::file_key::WRAPPED_BYTES;
use crate::header::stanza::Stanza;
use crate::keys::ssh_forms::{ED25519_TAG, RSA_TAG};

/// The length of what a modulus of 16 384 bits encrypts, the largest that other programs use.
const RSA_BODY_BYTES_MAX: usize = 2048;

/// The stanza argument that names a key: the first four bytes of the SHA-256 of its SSH encoding `blob`, in base64.
/// Two keys may share it.
pub(super) fn key_hash(blob: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, blob);
    to_base64(&hash.as_ref()[..4])
}

/// A well-formed stanza of one of the two types.
pub(super) enum SshStanza<'a> {
    Ed25519 { key_hash: &'a str, share: [u8; 32], body: &'a [u8] },
    Rsa { key_hash: &'a str, body: &'a [u8] },
}

impl<'a> SshStanza<'a> {
    pub(super) fn parse(stanza: &'a Stanza) -> Result<Self, HeaderError> {
        let is_key_hash = |text: &str| array_from_base64::<4>(text.as_bytes()).is_some();
        let body = stanza.body.as_slice();
        let parsed = match stanza.arguments.as_slice() {
            [tag, key_hash, share]
                if tag == ED25519_TAG && is_key_hash(key_hash) && body.len() == WRAPPED_BYTES =>
            {
                array_from_base64(share.as_bytes()).map(|share| Self::Ed25519 { key_hash, share, body })
            }
            [tag, key_hash]
                if tag == RSA_TAG && is_key_hash(key_hash) && body.len() <= RSA_BODY_BYTES_MAX =>
            {
                Some(Self::Rsa { key_hash, body })
            }
            _ => None,
        };
        parsed.ok_or(HeaderError::MalformedSsh)
    }
}
