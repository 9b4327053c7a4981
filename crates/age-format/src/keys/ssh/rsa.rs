//! The recipient type ssh-rsa: RSA-OAEP with SHA-256 and age's label.
//!
//! aws-lc-rs takes keys of up to 8192 bits. Longer ones, up to 16 384 bits, need a build with the feature `openssl`.
//!
//! Owns: converting keys for the library, their sizes, wrapping and unwrapping.
//! Does not own: the form of keys and stanzas; the arithmetic, which the libraries do in constant time.
//!
//! Spec: RFC 8017, Section 7.1.

#[cfg(feature = "openssl")]
mod large;

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

/// The shortest modulus accepted, in bits. Shorter keys are too weak.
const MODULUS_BITS_MIN: usize = 2048;
/// The longest modulus that aws-lc-rs accepts, in bits.
const MODULUS_BITS_MAX: usize = 8192;

/// A public key to wrap with.
pub(super) enum PublicKey {
    AwsLc(OaepPublicEncryptingKey),
    #[cfg(feature = "openssl")]
    Large(large::PublicKey),
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
        if bits_of(modulus) > MODULUS_BITS_MAX {
            return Self::large(exponent, modulus);
        }
        let key: PublicEncryptingKey = PublicKeyComponents { n: modulus, e: exponent }
            .try_into()
            .map_err(|_| KeyTextError::InvalidKey)?;
        OaepPublicEncryptingKey::new(key).map(Self::AwsLc).map_err(|_| KeyTextError::InvalidKey)
    }

    #[cfg(feature = "openssl")]
    fn large(exponent: &[u8], modulus: &[u8]) -> Result<Self, KeyTextError> {
        if bits_of(modulus) > large::MODULUS_BITS_MAX {
            return Err(KeyTextError::WrongLength);
        }
        large::PublicKey::new(exponent, modulus).map(Self::Large)
    }

    #[cfg(not(feature = "openssl"))]
    fn large(_: &[u8], _: &[u8]) -> Result<Self, KeyTextError> {
        Err(KeyTextError::LargeRsa)
    }

    /// Encrypts `file_key`. The library takes randomness from the system.
    pub(super) fn wrap(&self, file_key: &FileKey) -> Result<Vec<u8>, SealError> {
        let key = match self {
            Self::AwsLc(key) => key,
            #[cfg(feature = "openssl")]
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
    #[cfg(feature = "openssl")]
    Large(large::PrivateKey),
}

/// The numbers of a private key in an OpenSSH file, big-endian without leading zeroes.
struct Numbers {
    n: Zeroizing<Vec<u8>>,
    e: Zeroizing<Vec<u8>>,
    d: Zeroizing<Vec<u8>>,
    p: Zeroizing<Vec<u8>>,
    q: Zeroizing<Vec<u8>>,
    q_inverse: Zeroizing<Vec<u8>>,
}

fn numbers_of(pair: &RsaKeypair) -> Result<Numbers, SshKeyError> {
    let number = |number: &'_ ssh_key::Mpint| -> Result<Zeroizing<Vec<u8>>, SshKeyError> {
        let bytes = number.as_positive_bytes().map(|bytes| Zeroizing::new(bytes.to_vec()));
        bytes.ok_or(SshKeyError::Malformed)
    };
    let (public, private) = (pair.public(), pair.private());
    let (n, e, d) = (number(public.n())?, number(public.e())?, number(private.d())?);
    let (p, q, q_inverse) = (number(private.p())?, number(private.q())?, number(private.iqmp())?);
    if [&d, &p, &q].iter().any(|number| number.len() > n.len()) {
        return Err(SshKeyError::Malformed);
    }
    Ok(Numbers { n, e, d, p, q, q_inverse })
}

impl PrivateKey {
    /// The key in an OpenSSH private key file.
    pub(super) fn from_openssh(pair: &RsaKeypair) -> Result<Self, SshKeyError> {
        let Numbers { n, e, d, p, q, q_inverse } = &numbers_of(pair)?;
        if bits_of(n) < MODULUS_BITS_MIN {
            return Err(SshKeyError::Unsupported);
        }
        if bits_of(n) > MODULUS_BITS_MAX {
            #[cfg(feature = "openssl")]
            return large::PrivateKey::from_openssh(pair).map(Self::Large);
            #[cfg(not(feature = "openssl"))]
            return Err(SshKeyError::LargeRsa);
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
        match KeyPair::from_der(der).map_err(refused) {
            #[cfg(feature = "openssl")]
            Err(SshKeyError::LargeRsa) => {
                large::PrivateKey::from_pkcs1(der).map(|(blob, key)| (blob, Self::Large(key)))
            }
            pair => Self::with_blob(&pair?),
        }
    }

    /// The key in a `PrivateKeyInfo` of PKCS#8, in DER, and its public half's SSH encoding.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<(Vec<u8>, Self), SshKeyError> {
        match KeyPair::from_pkcs8(der).map_err(refused) {
            #[cfg(feature = "openssl")]
            Err(SshKeyError::LargeRsa) => {
                large::PrivateKey::from_pkcs8(der).map(|(blob, key)| (blob, Self::Large(key)))
            }
            pair => Self::with_blob(&pair?),
        }
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
            #[cfg(feature = "openssl")]
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

fn refused(reason: KeyRejected) -> SshKeyError {
    match reason.description_() {
        "TooLarge" => SshKeyError::LargeRsa,
        "TooSmall" | "WrongAlgorithm" => SshKeyError::Unsupported,
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
