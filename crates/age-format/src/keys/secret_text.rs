//! Recipients and identities as one line of text each, for another process of the same program.
//!
//! Most keys use the text that users know. Keys without one get a tagged text:
//!
//! | text | meaning |
//! |---|---|
//! | `HAUL-PASSPHRASE-18-22-…` | a passphrase in base64, to seal with work factor 2^18 and open up to 2^22 |
//! | `HAUL-SSH-…` | an SSH private key file in base64 |
//! | `HAUL-SSH-…-…` | the same, then its passphrase in base64 |
//!
//! Owns: these texts.
//! Does not own: the texts that users write ([`FromStr`](std::str::FromStr)). Those include no passphrase, as it
//! would come from a command line, which other users can read.

use zeroize::Zeroizing;

use super::error::KeyTextError;
use super::identity::Identity;
use super::passphrase::Passphrase;
use super::plugin;
use super::recipient::Recipient;
use super::ssh::SshIdentity;
use crate::encoding::{from_base64, to_base64};

const PASSPHRASE_TAG: &str = "HAUL-PASSPHRASE-";
const SSH_TAG: &str = "HAUL-SSH-";

impl Recipient {
    /// A line that [`Recipient::from_secret_text`] parses. It is secret for a passphrase and for a plugin's identity.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        match self {
            Self::X25519(recipient) => recipient.to_string().into(),
            Self::Hybrid(recipient) => recipient.to_string().into(),
            Self::Ssh(recipient) => recipient.to_string().into(),
            Self::Tagged(recipient) => recipient.to_string().into(),
            Self::Plugin(recipient) => recipient.to_string().into(),
            Self::PluginIdentity(identity) => identity.secret_text().to_owned().into(),
            Self::Passphrase(passphrase) => passphrase_text(passphrase),
        }
    }

    /// Parses a text made by [`Recipient::to_secret_text`].
    ///
    /// # Errors
    /// If the text has another form.
    pub fn from_secret_text(text: &str) -> Result<Self, KeyTextError> {
        match text.strip_prefix(PASSPHRASE_TAG) {
            Some(rest) => passphrase(rest).map(Self::Passphrase),
            // `FromStr` refuses this one: users would put the secret on a command line.
            None if plugin::is_identity(text) => text.parse().map(Self::PluginIdentity),
            None => text.parse(),
        }
    }
}

impl Identity {
    /// A line that [`Identity::from_secret_text`] parses; wiped when dropped.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        match self {
            Self::X25519(identity) => identity.to_secret_text(),
            Self::Hybrid(identity) => identity.to_secret_text(),
            Self::Ssh(identity) => ssh_text(identity),
            Self::Plugin(identity) => Zeroizing::new(identity.secret_text().to_owned()),
            Self::Passphrase(passphrase) => passphrase_text(passphrase),
        }
    }

    /// Parses a text made by [`Identity::to_secret_text`]. Cost: up to seconds for an SSH key with a passphrase.
    ///
    /// # Errors
    /// If the text has another form.
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
    let factors = format!("{}-{}-", passphrase.work_factor(), passphrase.work_factor_max());
    joined(&[PASSPHRASE_TAG, &factors, &base64])
}

fn passphrase(rest: &str) -> Result<Passphrase, KeyTextError> {
    let mut words = rest.splitn(3, '-');
    let mut factor = || words.next()?.parse().ok().filter(|factor| Passphrase::is_work_factor(*factor));
    let factors = factor().zip(factor()).ok_or(KeyTextError::InvalidKey)?;
    let base64 = words.next().ok_or(KeyTextError::InvalidKey)?;
    Ok(Passphrase::with_work_factor(secret_from_base64(base64)?, factors.0).opening_up_to(factors.1))
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

/// Concatenates `parts` in one allocation, so that growing leaves no copy of a secret behind.
fn joined(parts: &[&str]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| text.push_str(part));
    text
}
