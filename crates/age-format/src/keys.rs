//! Recipients and identities of every type, and the header between them.
//!
//! Owns: which types combine, trying identities against stanzas.
//! Does not own: each type's own cryptography; asking plugins, whose stanzas and file keys are arguments here.
//!
//! Spec: C2SP age.md, "Recipient stanza", "Header MAC".

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::file_key::{FileKey, NONCE_BYTES};
use crate::{
    Header, HeaderError, HybridIdentity, HybridRecipient, KeyTextError, OpenError, Passphrase, PayloadKey,
    PluginIdentity, PluginRecipient, SealError, SshIdentity, SshRecipient, Stanza, X25519Identity,
    X25519Recipient, hybrid, plugin, scrypt_stanza, ssh, x25519,
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
    /// Somebody whom a plugin knows.
    Plugin(PluginRecipient),
    /// Whoever has this identity, whose recipient only its plugin knows. It may hold a secret.
    PluginIdentity(PluginIdentity),
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
    /// What a plugin knows. It opens nothing by itself: its plugin is to be asked for the file key.
    Plugin(PluginIdentity),
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
    // Whether those of plugins are is known once they were asked.
    let plugins = count_of(|one| one.plugin().is_some());
    match recipients.len() {
        0 => Err(SealError::NoRecipient),
        count if passphrases > 0 && count > 1 => Err(SealError::PassphraseNotAlone),
        count if post_quantum > 0 && count > post_quantum + plugins => Err(SealError::PostQuantumMixed),
        _ => Ok(()),
    }
}

/// That a file can be sealed to all of `recipients`, of whose plugins each wants `labels` of one set.
///
/// # Errors
/// If a recipient lacks a label that another has.
pub fn check_labels(recipients: &[Recipient], labels: &[BTreeSet<String>]) -> Result<(), SealError> {
    const POST_QUANTUM: &str = "postquantum";
    let own = recipients.iter().filter_map(|recipient| match recipient {
        Recipient::Hybrid(_) => Some(BTreeSet::from([POST_QUANTUM.to_owned()])),
        recipient if recipient.plugin().is_some() => None,
        _ => Some(BTreeSet::new()),
    });
    let mut sets = own.chain(labels.iter().cloned());
    let first = sets.next().unwrap_or_default();
    match sets.find(|set| *set != first) {
        Some(other) if first.contains(POST_QUANTUM) != other.contains(POST_QUANTUM) => {
            Err(SealError::PostQuantumMixed)
        }
        Some(_) => Err(SealError::LabelsDiffer),
        None => Ok(()),
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
    seal_header_with(recipients, &[], &FileKey::generate(random), random)
}

/// As [`seal_header`], under a file key that plugins have wrapped in `plugin_stanzas` for their recipients. The key must be new
/// and for this file alone. Each call makes another nonce, hence another payload key, so that a file may be sealed anew
/// under the same file key.
///
/// # Errors
/// As [`seal_header`], and if there are recipients of plugins, and no stanzas.
pub fn seal_header_with(
    recipients: &[Recipient],
    plugin_stanzas: &[Stanza],
    file_key: &FileKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<SealedHeader, SealError> {
    check_recipients(recipients)?;
    if plugin_stanzas.is_empty() && recipients.iter().any(|recipient| recipient.plugin().is_some()) {
        return Err(SealError::PluginNotAsked);
    }
    let wrapped = recipients.iter().filter_map(|recipient| match recipient {
        Recipient::X25519(recipient) => Some(recipient.wrap(file_key, random)),
        Recipient::Hybrid(recipient) => Some(recipient.wrap(file_key, random)),
        Recipient::Ssh(recipient) => Some(recipient.wrap(file_key, random)),
        Recipient::Passphrase(passphrase) => Some(Ok(passphrase.wrap(file_key, random))),
        Recipient::Plugin(_) | Recipient::PluginIdentity(_) => None,
    });
    let mut stanzas = wrapped.collect::<Result<Vec<_>, _>>()?;
    stanzas.extend_from_slice(plugin_stanzas);
    let mut bytes = Header::seal(&stanzas, file_key);
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
                return open_header_with(header, nonce, &file_key);
            }
        }
    }
    Err(OpenError::NoMatch)
}

/// The key to the payload, where the file key is known: a plugin gave it.
///
/// # Errors
/// [`OpenError::HeaderMac`] if the header wasn't sealed under `file_key`, or was changed.
pub fn open_header_with(
    header: &Header,
    nonce: &[u8; NONCE_BYTES],
    file_key: &FileKey,
) -> Result<PayloadKey, OpenError> {
    match header.is_authentic(file_key) {
        true => Ok(file_key.payload_key(nonce)),
        false => Err(OpenError::HeaderMac),
    }
}

impl Recipient {
    /// The name of the program that must be asked to seal to it, where one must.
    pub fn plugin(&self) -> Option<&str> {
        match self {
            Self::Plugin(recipient) => Some(recipient.program()),
            Self::PluginIdentity(identity) => Some(identity.program()),
            _ => None,
        }
    }
}

impl Identity {
    /// Whoever seals to it, this identity opens. Of a plugin's identity that is the identity itself, and no public key.
    ///
    /// # Errors
    /// If it is an SSH key that nobody should seal to.
    pub fn to_recipient(&self) -> Result<Recipient, KeyTextError> {
        Ok(match self {
            Self::X25519(identity) => Recipient::X25519(identity.to_recipient()),
            Self::Hybrid(identity) => Recipient::Hybrid(identity.to_recipient()),
            Self::Ssh(identity) => Recipient::Ssh(identity.to_recipient()?),
            Self::Plugin(identity) => Recipient::PluginIdentity(identity.clone()),
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

    /// A public key as users write it: `age1…`, `age1pq1…`, `ssh-…`, and for plugins `age1name1…`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if ssh::is_public_key(text) {
            text.parse().map(Self::Ssh)
        } else if text.starts_with("age1pq1") {
            text.parse().map(Self::Hybrid)
        } else if plugin::is_recipient(text) {
            text.parse().map(Self::Plugin)
        } else {
            text.parse().map(Self::X25519)
        }
    }
}

impl FromStr for Identity {
    type Err = KeyTextError;

    /// A secret key as in identity files: `AGE-SECRET-KEY-1…`, `AGE-SECRET-KEY-PQ-1…`, `AGE-PLUGIN-NAME-1…`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("AGE-SECRET-KEY-PQ-1") {
            text.parse().map(Self::Hybrid)
        } else if plugin::is_identity(text) {
            text.parse().map(Self::Plugin)
        } else {
            text.parse().map(Self::X25519)
        }
    }
}
