//! Recipients and identities as one line of text each, for handing them to another process of the same program.
//!
//! A key's text is the usual one. What has none gets a tag:
//!
//! | text | meaning |
//! |---|---|
//! | `HAUL-PASSPHRASE-18-…` | a passphrase in base64, which seals with work factor 2^18 |
//! | `HAUL-SSH-…` | an SSH private key file in base64 |
//! | `HAUL-SSH-…-…` | the same, and its passphrase in base64 |
//!
//! Owns: these texts.
//! Does not own: what users write ([`FromStr`](std::str::FromStr)), which takes no passphrase: it would come from a command
//! line.

use zeroize::Zeroizing;

use crate::encoding::{from_base64, to_base64};
use crate::{Identity, KeyTextError, Passphrase, Recipient, SshIdentity, plugin};

const PASSPHRASE_TAG: &str = "HAUL-PASSPHRASE-";
const SSH_TAG: &str = "HAUL-SSH-";

impl Recipient {
    /// A line that [`Recipient::from_secret_text`] reads. It is secret where the recipient is a passphrase or
    /// a plugin's identity.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        match self {
            Self::X25519(recipient) => recipient.to_string().into(),
            Self::Hybrid(recipient) => recipient.to_string().into(),
            Self::Ssh(recipient) => recipient.to_string().into(),
            Self::Plugin(recipient) => recipient.to_string().into(),
            Self::PluginIdentity(identity) => identity.secret_text().to_owned().into(),
            Self::Passphrase(passphrase) => passphrase_text(passphrase),
        }
    }

    /// The recipient in a text of [`Recipient::to_secret_text`].
    ///
    /// # Errors
    /// If the text is another.
    pub fn from_secret_text(text: &str) -> Result<Self, KeyTextError> {
        match text.strip_prefix(PASSPHRASE_TAG) {
            Some(rest) => passphrase(rest).map(Self::Passphrase),
            // Users name no recipient by a secret: it would stand in a command line.
            None if plugin::is_identity(text) => text.parse().map(Self::PluginIdentity),
            None => text.parse(),
        }
    }
}

impl Identity {
    /// A line that [`Identity::from_secret_text`] reads. Wiped when dropped.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        match self {
            Self::X25519(identity) => identity.to_secret_text(),
            Self::Hybrid(identity) => identity.to_secret_text(),
            Self::Ssh(identity) => ssh_text(identity),
            Self::Plugin(identity) => Zeroizing::new(identity.secret_text().to_owned()),
            Self::Passphrase(passphrase) => passphrase_text(passphrase),
        }
    }

    /// The identity in a text of [`Identity::to_secret_text`]. Cost: for an SSH key under a passphrase up to seconds.
    ///
    /// # Errors
    /// If the text is another.
    pub fn from_secret_text(text: &str) -> Result<Self, KeyTextError> {
        if let Some(rest) = text.strip_prefix(PASSPHRASE_TAG) {
            return passphrase(rest).map(Self::Passphrase);
        }
        match text.strip_prefix(SSH_TAG) {
            Some(rest) => ssh_identity(rest).map(Self::Ssh),
            None => text.parse(),
        }
    }
}

fn passphrase_text(passphrase: &Passphrase) -> Zeroizing<String> {
    let base64 = Zeroizing::new(to_base64(passphrase.secret_text().as_bytes()));
    joined(&[PASSPHRASE_TAG, &passphrase.work_factor().to_string(), "-", &base64])
}

fn passphrase(rest: &str) -> Result<Passphrase, KeyTextError> {
    let (work_factor, base64) = rest.split_once('-').ok_or(KeyTextError::InvalidKey)?;
    let work_factor = work_factor.parse().ok().filter(|factor| Passphrase::is_work_factor(*factor));
    let work_factor = work_factor.ok_or(KeyTextError::InvalidKey)?;
    Ok(Passphrase::with_work_factor(secret_from_base64(base64)?, work_factor))
}

fn ssh_text(identity: &SshIdentity) -> Zeroizing<String> {
    let (file, passphrase) = identity.source();
    let file = Zeroizing::new(to_base64(file.as_bytes()));
    let passphrase = passphrase.map(|text| Zeroizing::new(to_base64(text.as_bytes())));
    match passphrase {
        Some(passphrase) => joined(&[SSH_TAG, &file, "-", &passphrase]),
        None => joined(&[SSH_TAG, &file]),
    }
}

fn ssh_identity(rest: &str) -> Result<SshIdentity, KeyTextError> {
    let identity = match rest.split_once('-') {
        Some((file, passphrase)) => {
            let passphrase = secret_from_base64(passphrase)?;
            SshIdentity::from_protected_text(&secret_from_base64(file)?, &passphrase)
        }
        None => SshIdentity::from_file_text(&secret_from_base64(rest)?),
    };
    identity.map_err(|_| KeyTextError::InvalidKey)
}

fn secret_from_base64(text: &str) -> Result<Zeroizing<String>, KeyTextError> {
    let bytes = Zeroizing::new(from_base64(text.as_bytes()).ok_or(KeyTextError::InvalidKey)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyTextError::InvalidKey)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// `parts` in one allocation, so that no copy is left behind.
fn joined(parts: &[&str]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| text.push_str(part));
    text
}
