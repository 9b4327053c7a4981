//! The recipient type ssh-rsa: RSA-OAEP with SHA-256 and age's label.
//!
//! aws-lc-rs takes keys of up to 8192 bits. The crate `rsa` takes longer ones, up to 16 384 bits.
//!
//! Owns: converting keys for the library, their sizes, wrapping and unwrapping.
//! Does not own: the form of keys and stanzas; the arithmetic, which the libraries do in constant time.
//!
//! Spec: RFC 8017, Section 7.1.

mod large;
mod numbers;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rsa::{
    KeyPair, KeyPairComponents, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use aws_lc_rs::signature::KeyPair as _;
use ssh_key::private::RsaKeypair;
use zeroize::Zeroizing;

use self::numbers::{LABEL, Numbers, blob_of, numbers_of};
use super::crt::crt_exponent;
use crate::error::SealError;
use crate::file_key::FileKey;
use crate::keys::error::{KeyTextError, SshKeyError};

/// The shortest modulus accepted, in bits. Shorter keys are too weak.
const MODULUS_BITS_MIN: usize = 2048;
/// The longest modulus that aws-lc-rs accepts, in bits.
const MODULUS_BITS_MAX: usize = 8192;

/// A public key to wrap with.
pub(super) enum PublicKey {
    AwsLc(OaepPublicEncryptingKey),
    Large(Box<large::PublicKey>),
}

impl PublicKey {
    /// The key with `exponent` and `modulus`, big-endian without leading zeroes.
    pub(super) fn new(exponent: &[u8], modulus: &[u8]) -> Result<Self, KeyTextError> {
        if bits_of(modulus) < MODULUS_BITS_MIN {
            return Err(KeyTextError::WrongLength);
        }
        // The library checks these only when it encrypts.
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        if !is_odd(modulus) || !is_odd(exponent) || !(2..=33).contains(&bits_of(exponent)) {
            return Err(KeyTextError::InvalidKey);
        }
        if bits_of(modulus) > large::MODULUS_BITS_MAX {
            return Err(KeyTextError::WrongLength);
        }
        if bits_of(modulus) > MODULUS_BITS_MAX {
            return large::PublicKey::new(exponent, modulus).map(Self::large);
        }
        let key: PublicEncryptingKey = PublicKeyComponents { n: modulus, e: exponent }
            .try_into()
            .map_err(|_| KeyTextError::InvalidKey)?;
        OaepPublicEncryptingKey::new(key).map(Self::AwsLc).map_err(|_| KeyTextError::InvalidKey)
    }

    fn large(key: large::PublicKey) -> Self {
        Self::Large(Box::new(key))
    }

    /// Encrypts `file_key`. The library takes randomness from the system.
    pub(super) fn wrap(&self, file_key: &FileKey) -> Result<Vec<u8>, SealError> {
        let key = match self {
            Self::AwsLc(key) => key,
            Self::Large(key) => return key.wrap(file_key),
        };
        let mut body = vec![0; key.ciphertext_size()];
        let length = key
            .encrypt(&OAEP_SHA256_MGF1SHA256, &file_key.0, &mut body, Some(LABEL))
            .map_err(|_| SealError::InvalidRecipient)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

/// A private key to unwrap with. The library wipes it when it is dropped.
pub(super) enum PrivateKey {
    AwsLc(OaepPrivateDecryptingKey),
    Large(Box<large::PrivateKey>),
}

impl PrivateKey {
    /// The key in an OpenSSH private key file.
    pub(super) fn from_openssh(pair: &RsaKeypair) -> Result<Self, SshKeyError> {
        let Numbers { n, e, d, p, q, q_inverse } = &numbers_of(pair)?;
        if bits_of(n) < MODULUS_BITS_MIN {
            return Err(SshKeyError::Unsupported);
        }
        if bits_of(n) > MODULUS_BITS_MAX {
            return large::PrivateKey::from_openssh(pair).map(Self::large);
        }
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: n.as_slice(), e: e.as_slice() },
            dP: &**crt_exponent(d, p),
            dQ: &**crt_exponent(d, q),
            qInv: q_inverse.as_slice(),
            d: d.as_slice(),
            p: p.as_slice(),
            q: q.as_slice(),
        };
        Self::new(&KeyPair::from_components(&components).map_err(refused)?)
    }

    /// The key in an `RSAPrivateKey` of PKCS#1, in DER, and its public half's SSH encoding.
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<(Vec<u8>, Self), SshKeyError> {
        match KeyPair::from_der(der) {
            Err(reason) if is_too_large(&reason) => {
                large::PrivateKey::from_pkcs1(der).map(|(blob, key)| (blob, Self::large(key)))
            }
            pair => Self::with_blob(&pair.map_err(refused)?),
        }
    }

    /// The key in a `PrivateKeyInfo` of PKCS#8, in DER, and its public half's SSH encoding.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<(Vec<u8>, Self), SshKeyError> {
        match KeyPair::from_pkcs8(der) {
            Err(reason) if is_too_large(&reason) => {
                large::PrivateKey::from_pkcs8(der).map(|(blob, key)| (blob, Self::large(key)))
            }
            pair => Self::with_blob(&pair.map_err(refused)?),
        }
    }

    fn large(key: large::PrivateKey) -> Self {
        Self::Large(Box::new(key))
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
        OaepPrivateDecryptingKey::new(key).map(Self::AwsLc).map_err(|_| SshKeyError::Malformed)
    }

    /// The file key, if `body` encrypts one for this key.
    pub(super) fn unwrap(&self, body: &[u8]) -> Option<FileKey> {
        let key = match self {
            Self::AwsLc(key) => key,
            Self::Large(key) => return key.unwrap(body),
        };
        let mut plain = Zeroizing::new(vec![0; key.min_output_size()]);
        let opened = key.decrypt(&OAEP_SHA256_MGF1SHA256, body, &mut plain, Some(LABEL)).ok()?;
        Some(FileKey((&*opened).try_into().ok()?))
    }
}

/// The number of bits of a big-endian number without leading zeroes.
fn bits_of(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

fn is_too_large(reason: &KeyRejected) -> bool {
    reason.description_() == "TooLarge"
}

fn refused(reason: KeyRejected) -> SshKeyError {
    match reason.description_() {
        "TooSmall" | "WrongAlgorithm" => SshKeyError::Unsupported,
        _ => SshKeyError::Malformed,
    }
}
