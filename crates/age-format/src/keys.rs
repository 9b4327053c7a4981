//! Recipients and identities of every type, and the header between them.
//!
//! Owns: which types combine, trying identities against stanzas.
//! Does not own: each type's own cryptography.
//!
//! Spec: C2SP age.md, "Recipient stanza", "Header MAC".

use std::str::FromStr;

use crate::file_key::{FileKey, NONCE_BYTES};
use crate::{
    Header, HeaderError, HybridIdentity, HybridRecipient, KeyTextError, OpenError, Passphrase, PayloadKey,
    SealError, SshIdentity, SshRecipient, Stanza, X25519Identity, X25519Recipient, hybrid, scrypt_stanza,
    ssh, x25519,
};

/// Somebody who will be able to open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Recipient {
    /// A public key.
    X25519(X25519Recipient),
    /// A post-quantum public key; not to be mixed with other types.
    Hybrid(HybridRecipient),
    /// An SSH public key.
    Ssh(SshRecipient),
    /// Whoever knows the passphrase; must be the only recipient.
    Passphrase(Passphrase),
}

/// A secret that opens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Identity {
    /// A secret key.
    X25519(X25519Identity),
    /// A post-quantum secret key.
    Hybrid(HybridIdentity),
    /// An SSH private key.
    Ssh(SshIdentity),
    /// A passphrase.
    Passphrase(Passphrase),
}

/// What precedes the payload, and the key that seals it.
pub struct SealedHeader {
    /// Header and nonce; the payload follows at once.
    pub bytes: Vec<u8>,
    /// For this file alone.
    pub payload_key: PayloadKey,
}

/// That a file can be sealed to all of `recipients`.
///
/// # Errors
/// If they are none or don't combine.
pub fn check_recipients(recipients: &[Recipient]) -> Result<(), SealError> {
    let count_of = |is: fn(&Recipient) -> bool| recipients.iter().filter(|one| is(one)).count();
    let passphrases = count_of(|one| matches!(one, Recipient::Passphrase(_)));
    let post_quantum = count_of(|one| matches!(one, Recipient::Hybrid(_)));
    match recipients.len() {
        0 => Err(SealError::NoRecipient),
        count if passphrases > 0 && count > 1 => Err(SealError::PassphraseNotAlone),
        count if post_quantum > 0 && count > post_quantum => Err(SealError::PostQuantumMixed),
        _ => Ok(()),
    }
}

/// A new header for `recipients`, under a new file key. Cost: some 30 µs for each X25519 recipient, more for the others.
///
/// # Errors
/// If the recipients are none, don't combine or can't be sealed to.
pub fn seal_header(
    recipients: &[Recipient],
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<SealedHeader, SealError> {
    check_recipients(recipients)?;
    let file_key = FileKey::generate(random);
    let wrapped = recipients.iter().map(|recipient| match recipient {
        Recipient::X25519(recipient) => recipient.wrap(&file_key, random),
        Recipient::Hybrid(recipient) => recipient.wrap(&file_key, random),
        Recipient::Ssh(recipient) => recipient.wrap(&file_key),
        Recipient::Passphrase(passphrase) => Ok(passphrase.wrap(&file_key, random)),
    });
    let stanzas = wrapped.collect::<Result<Vec<_>, _>>()?;
    let mut bytes = Header::seal(&stanzas, &file_key);
    let mut nonce = [0; NONCE_BYTES];
    random(&mut nonce);
    bytes.extend_from_slice(&nonce);
    Ok(SealedHeader { bytes, payload_key: file_key.payload_key(&nonce) })
}

/// The key to the payload, for the first of `identities` that fits. `nonce` are the 16 bytes after the header.
///
/// # Errors
/// If none fits, or the header breaks a rule or isn't the one that was sealed.
pub fn open_header(
    header: &Header,
    nonce: &[u8; NONCE_BYTES],
    identities: &[Identity],
) -> Result<PayloadKey, OpenError> {
    let scrypt_count = header.stanzas().iter().filter(|stanza| stanza.tag() == scrypt_stanza::TAG).count();
    if scrypt_count > 0 && header.stanzas().len() > 1 {
        return Err(HeaderError::ScryptNotAlone.into());
    }
    for identity in identities {
        for stanza in header.stanzas() {
            if let Some(file_key) = identity.unwrap(stanza)? {
                return match header.is_authentic(&file_key) {
                    true => Ok(file_key.payload_key(nonce)),
                    false => Err(OpenError::HeaderMac),
                };
            }
        }
    }
    Err(OpenError::NoMatch)
}

impl Identity {
    /// Whoever seals to it, this identity opens.
    ///
    /// # Errors
    /// If it is an SSH key that nobody should seal to.
    pub fn to_recipient(&self) -> Result<Recipient, KeyTextError> {
        Ok(match self {
            Self::X25519(identity) => Recipient::X25519(identity.to_recipient()),
            Self::Hybrid(identity) => Recipient::Hybrid(identity.to_recipient()),
            Self::Ssh(identity) => Recipient::Ssh(identity.to_recipient()?),
            Self::Passphrase(passphrase) => Recipient::Passphrase(passphrase.clone()),
        })
    }

    fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        match self {
            Self::X25519(identity) if stanza.tag() == x25519::TAG => identity.unwrap(stanza),
            Self::Hybrid(identity) if stanza.tag() == hybrid::TAG => identity.unwrap(stanza),
            Self::Ssh(identity) if ssh::is_tag(stanza.tag()) => identity.unwrap(stanza),
            Self::Passphrase(passphrase) if stanza.tag() == scrypt_stanza::TAG => passphrase.unwrap(stanza),
            _ => Ok(None),
        }
    }
}

impl FromStr for Recipient {
    type Err = KeyTextError;

    /// A public key as users write it: `age1…`, `age1pq1…`, `ssh-…`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if ssh::is_public_key(text) {
            text.parse().map(Self::Ssh)
        } else if text.starts_with("age1pq1") {
            text.parse().map(Self::Hybrid)
        } else {
            text.parse().map(Self::X25519)
        }
    }
}

impl FromStr for Identity {
    type Err = KeyTextError;

    /// A secret key as in identity files: `AGE-SECRET-KEY-1…`, `AGE-SECRET-KEY-PQ-1…`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("AGE-SECRET-KEY-PQ-1") {
            text.parse().map(Self::Hybrid)
        } else {
            text.parse().map(Self::X25519)
        }
    }
}
