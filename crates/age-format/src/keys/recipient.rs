//! A recipient of any type.
//!
//! Owns: telling the types apart by their texts.
//! Does not own: each type's own cryptography, which types combine.

use std::str::FromStr;

use super::error::KeyTextError;
use super::hybrid::HybridRecipient;
use super::passphrase::Passphrase;
use super::plugin::{self, PluginIdentity, PluginRecipient};
use super::ssh::SshRecipient;
use super::ssh_forms::{is_private_key, is_public_key};
use super::tagged::{self, TaggedRecipient};
use super::x25519::X25519Recipient;

/// A key or passphrase to seal to: its owner will be able to open the file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Recipient {
    /// A public key.
    X25519(X25519Recipient),
    /// A post-quantum public key. It can't be combined with other types.
    Hybrid(HybridRecipient),
    /// An SSH public key. Needs the feature `ssh`.
    Ssh(SshRecipient),
    /// A public key in hardware, whose identity a plugin serves.
    Tagged(TaggedRecipient),
    /// A recipient that a plugin serves.
    Plugin(PluginRecipient),
    /// The owner of a plugin's identity, whose recipient only the plugin knows. The text may hold a secret.
    PluginIdentity(PluginIdentity),
    /// A passphrase. It must be the only recipient.
    Passphrase(Passphrase),
}

impl Recipient {
    /// Whether it is known to be safe from quantum computers. Plugins' recipients may be as well.
    pub fn is_post_quantum(&self) -> bool {
        match self {
            Self::Hybrid(_) => true,
            Self::Tagged(recipient) => recipient.is_post_quantum(),
            _ => false,
        }
    }

    /// The name of the plugin's program that has to wrap file keys for this recipient; `None` for age's own types.
    pub fn plugin(&self) -> Option<&str> {
        match self {
            Self::Plugin(recipient) => Some(recipient.program()),
            Self::PluginIdentity(identity) => Some(identity.program()),
            _ => None,
        }
    }
}

impl From<X25519Recipient> for Recipient {
    fn from(recipient: X25519Recipient) -> Self {
        Self::X25519(recipient)
    }
}

impl From<HybridRecipient> for Recipient {
    fn from(recipient: HybridRecipient) -> Self {
        Self::Hybrid(recipient)
    }
}

impl From<Passphrase> for Recipient {
    fn from(passphrase: Passphrase) -> Self {
        Self::Passphrase(passphrase)
    }
}

impl FromStr for Recipient {
    type Err = KeyTextError;

    /// Parses a public key as users write it: `age1…`, `age1pq1…`, `age1tag1…`, `age1tagpq1…`, `ssh-…`, or a plugin's
    /// `age1name1…`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_secret(text) {
            Err(KeyTextError::Identity)
        } else if is_public_key(text) {
            text.parse().map(Self::Ssh)
        } else if text.starts_with("age1pq1") {
            text.parse().map(Self::Hybrid)
        } else if tagged::is_recipient(text) {
            text.parse().map(Self::Tagged)
        } else if plugin::is_recipient(text) {
            text.parse().map(Self::Plugin)
        } else {
            text.parse().map(Self::X25519)
        }
    }
}

/// Whether `text` begins like an identity, in any letter case, or like a private key file.
fn is_secret(text: &str) -> bool {
    let starts_like =
        |start: &str| text.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start));
    ["age-secret-key-", "age-plugin-"].into_iter().any(starts_like) || is_private_key(text)
}
