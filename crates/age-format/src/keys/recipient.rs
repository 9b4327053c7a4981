//! A recipient of any type.
//!
//! Owns: telling the types apart by their texts.
//! Does not own: each type's own cryptography, which types combine.

use std::str::FromStr;

use super::error::KeyTextError;
use super::hybrid::HybridRecipient;
use super::passphrase::Passphrase;
use super::plugin::{self, PluginIdentity, PluginRecipient};
use super::ssh::recipient::{SshRecipient, is_public_key};
use super::x25519::X25519Recipient;

/// A key or passphrase to seal to: its owner will be able to open the file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Recipient {
    /// A public key.
    X25519(X25519Recipient),
    /// A post-quantum public key. It can't be combined with other types.
    Hybrid(HybridRecipient),
    /// An SSH public key.
    Ssh(SshRecipient),
    /// A recipient that a plugin serves.
    Plugin(PluginRecipient),
    /// The owner of a plugin's identity, whose recipient only the plugin knows. The text may hold a secret.
    PluginIdentity(PluginIdentity),
    /// A passphrase. It must be the only recipient.
    Passphrase(Passphrase),
}

impl Recipient {
    /// The name of the plugin's program that has to wrap file keys for this recipient; `None` for age's own types.
    pub fn plugin(&self) -> Option<&str> {
        match self {
            Self::Plugin(recipient) => Some(recipient.program()),
            Self::PluginIdentity(identity) => Some(identity.program()),
            _ => None,
        }
    }
}

impl FromStr for Recipient {
    type Err = KeyTextError;

    /// Parses a public key as users write it: `age1…`, `age1pq1…`, `ssh-…`, or a plugin's `age1name1…`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_public_key(text) {
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
