//! The tagged recipient types, p256tag and mlkem768p256tag: the public halves of keys in hardware, which plugins hold.
//!
//! Owns: the texts of such recipients, wrapping, and the tag by which the owner's plugin knows its stanzas.
//! Does not own: unwrapping, which only the plugin can do.
//!
//! Spec: C2SP age.md, "The tagged recipient types"; RFC 9180, Section 6.1.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::{DhP256HkdfSha256, MlKem768P256};
use hpke::{Deserializable, Kem, OpModeS, Serializable, single_shot_seal_with_rng};
use p256::elliptic_curve::sec1::ToSec1Point;

use super::error::KeyTextError;
use crate::encoding::{key_from_bech32, to_base64, to_bech32};
use crate::error::SealError;
use crate::file_key::FileKey;
use crate::header::stanza::Stanza;
use crate::random::Random;

/// The names of a type.
struct Names {
    /// The stanza's tag, which is also the end of `info`.
    stanza: &'static str,
    /// What HPKE and the short tag are bound to.
    info: &'static str,
    /// The Bech32 prefix of recipients.
    prefix: &'static str,
}

const CLASSIC: Names = Names { stanza: "p256tag", info: "age-encryption.org/p256tag", prefix: "age1tag" };
const HYBRID: Names =
    Names { stanza: "mlkem768p256tag", info: "age-encryption.org/mlkem768p256tag", prefix: "age1tagpq" };

/// Length of a compressed point.
const POINT_BYTES: usize = 33;
/// Length of an ML-KEM-768 key, which precedes an uncompressed point.
const MLKEM_BYTES: usize = 1184;
const HYBRID_BYTES: usize = MLKEM_BYTES + 65;
/// Length of the tag, and of the hash of the key that it covers.
const TAG_BYTES: usize = 4;

/// A public key in hardware to seal to: `age1tag1…`, or the post-quantum `age1tagpq1…`. Clones share the key.
#[derive(Clone)]
pub struct TaggedRecipient(Arc<Public>);

struct Public {
    /// What the text encodes.
    bytes: Vec<u8>,
    key: PublicKey,
}

enum PublicKey {
    Classic(<DhP256HkdfSha256 as Kem>::PublicKey),
    Hybrid(Box<<MlKem768P256 as Kem>::PublicKey>),
}

impl TaggedRecipient {
    /// Whether files sealed to this key alone are safe from quantum computers.
    pub fn is_post_quantum(&self) -> bool {
        matches!(self.0.key, PublicKey::Hybrid(_))
    }

    fn names(&self) -> &'static Names {
        if self.is_post_quantum() { &HYBRID } else { &CLASSIC }
    }

    /// Wraps `file_key` under a newly encapsulated key.
    pub(crate) fn wrap(
        &self,
        file_key: &FileKey,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Stanza, SealError> {
        let info = self.names().info.as_bytes();
        let (encapsulated, body) = match &self.0.key {
            PublicKey::Classic(key) => seal::<DhP256HkdfSha256>(key, info, file_key, random),
            PublicKey::Hybrid(key) => seal::<MlKem768P256>(key, info, file_key, random),
        }?;
        let tag = self.tag(&encapsulated);
        let arguments = vec![self.names().stanza.to_owned(), to_base64(&tag), to_base64(&encapsulated)];
        Ok(Stanza { arguments, body })
    }

    /// The tag of the stanza with `encapsulated`, which tells the owner's plugin that the stanza is for its key.
    fn tag(&self, encapsulated: &[u8]) -> [u8; TAG_BYTES] {
        // The hash covers the point alone, since hardware may not give the ML-KEM key away.
        let point = if self.is_post_quantum() { &self.0.bytes[MLKEM_BYTES..] } else { &self.0.bytes };
        let hash = digest::digest(&digest::SHA256, point);
        let mut extract =
            hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.names().info.as_bytes()));
        extract.update(encapsulated);
        extract.update(&hash.as_ref()[..TAG_BYTES]);
        let tag = extract.sign();
        *tag.as_ref().first_chunk().expect("a hash is longer than the tag")
    }
}

/// The encapsulated key and the ciphertext.
fn seal<K: Kem>(
    key: &K::PublicKey,
    info: &[u8],
    file_key: &FileKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<(Vec<u8>, Vec<u8>), SealError> {
    let sealed = single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, K>(
        &OpModeS::Base,
        key,
        info,
        &file_key.0,
        &[],
        &mut Random(random),
    );
    let (encapsulated, body) = sealed.map_err(|_| SealError::InvalidRecipient)?;
    Ok((encapsulated.to_bytes().to_vec(), body))
}

/// Whether `text` has the form of such a recipient.
pub(crate) fn is_recipient(text: &str) -> bool {
    [&CLASSIC, &HYBRID]
        .iter()
        .any(|names| text.strip_prefix(names.prefix).is_some_and(|rest| rest.starts_with('1')))
}

impl FromStr for TaggedRecipient {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Recipients are in lower case; Bech32 itself allows upper case.
        if !is_recipient(text) {
            return Err(KeyTextError::WrongPrefix);
        }
        if text.starts_with(HYBRID.prefix) {
            let bytes = key_from_bech32::<HYBRID_BYTES>(HYBRID.prefix, text)?;
            let key = Deserializable::from_bytes(&*bytes).map_err(|_| KeyTextError::InvalidKey)?;
            return Ok(Self(Arc::new(Public {
                bytes: bytes.to_vec(),
                key: PublicKey::Hybrid(Box::new(key)),
            })));
        }
        let bytes = key_from_bech32::<POINT_BYTES>(CLASSIC.prefix, text)?;
        let point = p256::PublicKey::from_sec1_bytes(&*bytes).map_err(|_| KeyTextError::InvalidKey)?;
        let key = Deserializable::from_bytes(point.to_sec1_point(false).as_bytes());
        let key = PublicKey::Classic(key.map_err(|_| KeyTextError::InvalidKey)?);
        Ok(Self(Arc::new(Public { bytes: bytes.to_vec(), key })))
    }
}

impl fmt::Display for TaggedRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_bech32(self.names().prefix, &self.0.bytes))
    }
}

impl PartialEq for TaggedRecipient {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl Eq for TaggedRecipient {}

impl fmt::Debug for TaggedRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaggedRecipient({self})")
    }
}
