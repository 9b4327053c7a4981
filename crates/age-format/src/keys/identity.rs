//! An identity of any type.
//!
//! Owns: telling the types apart by their texts, and which stanzas concern which type.
//! Does not own: each type's own cryptography; asking plugins.

use std::str::FromStr;

use super::error::KeyTextError;
use super::hybrid::{self, HybridIdentity};
use super::passphrase::{self, Passphrase};
use super::plugin::{self, PluginIdentity};
use super::recipient::Recipient;
use super::ssh::SshIdentity;
use super::ssh_forms::{is_public_key, is_tag};
use super::x25519::{self, X25519Identity};
use crate::error::HeaderError;
use crate::file_key::FileKey;
use crate::header::stanza::Stanza;

/// A secret to open with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Identity {
    /// A secret key.
    X25519(X25519Identity),
    /// A post-quantum secret key.
    Hybrid(HybridIdentity),
    /// An SSH private key. Needs the feature `ssh`.
    Ssh(SshIdentity),
    /// A plugin's identity. It opens nothing by itself: the plugin has to unwrap the file key.
    Plugin(PluginIdentity),
    /// A passphrase.
    Passphrase(Passphrase),
}

impl Identity {
    /// The recipient that this identity opens for. For a plugin's identity it contains the identity itself, as only the
    /// plugin knows a public key.
    ///
    /// # Errors
    /// If it is an SSH key that must not be sealed to.
    pub fn to_recipient(&self) -> Result<Recipient, KeyTextError> {
        Ok(match self {
            Self::X25519(identity) => Recipient::X25519(identity.to_recipient()),
            Self::Hybrid(identity) => Recipient::Hybrid(identity.to_recipient()),
            Self::Ssh(identity) => Recipient::Ssh(identity.to_recipient()?),
            Self::Plugin(identity) => Recipient::PluginIdentity(identity.clone()),
            Self::Passphrase(passphrase) => Recipient::Passphrase(passphrase.clone()),
        })
    }

    /// The file key, if `stanza` wraps it for this identity.
    pub(crate) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        match self {
            Self::X25519(identity) if stanza.tag() == x25519::TAG => identity.unwrap(stanza),
            Self::Hybrid(identity) if stanza.tag() == hybrid::TAG => identity.unwrap(stanza),
            Self::Ssh(identity) if is_tag(stanza.tag()) => identity.unwrap(stanza),
            Self::Passphrase(secret) if stanza.tag() == passphrase::TAG => secret.unwrap(stanza),
            _ => Ok(None),
        }
    }
}

impl From<X25519Identity> for Identity {
    fn from(identity: X25519Identity) -> Self {
        Self::X25519(identity)
    }
}

impl From<HybridIdentity> for Identity {
    fn from(identity: HybridIdentity) -> Self {
        Self::Hybrid(identity)
    }
}

impl From<Passphrase> for Identity {
    fn from(passphrase: Passphrase) -> Self {
        Self::Passphrase(passphrase)
    }
}

impl FromStr for Identity {
    type Err = KeyTextError;

    /// Parses a secret key as identity files hold it: `AGE-SECRET-KEY-1…`, `AGE-SECRET-KEY-PQ-1…`,
    /// `AGE-PLUGIN-NAME-1…`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("AGE-SECRET-KEY-PQ-1") {
            text.parse().map(Self::Hybrid)
        } else if plugin::is_identity(text) {
            text.parse().map(Self::Plugin)
        } else if text.starts_with("age1") || is_public_key(text) {
            Err(KeyTextError::Recipient)
        } else {
            text.parse().map(Self::X25519)
        }
    }
}
