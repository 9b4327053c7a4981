//! The post-quantum recipient type, mlkem768x25519: ML-KEM-768 combined with X25519, so that an attacker has to break
//! both.
//!
//! Owns: its keys and their texts, wrapping and unwrapping.
//! Does not own: the header around the stanza, the rule against combining it with other types.
//!
//! Spec: C2SP age.md, "The MLKEM768-X25519 (i.e. X-Wing) hybrid post-quantum recipient type"; RFC 9180, Section 6.1.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal_with_rng,
};
use zeroize::Zeroizing;

use super::curve::is_low_order;
use super::error::KeyTextError;
use crate::encoding::{array_from_base64, key_from_bech32, to_base64, to_bech32};
use crate::error::{HeaderError, SealError};
use crate::file_key::{FileKey, WRAPPED_BYTES};
use crate::header::stanza::Stanza;
use crate::random::{Random, system_random};

pub(crate) const TAG: &str = "mlkem768x25519";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
const RECIPIENT_PREFIX: &str = "age1pq";
const IDENTITY_PREFIX: &str = "age-secret-key-pq-";

const SECRET_BYTES: usize = 32;
const PUBLIC_BYTES: usize = 1216;
/// Length of an encapsulated key: an ML-KEM ciphertext, then an X25519 share.
const ENCAPSULATED_BYTES: usize = 1120;

type PublicKey = <XWing as Kem>::PublicKey;
type PrivateKey = <XWing as Kem>::PrivateKey;

/// A post-quantum public key to seal to: `age1pq1…`. Clones share the key.
#[derive(Clone, PartialEq, Eq)]
pub struct HybridRecipient(Arc<PublicKey>);

/// A post-quantum secret key to open with: `AGE-SECRET-KEY-PQ-1…`. Clones share the key, which is wiped when the last
/// is dropped.
#[derive(Clone)]
pub struct HybridIdentity(Arc<Secret>);

struct Secret {
    bytes: Zeroizing<[u8; SECRET_BYTES]>,
    key: PrivateKey,
}

impl HybridIdentity {
    /// Makes a new identity from the system's randomness.
    ///
    /// # Panics
    /// If the system provides no randomness.
    pub fn generate() -> Self {
        Self::generate_with(&mut system_random)
    }

    /// As [`generate`](Self::generate), from 32 bytes that `random` provides.
    pub fn generate_with(random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        random(&mut *bytes);
        Self::from_secret(bytes)
    }

    /// The public half. Cost: one key derivation.
    pub fn to_recipient(&self) -> HybridRecipient {
        HybridRecipient(Arc::new(XWing::sk_to_pk(&self.0.key)))
    }

    /// The secret as text, in upper case; wiped when dropped.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let mut lower = Zeroizing::new(to_bech32(IDENTITY_PREFIX, &*self.0.bytes));
        lower.make_ascii_uppercase();
        lower
    }

    fn from_secret(bytes: Zeroizing<[u8; SECRET_BYTES]>) -> Self {
        let key = PrivateKey::from_bytes(&*bytes).expect("any 32 bytes are a secret of this type");
        Self(Arc::new(Secret { bytes, key }))
    }

    /// The file key, if `stanza` wraps it for this identity.
    pub(crate) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        let encapsulated = encapsulated_of(stanza)?;
        let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(&encapsulated)
            .expect("its length is all that the encoding asks for");
        let opened = single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeR::Base,
            &self.0.key,
            &encapsulated,
            INFO,
            &stanza.body,
            &[],
        );
        let Ok(opened) = opened.map(Zeroizing::new) else { return Ok(None) };
        Ok(opened.as_slice().try_into().ok().map(FileKey))
    }
}

impl HybridRecipient {
    /// Wraps `file_key` under a newly encapsulated key.
    pub(crate) fn wrap(
        &self,
        file_key: &FileKey,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Stanza, SealError> {
        let (encapsulated, body) = single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeS::Base,
            &self.0,
            INFO,
            &file_key.0,
            &[],
            &mut Random(random),
        )
        .map_err(|_| SealError::InvalidRecipient)?;
        let arguments = vec![TAG.to_owned(), to_base64(&encapsulated.to_bytes())];
        Ok(Stanza { arguments, body })
    }
}

fn encapsulated_of(stanza: &Stanza) -> Result<[u8; ENCAPSULATED_BYTES], HeaderError> {
    let [_, encapsulated] = stanza.arguments.as_slice() else { return Err(HeaderError::MalformedHybrid) };
    if stanza.body.len() != WRAPPED_BYTES {
        return Err(HeaderError::MalformedHybrid);
    }
    let encapsulated: [u8; ENCAPSULATED_BYTES] =
        array_from_base64(encapsulated.as_bytes()).ok_or(HeaderError::MalformedHybrid)?;
    // X-Wing itself accepts a shared secret of zeroes.
    let share = encapsulated.last_chunk().expect("the share comes last");
    if is_low_order(share) { Err(HeaderError::MalformedHybrid) } else { Ok(encapsulated) }
}

impl FromStr for HybridRecipient {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = key_from_bech32::<PUBLIC_BYTES>(RECIPIENT_PREFIX, text)?;
        if !text.starts_with(RECIPIENT_PREFIX) {
            return Err(KeyTextError::WrongPrefix);
        }
        let key = PublicKey::from_bytes(&*bytes).map_err(|_| KeyTextError::InvalidKey)?;
        let share = bytes.last_chunk().expect("the X25519 key comes last");
        if is_low_order(share) { Err(KeyTextError::InvalidKey) } else { Ok(Self(Arc::new(key))) }
    }
}

impl fmt::Display for HybridRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_bech32(RECIPIENT_PREFIX, &self.0.to_bytes()))
    }
}

impl fmt::Debug for HybridRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HybridRecipient({self})")
    }
}

impl FromStr for HybridIdentity {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let secret = key_from_bech32(IDENTITY_PREFIX, text)?;
        if text.starts_with('A') { Ok(Self::from_secret(secret)) } else { Err(KeyTextError::WrongPrefix) }
    }
}

impl fmt::Debug for HybridIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HybridIdentity(…)")
    }
}
