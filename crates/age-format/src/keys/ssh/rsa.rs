//! The recipient type ssh-rsa: RSA-OAEP with SHA-256 and age's label.
//!
//! Owns: converting keys for the library, their sizes, wrapping and unwrapping.
//! Does not own: the form of keys and stanzas; the arithmetic, which aws-lc-rs does in constant time.
//!
//! Spec: RFC 8017, Section 7.1.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rsa::{
    KeyPair, KeyPairComponents, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use aws_lc_rs::signature::KeyPair as _;
use ssh_key::private::RsaKeypair;
use zeroize::Zeroizing;

use super::crt::crt_exponent;
use crate::error::SealError;
use crate::file_key::FileKey;
use crate::keys::error::{KeyTextError, SshKeyError};

const LABEL: &[u8] = b"age-encryption.org/v1/ssh-rsa";

/// Lengths of a modulus that the library accepts, in bits. Shorter keys are too weak.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key to wrap with.
pub(super) struct PublicKey(OaepPublicEncryptingKey);

impl PublicKey {
    /// The key with `exponent` and `modulus`, big-endian without leading zeroes.
    pub(super) fn new(exponent: &[u8], modulus: &[u8]) -> Result<Self, KeyTextError> {
        if !MODULUS_BITS.contains(&bits_of(modulus)) {
            return Err(KeyTextError::WrongLength);
        }
        // The library checks these only when it encrypts.
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        if !is_odd(modulus) || !is_odd(exponent) || !(2..=33).contains(&bits_of(exponent)) {
            return Err(KeyTextError::InvalidKey);
        }
        let key: PublicEncryptingKey = PublicKeyComponents { n: modulus, e: exponent }
            .try_into()
            .map_err(|_| KeyTextError::InvalidKey)?;
        OaepPublicEncryptingKey::new(key).map(Self).map_err(|_| KeyTextError::InvalidKey)
    }

    /// Encrypts `file_key`. The library takes randomness from the system.
    pub(super) fn wrap(&self, file_key: &FileKey) -> Result<Vec<u8>, SealError> {
        let mut body = vec![0; self.0.ciphertext_size()];
        let length = self
            .0
            .encrypt(&OAEP_SHA256_MGF1SHA256, &file_key.0, &mut body, Some(LABEL))
            .map_err(|_| SealError::InvalidRecipient)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

/// A private key to unwrap with. The library wipes it when it is dropped.
pub(super) struct PrivateKey(OaepPrivateDecryptingKey);

impl PrivateKey {
    /// The key in an OpenSSH private key file.
    pub(super) fn from_openssh(pair: &RsaKeypair) -> Result<Self, SshKeyError> {
        let number = |number: &'_ ssh_key::Mpint| -> Result<Zeroizing<Vec<u8>>, SshKeyError> {
            number
                .as_positive_bytes()
                .map(|bytes| Zeroizing::new(bytes.to_vec()))
                .ok_or(SshKeyError::Malformed)
        };
        let (public, private) = (pair.public(), pair.private());
        let (n, e, d) = (number(public.n())?, number(public.e())?, number(private.d())?);
        let (p, q) = (number(private.p())?, number(private.q())?);
        if !MODULUS_BITS.contains(&bits_of(&n)) {
            return Err(SshKeyError::Unsupported);
        }
        if [&d, &p, &q].iter().any(|number| number.len() > n.len()) {
            return Err(SshKeyError::Malformed);
        }
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: n.as_slice(), e: e.as_slice() },
            dP: &**crt_exponent(&d, &p),
            dQ: &**crt_exponent(&d, &q),
            qInv: &**number(private.iqmp())?,
            d: d.as_slice(),
            p: p.as_slice(),
            q: q.as_slice(),
        };
        Self::new(&KeyPair::from_components(&components).map_err(refused)?)
    }

    /// The key in an `RSAPrivateKey` of PKCS#1, in DER, and its public half's SSH encoding.
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<(Vec<u8>, Self), SshKeyError> {
        Self::with_blob(&KeyPair::from_der(der).map_err(refused)?)
    }

    /// The key in a `PrivateKeyInfo` of PKCS#8, in DER, and its public half's SSH encoding.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<(Vec<u8>, Self), SshKeyError> {
        Self::with_blob(&KeyPair::from_pkcs8(der).map_err(refused)?)
    }

    fn with_blob(pair: &KeyPair) -> Result<(Vec<u8>, Self), SshKeyError> {
        let blob = blob_of(pair.public_key().as_ref()).ok_or(SshKeyError::Malformed)?;
        Ok((blob, Self::new(pair)?))
    }

    /// Converts `pair` by way of PKCS#8, the only form from which the library reads decryption keys.
    fn new(pair: &KeyPair) -> Result<Self, SshKeyError> {
        // Wiped when dropped.
        let der = pair.as_der().map_err(|_| SshKeyError::Malformed)?;
        let key = PrivateDecryptingKey::from_pkcs8(der.as_ref()).map_err(refused)?;
        OaepPrivateDecryptingKey::new(key).map(Self).map_err(|_| SshKeyError::Malformed)
    }

    /// The file key, if `body` encrypts one for this key.
    pub(super) fn unwrap(&self, body: &[u8]) -> Option<FileKey> {
        let mut plain = Zeroizing::new(vec![0; self.0.min_output_size()]);
        let opened = self.0.decrypt(&OAEP_SHA256_MGF1SHA256, body, &mut plain, Some(LABEL)).ok()?;
        Some(FileKey((&*opened).try_into().ok()?))
    }
}

/// The number of bits of a big-endian number without leading zeroes.
fn bits_of(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

fn refused(reason: KeyRejected) -> SshKeyError {
    match reason.description_() {
        "TooSmall" | "TooLarge" | "WrongAlgorithm" => SshKeyError::Unsupported,
        _ => SshKeyError::Malformed,
    }
}

/// The SSH encoding of the `RSAPublicKey` of PKCS#1 in `der`. Both formats encode an integer's bytes in the same way.
fn blob_of(der: &[u8]) -> Option<Vec<u8>> {
    const INTEGER: u8 = 0x02;
    const SEQUENCE: u8 = 0x30;
    let (content, []) = der_element(SEQUENCE, der)? else { return None };
    let (modulus, rest) = der_element(INTEGER, content)?;
    let (exponent, []) = der_element(INTEGER, rest)? else { return None };
    let mut blob = Vec::with_capacity(der.len() + 32);
    for part in [b"ssh-rsa", exponent, modulus] {
        blob.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        blob.extend_from_slice(part);
    }
    Some(blob)
}

/// The content of the DER element with `tag` at the start of `der`, and what follows it.
fn der_element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first().filter(|(first, _)| **first == tag)?;
    debug_assert_eq!(*first, tag);
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        short => (usize::from(*short), rest),
    };
    rest.split_at_checked(length)
}
