//! The X25519 recipient type.
//!
//! Owns: its keys and their texts, wrapping and unwrapping.
//! Does not own: the header around the stanza.
//!
//! Spec: C2SP age.md, "The X25519 recipient type".

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::curve::{private_key, public_of, shared_secret};
use super::error::KeyTextError;
use super::peer::Peer;
use crate::encoding::{array_from_base64, key_from_bech32, to_base64, to_bech32};
use crate::error::{HeaderError, SealError};
use crate::file_key::{FileKey, WRAPPED_BYTES, derive, unwrap, wrap};
use crate::header::stanza::Stanza;
use crate::random::system_random;

pub(crate) const TAG: &str = "X25519";
const INFO: &[u8] = b"age-encryption.org/v1/X25519";
const RECIPIENT_PREFIX: &str = "age";
const IDENTITY_PREFIX: &str = "age-secret-key-";

/// A public key to seal to: `age1…`. Clones share a table of 30 KiB that makes sealing faster; it is made when the key
/// has been used a few hundred times.
#[derive(Clone)]
pub struct X25519Recipient(Arc<Peer>);

/// A secret key to open with: `AGE-SECRET-KEY-1…`. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct X25519Identity {
    secret: [u8; 32],
    /// Derived from `secret`; cached, as unwrapping any stanza needs it.
    #[zeroize(skip)]
    public: [u8; 32],
}

impl X25519Identity {
    /// Makes a new identity from the system's randomness. Cost: one scalar multiplication.
    ///
    /// # Panics
    /// If the system provides no randomness.
    pub fn generate() -> Self {
        Self::generate_with(&mut system_random)
    }

    /// As [`generate`](Self::generate), from 32 bytes that `random` provides.
    pub fn generate_with(random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        random(&mut *secret);
        Self::from_secret(&secret)
    }

    /// The public half.
    pub fn to_recipient(&self) -> X25519Recipient {
        X25519Recipient::new(self.public)
    }

    /// The secret as text, in upper case; wiped when dropped.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let mut lower = Zeroizing::new(to_bech32(IDENTITY_PREFIX, &self.secret));
        lower.make_ascii_uppercase();
        lower
    }

    fn from_secret(secret: &[u8; 32]) -> Self {
        Self { secret: *secret, public: public_of(&private_key(secret)) }
    }

    /// The file key, if `stanza` wraps it for this identity.
    pub(crate) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        let share = share_of(stanza)?;
        match shared_secret(&private_key(&self.secret), &share) {
            Some(shared) => Ok(unwrap(&wrap_key(&shared, &share, &self.public), &stanza.body)),
            // A share of low order.
            None => Err(HeaderError::MalformedX25519),
        }
    }
}

impl X25519Recipient {
    fn new(public: [u8; 32]) -> Self {
        Self(Arc::new(Peer::new(public)))
    }

    /// Wraps `file_key` under a new ephemeral key. Cost: two scalar multiplications.
    pub(crate) fn wrap(
        &self,
        file_key: &FileKey,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Stanza, SealError> {
        let mut ephemeral = Zeroizing::new([0; 32]);
        random(&mut *ephemeral);
        let share = public_of(&private_key(&ephemeral));
        let shared = self.0.shared_secret(&ephemeral).ok_or(SealError::InvalidRecipient)?;
        let wrap_key = wrap_key(&shared, &share, self.0.public());
        let arguments = vec![TAG.to_owned(), to_base64(&share)];
        Ok(Stanza { arguments, body: wrap(&wrap_key, file_key) })
    }
}

fn share_of(stanza: &Stanza) -> Result<[u8; 32], HeaderError> {
    let [_, share] = stanza.arguments.as_slice() else { return Err(HeaderError::MalformedX25519) };
    if stanza.body.len() != WRAPPED_BYTES {
        return Err(HeaderError::MalformedX25519);
    }
    array_from_base64(share.as_bytes()).ok_or(HeaderError::MalformedX25519)
}

/// The key that wraps the file key.
fn wrap_key(shared: &[u8; 32], share: &[u8; 32], recipient: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let mut salt = [0; 64];
    salt[..32].copy_from_slice(share);
    salt[32..].copy_from_slice(recipient);
    derive(shared, &salt, INFO)
}

impl PartialEq for X25519Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.0.public() == other.0.public()
    }
}

impl Eq for X25519Recipient {}

impl fmt::Debug for X25519Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("X25519Recipient").field(&self.to_string()).finish()
    }
}

impl FromStr for X25519Recipient {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Recipients are in lower case; Bech32 itself allows upper case.
        let key = key_from_bech32(RECIPIENT_PREFIX, text)?;
        if text.starts_with(RECIPIENT_PREFIX) { Ok(Self::new(*key)) } else { Err(KeyTextError::WrongPrefix) }
    }
}

impl fmt::Display for X25519Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_bech32(RECIPIENT_PREFIX, self.0.public()))
    }
}

impl FromStr for X25519Identity {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let secret = key_from_bech32(IDENTITY_PREFIX, text)?;
        if text.starts_with('A') { Ok(Self::from_secret(&secret)) } else { Err(KeyTextError::WrongPrefix) }
    }
}

impl fmt::Debug for X25519Identity {
    /// The public half only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X25519Identity").field("recipient", &self.to_recipient().to_string()).finish()
    }
}
