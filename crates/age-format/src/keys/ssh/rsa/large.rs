//! RSA keys of more than 8192 bits, which aws-lc-rs refuses: RSA-OAEP by the crate `rsa`.
//!
//! Since version 0.10 that crate raises to powers in constant time and blinds private operations. Releases before it
//! leak time (RUSTSEC-2023-0071). What aws-lc-rs takes doesn't come here.
//!
//! Owns: converting keys for the crate, wrapping and unwrapping.
//! Does not own: which keys come here ([`super`]).
//!
//! Spec: RFC 8017, Section 7.1.

use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::Sha256;
use rsa::traits::{Decryptor, PublicKeyParts, RandomizedEncryptor};
use rsa::{BoxedUint, oaep};
use ssh_key::private::RsaKeypair;
use zeroize::Zeroizing;

use super::numbers::{LABEL, blob_of, numbers_of};
use crate::error::SealError;
use crate::file_key::FileKey;
use crate::keys::error::{KeyTextError, SshKeyError};
use crate::random::{Random, system_random};

/// The longest modulus accepted, in bits. A private operation takes about a second then.
pub(super) const MODULUS_BITS_MAX: usize = 16_384;

/// A public key to wrap with.
pub(in crate::keys::ssh) struct PublicKey(oaep::EncryptingKey<Sha256>);

impl PublicKey {
    /// The key with `exponent` and `modulus`, big-endian.
    pub(super) fn new(exponent: &[u8], modulus: &[u8]) -> Result<Self, KeyTextError> {
        let number = BoxedUint::from_be_slice_vartime;
        let sizes = 0..=MODULUS_BITS_MAX;
        let key = rsa::PublicKey::new_with_size_limits(number(modulus), number(exponent), sizes);
        let key = key.map_err(|_| KeyTextError::InvalidKey)?;
        Ok(Self(oaep::EncryptingKey::new_with_label(key, LABEL)))
    }

    pub(super) fn wrap(&self, file_key: &FileKey) -> Result<Vec<u8>, SealError> {
        let mut random = Random(&mut |out| system_random(out));
        self.0.encrypt_with_rng(&mut random, &file_key.0).map_err(|_| SealError::InvalidRecipient)
    }
}

/// A private key to unwrap with. The crate wipes it when it is dropped.
pub(in crate::keys::ssh) struct PrivateKey(oaep::DecryptingKey<Sha256>);

impl PrivateKey {
    /// The key in an OpenSSH private key file.
    pub(super) fn from_openssh(pair: &RsaKeypair) -> Result<Self, SshKeyError> {
        let numbers = numbers_of(pair)?;
        let number = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
        let primes = vec![number(&numbers.p), number(&numbers.q)];
        let (n, e, d) = (number(&numbers.n), number(&numbers.e), number(&numbers.d));
        rsa::PrivateKey::from_components(n, e, d, primes)
            .map_err(|_| SshKeyError::Malformed)
            .and_then(Self::new)
    }

    /// The key in an `RSAPrivateKey` of PKCS#1, in DER, and its public half's SSH encoding.
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<(Vec<u8>, Self), SshKeyError> {
        rsa::PrivateKey::from_pkcs1_der(der).map_err(|_| SshKeyError::Malformed).and_then(Self::with_blob)
    }

    /// The key in a `PrivateKeyInfo` of PKCS#8, in DER, and its public half's SSH encoding.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<(Vec<u8>, Self), SshKeyError> {
        rsa::PrivateKey::from_pkcs8_der(der).map_err(|_| SshKeyError::Malformed).and_then(Self::with_blob)
    }

    fn with_blob(key: rsa::PrivateKey) -> Result<(Vec<u8>, Self), SshKeyError> {
        let public = key.as_public_key().to_pkcs1_der().map_err(|_| SshKeyError::Malformed)?;
        let blob = blob_of(public.as_bytes()).ok_or(SshKeyError::Malformed)?;
        Ok((blob, Self::new(key)?))
    }

    fn new(key: rsa::PrivateKey) -> Result<Self, SshKeyError> {
        if key.n().bit_width_vartime() as usize > MODULUS_BITS_MAX {
            return Err(SshKeyError::Unsupported);
        }
        Ok(Self(oaep::DecryptingKey::new_with_label(key, LABEL)))
    }

    /// The file key, if `body` encrypts one for this key.
    pub(super) fn unwrap(&self, body: &[u8]) -> Option<FileKey> {
        let plain = Zeroizing::new(self.0.decrypt(body).ok()?);
        Some(FileKey(plain.as_slice().try_into().ok()?))
    }
}
