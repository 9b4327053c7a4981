//! Sealing a header to recipients, and opening it with identities.
//!
//! Owns: which recipients combine, trying identities against stanzas.
//! Does not own: each type's own cryptography; asking plugins, whose stanzas and file keys are arguments here.
//!
//! Spec: C2SP age.md, "Recipient stanza", "Header MAC".

use std::collections::BTreeSet;

use crate::error::{HeaderError, OpenError, SealError};
use crate::file_key::{FileKey, NONCE_BYTES};
use crate::header::stanza::Stanza;
use crate::header::text::Header;
use crate::keys::identity::Identity;
use crate::keys::passphrase;
use crate::keys::recipient::Recipient;
use crate::payload::key::PayloadKey;
use crate::random::Batch;

/// The bytes that precede a payload, and the key that seals it.
pub struct SealedHeader {
    /// The header and the nonce. The payload follows immediately.
    pub bytes: Vec<u8>,
    /// The key for this file alone.
    pub payload_key: PayloadKey,
}

/// Checks that a file can be sealed to all of `recipients`, as far as that is known without asking plugins.
///
/// # Errors
/// - [`SealError::NoRecipient`] for an empty list.
/// - [`SealError::PassphraseNotAlone`] for a passphrase with any other recipient.
/// - [`SealError::PostQuantumMixed`] for post-quantum recipients together with classic ones.
pub fn check_recipients(recipients: &[Recipient]) -> Result<(), SealError> {
    let count_of = |is: fn(&Recipient) -> bool| recipients.iter().filter(|one| is(one)).count();
    let passphrases = count_of(|one| matches!(one, Recipient::Passphrase(_)));
    let post_quantum = count_of(Recipient::is_post_quantum);
    // A plugin's recipients may be post-quantum; only the plugin knows.
    let plugins = count_of(|one| one.plugin().is_some());
    match recipients.len() {
        0 => Err(SealError::NoRecipient),
        count if passphrases > 0 && count > 1 => Err(SealError::PassphraseNotAlone),
        count if post_quantum > 0 && count > post_quantum + plugins => Err(SealError::PostQuantumMixed),
        _ => Ok(()),
    }
}

