//! Private key files, as ssh-keygen and openssl write them.
//!
//! Owns: which forms are accepted, and the reason for refusing others.
//! Does not own: the form of OpenSSH files and their decryption (the crate `ssh-key`), the cryptography of each type.
//!
//! | first line | form | protection |
//! |---|---|---|
//! | `-----BEGIN OPENSSH PRIVATE KEY-----` | OpenSSH | none, or bcrypt with AES (CBC, CTR, GCM) or ChaCha20-Poly1305 |
//! | `-----BEGIN RSA PRIVATE KEY-----` | PKCS#1 | none |
//! | `-----BEGIN PRIVATE KEY-----` | PKCS#8, RSA only | none |
//!
//! Spec: OpenSSH's PROTOCOL.key; RFC 8017, Appendix A.1.2; RFC 5208; RFC 7468 for the lines around them.

use base64::Engine;
use ssh_key::private::KeypairData;
use ssh_key::{Cipher, Error, Kdf};
use zeroize::Zeroizing;

use super::{ed25519, rsa};
use crate::encoding::BASE64_PADDED;
use crate::keys::error::SshKeyError;

/// The longest file accepted, in bytes. An RSA key of 8 192 bits takes 6 KiB.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// A private key of either type.
pub(super) enum PrivateKey {
    Ed25519(ed25519::PrivateKey),
    Rsa(rsa::PrivateKey),
}

/// A private key file.
pub(super) struct KeyFile {
    /// The public half's SSH encoding.
    pub(super) blob: Vec<u8>,
    pub(super) key: PrivateKey,
    /// Whether the file needed its passphrase.
    pub(super) is_protected: bool,
}

impl KeyFile {
    /// Reads `text`, with `passphrase` if the file is protected. Cost: by design up to seconds if it is.
    pub(super) fn parse(text: &str, passphrase: Option<&str>) -> Result<Self, SshKeyError> {
        let (label, content) = pem_block(text)?;
        let (blob, key) = match label {
            "OPENSSH PRIVATE KEY" => return open_ssh(&content, passphrase),
            "RSA PRIVATE KEY" => rsa::PrivateKey::from_pkcs1(&content)?,
            "PRIVATE KEY" => rsa::PrivateKey::from_pkcs8(&content)?,
            // ssh-keygen -p can convert some of these.
            _ => return Err(SshKeyError::Unsupported),
        };
        Ok(Self { blob, key: PrivateKey::Rsa(key), is_protected: false })
    }
}

/// The label and the content of the PEM block that `text` begins with. Lines may have any length.
fn pem_block(text: &str) -> Result<(&str, Zeroizing<Vec<u8>>), SshKeyError> {
    if text.len() > FILE_BYTES_MAX {
        return Err(SshKeyError::Malformed);
    }
    let mut lines = text.trim_start().lines().map(str::trim_end);
    let label = lines
        .next()
        .and_then(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .ok_or(SshKeyError::Malformed)?;
    // Room for all of it, so that no copy of the secret is left behind by growing.
    let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
    for line in lines {
        if let Some(end) = line.strip_prefix("-----END ") {
            let is_end = end.strip_suffix("-----") == Some(label);
            let content = BASE64_PADDED.decode(base64.as_bytes()).ok().filter(|_| is_end);
            return content.map(|content| (label, Zeroizing::new(content))).ok_or(SshKeyError::Malformed);
        }
        // The header fields of an old form of encryption: `Proc-Type: 4,ENCRYPTED`.
        if line.contains(':') {
            return Err(SshKeyError::Unsupported);
        }
        base64.push_str(line);
    }
    Err(SshKeyError::Malformed)
}

fn open_ssh(content: &[u8], passphrase: Option<&str>) -> Result<KeyFile, SshKeyError> {
    let file = ssh_key::PrivateKey::from_bytes(content).map_err(refused)?;
    if !file.is_encrypted() {
        return key_of(&file, false);
    }
    match file.kdf() {
        Kdf::Bcrypt { salt, rounds } if !salt.is_empty() && *rounds > 0 => {}
        _ => return Err(SshKeyError::Malformed),
    }
    if file.cipher() == Cipher::TdesCbc {
        return Err(SshKeyError::Unsupported);
    }
    let passphrase = passphrase.ok_or(SshKeyError::Protected)?;
    // Most ciphers don't authenticate, so a wrong passphrase may show as any error.
    let file = file.decrypt(passphrase).map_err(|_| SshKeyError::WrongPassphrase)?;
    key_of(&file, true)
}

fn key_of(file: &ssh_key::PrivateKey, is_protected: bool) -> Result<KeyFile, SshKeyError> {
    let blob = file.public_key().to_bytes().map_err(|_| SshKeyError::Malformed)?;
    let key = match file.key_data() {
        KeypairData::Ed25519(pair) => {
            let key = ed25519::PrivateKey::new(pair.private.as_ref());
            // With a wrong public half, files would be sealed that this key can't open.
            let public = ed25519::PublicKey::new(pair.public.as_ref());
            if !public.is_some_and(|public| key.belongs_to(&public)) {
                return Err(SshKeyError::Malformed);
            }
            PrivateKey::Ed25519(key)
        }
        KeypairData::Rsa(pair) => PrivateKey::Rsa(rsa::PrivateKey::from_openssh(pair)?),
        _ => return Err(SshKeyError::Unsupported),
    };
    Ok(KeyFile { blob, key, is_protected })
}

fn refused(error: Error) -> SshKeyError {
    match error {
        // Types of keys and ciphers that the crate doesn't know, or that aren't compiled in.
        Error::AlgorithmUnknown
        | Error::AlgorithmUnsupported { .. }
        | Error::Encoding(ssh_key::encoding::Error::Label(_)) => SshKeyError::Unsupported,
        _ => SshKeyError::Malformed,
    }
}
