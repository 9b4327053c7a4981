//! RSA keys of more than 8192 bits, which aws-lc-rs refuses: RSA-OAEP by OpenSSL, in builds with the feature `openssl`.
//!
//! OpenSSL blinds private operations and removes OAEP's padding in constant time. The crate `rsa` isn't used, because
//! its private operations leak time (RUSTSEC-2023-0071).
//!
//! Owns: converting keys for OpenSSL, wrapping and unwrapping.
//! Does not own: which keys come here ([`super`]).
//!
//! Spec: RFC 8017, Section 7.1.

use openssl::bn::BigNum;
use openssl::encrypt::{Decrypter, Encrypter};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};
use ssh_key::private::RsaKeypair;
use zeroize::Zeroizing;

use super::numbers::{LABEL, blob_of, numbers_of};
use crate::error::SealError;
use crate::file_key::FileKey;
use crate::keys::error::{KeyTextError, SshKeyError};
use crate::keys::ssh::crt::crt_exponent;

/// The longest modulus that OpenSSL computes with, in bits.
pub(super) const MODULUS_BITS_MAX: usize = 16_384;

/// A public key to wrap with.
pub(in crate::keys::ssh) struct PublicKey(PKey<Public>);

impl PublicKey {
    /// The key with `exponent` and `modulus`, big-endian.
    pub(super) fn new(exponent: &[u8], modulus: &[u8]) -> Result<Self, KeyTextError> {
        let number = BigNum::from_slice;
        let key = number(modulus).and_then(|modulus| Rsa::from_public_components(modulus, number(exponent)?));
        key.and_then(PKey::from_rsa).map(Self).map_err(|_| KeyTextError::InvalidKey)
    }

    pub(super) fn wrap(&self, file_key: &FileKey) -> Result<Vec<u8>, SealError> {
        let wrap = || -> Result<Vec<u8>, ErrorStack> {
            let mut encrypter = Encrypter::new(&self.0)?;
            encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
            encrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
            encrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
            encrypter.set_rsa_oaep_label(LABEL)?;
            let mut body = vec![0; encrypter.encrypt_len(&file_key.0)?];
            let length = encrypter.encrypt(&file_key.0, &mut body)?;
            body.truncate(length);
            Ok(body)
        };
        wrap().map_err(|_| SealError::InvalidRecipient)
    }
}

/// A private key to unwrap with. OpenSSL wipes it when it is dropped.
pub(in crate::keys::ssh) struct PrivateKey(PKey<Private>);

impl PrivateKey {
    /// The key in an OpenSSH private key file.
    pub(super) fn from_openssh(pair: &RsaKeypair) -> Result<Self, SshKeyError> {
        let numbers = numbers_of(pair)?;
        let build = || -> Result<Rsa<Private>, ErrorStack> {
            let number = |bytes: &[u8]| BigNum::from_slice(bytes);
            Rsa::from_private_components(
                number(&numbers.n)?,
                number(&numbers.e)?,
                number(&numbers.d)?,
                number(&numbers.p)?,
                number(&numbers.q)?,
                number(&crt_exponent(&numbers.d, &numbers.p))?,
                number(&crt_exponent(&numbers.d, &numbers.q))?,
                number(&numbers.q_inverse)?,
            )
        };
        Self::checked(build())
    }

    /// The key in an `RSAPrivateKey` of PKCS#1, in DER, and its public half's SSH encoding.
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<(Vec<u8>, Self), SshKeyError> {
        Self::with_blob(Rsa::private_key_from_der(der))
    }

    /// The key in a `PrivateKeyInfo` of PKCS#8, in DER, and its public half's SSH encoding.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<(Vec<u8>, Self), SshKeyError> {
        Self::with_blob(PKey::private_key_from_pkcs8(der).and_then(|key| key.rsa()))
    }

    fn with_blob(key: Result<Rsa<Private>, ErrorStack>) -> Result<(Vec<u8>, Self), SshKeyError> {
        let key = key.map_err(|_| SshKeyError::Malformed)?;
        let public = key.public_key_to_der_pkcs1().map_err(|_| SshKeyError::Malformed)?;
        let blob = blob_of(&public).ok_or(SshKeyError::Malformed)?;
        Ok((blob, Self::checked(Ok(key))?))
    }

    /// `key`, if it is consistent and of a size that OpenSSL computes with.
    fn checked(key: Result<Rsa<Private>, ErrorStack>) -> Result<Self, SshKeyError> {
        let key = key.map_err(|_| SshKeyError::Malformed)?;
        if key.n().num_bits() as usize > MODULUS_BITS_MAX {
            return Err(SshKeyError::Unsupported);
        }
        if !key.check_key().unwrap_or(false) {
            return Err(SshKeyError::Malformed);
        }
        PKey::from_rsa(key).map(Self).map_err(|_| SshKeyError::Malformed)
    }

    /// The file key, if `body` encrypts one for this key.
    pub(super) fn unwrap(&self, body: &[u8]) -> Option<FileKey> {
        let unwrap = || -> Result<(Zeroizing<Vec<u8>>, usize), ErrorStack> {
            let mut decrypter = Decrypter::new(&self.0)?;
            decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
            decrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
            decrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
            decrypter.set_rsa_oaep_label(LABEL)?;
            let mut plain = Zeroizing::new(vec![0; decrypter.decrypt_len(body)?]);
            let length = decrypter.decrypt(body, &mut plain)?;
            Ok((plain, length))
        };
        let (plain, length) = unwrap().ok()?;
        Some(FileKey(plain[..length].try_into().ok()?))
    }
}