/// Checks that all of `recipients` have the same labels. `labels` has one set per plugin that was asked.
///
/// # Errors
/// [`SealError::PostQuantumMixed`] or [`SealError::LabelsDiffer`] if a recipient lacks a label that another has.
pub fn check_labels(recipients: &[Recipient], labels: &[BTreeSet<String>]) -> Result<(), SealError> {
    const POST_QUANTUM: &str = "postquantum";
    let own = recipients.iter().filter_map(|recipient| match recipient {
        recipient if recipient.is_post_quantum() => Some(BTreeSet::from([POST_QUANTUM.to_owned()])),
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

/// Makes a header for `recipients` under a new file key. Cost: about 30 µs per X25519 recipient, 20 µs
/// from its 257th file on; more for other types, and by design about a second for a passphrase.
///
/// # Errors
/// What [`check_recipients`] refuses; [`SealError::PluginNotAsked`] for a plugin's recipient;
/// [`SealError::InvalidRecipient`] for a key of low order; [`SealError::NoMemory`] if a passphrase's work factor needs
/// more memory than there is; [`SealError::HeaderTooLong`] for more recipients than can be
/// opened again.
pub fn seal_header(
    recipients: &[Recipient],
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<SealedHeader, SealError> {
    let mut batch = Batch::new(random);
    let mut random = |out: &mut [u8]| batch.fill(out);
    seal(recipients, &[], &FileKey::generate_with(&mut random), &mut random)
}

/// As [`seal_header`], but with `plugin_stanzas`, in which plugins have wrapped `file_key` for their recipients. The
/// key must be new and used for this file alone. Each call draws another nonce and so makes another payload key: a
/// file may be sealed again under the same file key.
///
/// # Errors
/// As [`seal_header`], where [`SealError::PluginNotAsked`] now means that a plugin's recipient has no stanza.
pub fn seal_header_with(
    recipients: &[Recipient],
    plugin_stanzas: &[Stanza],
    file_key: &FileKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<SealedHeader, SealError> {
    let mut batch = Batch::new(random);
    seal(recipients, plugin_stanzas, file_key, &mut |out| batch.fill(out))
}

fn seal(
    recipients: &[Recipient],
    plugin_stanzas: &[Stanza],
    file_key: &FileKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<SealedHeader, SealError> {
    let mut bytes = header_for(recipients, plugin_stanzas, file_key, random)?;
    let mut nonce = [0; NONCE_BYTES];
    random(&mut nonce);
    bytes.extend_from_slice(&nonce);
    Ok(SealedHeader { bytes, payload_key: file_key.payload_key(&nonce) })
}

/// Makes another header for a file that is sealed under `file_key`, as for new `recipients`. The payload and the nonce
/// before it stay as they are, and follow the header. `plugin_stanzas` is as in [`seal_header_with`].
///
/// A former recipient may have kept the file key, which still opens the payload.
///
/// # Errors
/// As [`seal_header_with`].
pub fn rewrap_header(
    recipients: &[Recipient],
    plugin_stanzas: &[Stanza],
    file_key: &FileKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, SealError> {
    header_for(recipients, plugin_stanzas, file_key, random)
}

/// The text of a header, which with its nonce isn't too long to be opened again.
fn header_for(
    recipients: &[Recipient],
    plugin_stanzas: &[Stanza],
    file_key: &FileKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, SealError> {
    check_recipients(recipients)?;
    if plugin_stanzas.is_empty() && recipients.iter().any(|recipient| recipient.plugin().is_some()) {
        return Err(SealError::PluginNotAsked);
    }
    let wrapped = recipients.iter().filter_map(|recipient| match recipient {
        Recipient::X25519(recipient) => Some(recipient.wrap(file_key, random)),
        Recipient::Hybrid(recipient) => Some(recipient.wrap(file_key, random)),
        Recipient::Ssh(recipient) => Some(recipient.wrap(file_key, random)),
        Recipient::Tagged(recipient) => Some(recipient.wrap(file_key, random)),
        Recipient::Passphrase(secret) => Some(secret.wrap(file_key, random)),
        Recipient::Plugin(_) | Recipient::PluginIdentity(_) => None,
    });
    let mut stanzas = wrapped.collect::<Result<Vec<_>, _>>()?;
    stanzas.extend_from_slice(plugin_stanzas);
    let bytes = Header::seal(&stanzas, file_key);
    if bytes.len() + NONCE_BYTES > Header::BYTES_MAX { Err(SealError::HeaderTooLong) } else { Ok(bytes) }
}

/// Unwraps the payload key with the first of `identities` that matches a stanza. `nonce` is the 16 bytes after the
/// header. Plugins' identities match nothing here; see [`open_header_with`].
///
/// # Errors
/// - [`OpenError::NoMatch`] if no identity matches a stanza, or [`OpenError::WrongPassphrase`] if a passphrase was
///   tried.
/// - [`OpenError::Header`] if a stanza is malformed.
/// - [`OpenError::HeaderMac`] if the header was changed after sealing.
pub fn open_header(
    header: &Header,
    nonce: &[u8; NONCE_BYTES],
    identities: &[Identity],
) -> Result<PayloadKey, OpenError> {
    Ok(unwrap_file_key(header, identities)?.payload_key(nonce))
}

/// Unwraps the file key with the first of `identities` that matches a stanza, and authenticates the header with it.
/// [`rewrap_header`] takes it.
///
/// # Errors
/// As [`open_header`].
pub fn unwrap_file_key(header: &Header, identities: &[Identity]) -> Result<FileKey, OpenError> {
    let scrypt_count = header.stanzas().iter().filter(|stanza| stanza.tag() == passphrase::TAG).count();
    if scrypt_count > 0 && header.stanzas().len() > 1 {
        return Err(HeaderError::ScryptNotAlone.into());
    }
    for identity in identities {
        for stanza in header.stanzas() {
            if let Some(file_key) = identity.unwrap(stanza)? {
                return if header.is_authentic(&file_key) { Ok(file_key) } else { Err(OpenError::HeaderMac) };
            }
        }
    }
    let tried_passphrase =
        scrypt_count > 0 && identities.iter().any(|one| matches!(one, Identity::Passphrase(_)));
    Err(if tried_passphrase { OpenError::WrongPassphrase } else { OpenError::NoMatch })
}

/// Derives the payload key from a file key that a plugin unwrapped.
///
/// # Errors
/// [`OpenError::HeaderMac`] if the header wasn't sealed under `file_key`, or was changed.
pub fn open_header_with(
    header: &Header,
    nonce: &[u8; NONCE_BYTES],
    file_key: &FileKey,
) -> Result<PayloadKey, OpenError> {
    if header.is_authentic(file_key) { Ok(file_key.payload_key(nonce)) } else { Err(OpenError::HeaderMac) }
}
