//! SSH private keys, to open with.
//!
//! Owns: a key together with the file that it was read from.
//! Does not own: the form of the file, the cryptography of each type.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::private_key::{KeyFile, PrivateKey};
use super::recipient::SshRecipient;
use super::stanza::{SshStanza, key_hash};
use crate::error::HeaderError;
use crate::file_key::FileKey;
use crate::header::stanza::Stanza;
use crate::keys::error::{KeyTextError, SshKeyError};

/// A private key to open with. Clones share the key, which is wiped when the last is dropped.
#[derive(Clone)]
pub struct SshIdentity(Arc<Private>);

struct Private {
    /// The file's text, to pass it to another process.
    file: Zeroizing<String>,
    /// The file's passphrase, if it has one.
    passphrase: Option<Zeroizing<String>>,
    /// The public half's SSH encoding.
    blob: Vec<u8>,
    key: PrivateKey,
}

impl SshIdentity {
    /// Reads a private key file without a passphrase: an OpenSSH file, or RSA in PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// [`SshKeyError::Protected`] if the file has a passphrase. [`SshKeyError::Malformed`] if it is damaged or no
    /// private key file, [`SshKeyError::Unsupported`] for other types of keys and for RSA of less than 2048 or more
    /// than 16 384 bits.
    pub fn from_file_text(text: &str) -> Result<Self, SshKeyError> {
        Self::new(text, None)
    }

    /// Reads a private key file with its passphrase. A file that has none is accepted as well. Cost: by design up to
    /// seconds.
    ///
    /// # Errors
    /// [`SshKeyError::WrongPassphrase`], and what [`SshIdentity::from_file_text`] refuses.
    pub fn from_protected_text(text: &str, passphrase: &str) -> Result<Self, SshKeyError> {
        Self::new(text, Some(passphrase))
    }

    fn new(text: &str, passphrase: Option<&str>) -> Result<Self, SshKeyError> {
        let KeyFile { blob, key, is_protected } = KeyFile::parse(text, passphrase)?;
        let passphrase = passphrase.filter(|_| is_protected).map(|text| Zeroizing::new(text.to_owned()));
        Ok(Self(Arc::new(Private { file: Zeroizing::new(text.to_owned()), passphrase, blob, key })))
    }

    /// The public half.
    ///
    /// # Errors
    /// If the key can open but must not be sealed to, such as one of RSA with an unusual exponent.
    pub fn to_recipient(&self) -> Result<SshRecipient, KeyTextError> {
        SshRecipient::from_blob(self.0.blob.clone())
    }

    /// The file's text and its passphrase.
    pub(crate) fn source(&self) -> (&str, Option<&str>) {
        (&self.0.file, self.0.passphrase.as_ref().map(|passphrase| passphrase.as_str()))
    }

    /// The file key, if `stanza` wraps it for this identity.
    pub(crate) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        let blob = &self.0.blob;
        // The hash of a key has only 32 bits, so a stanza with this key's hash may still be for another key.
        match (SshStanza::parse(stanza)?, &self.0.key) {
            (SshStanza::Ed25519 { key_hash: hash, share, body }, PrivateKey::Ed25519(key))
                if hash == key_hash(blob) =>
            {
                key.unwrap(blob, &share, body)
            }
            (SshStanza::Rsa { key_hash: hash, body }, PrivateKey::Rsa(key)) if hash == key_hash(blob) => {
                Ok(key.unwrap(body))
            }
            _ => Ok(None),
        }
    }
}

impl fmt::Debug for SshIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SshIdentity(…)")
    }
}
