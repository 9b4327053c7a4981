//! Errors of keys and of the files that hold them.
//!
//! Owns: the reasons why a key or key file is refused, and their texts.
//! Does not own: advice to the user.

use std::fmt;

use crate::error::{ArmorError, OpenError, StreamError};

/// Why a text is not a recipient or identity. Reads after "the key is".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyTextError {
    /// The text isn't Bech32, or its checksum is wrong.
    NotBech32,
    /// The text is Bech32 with the prefix of something else.
    WrongPrefix,
    /// The key is too short or too long.
    WrongLength,
    /// The text is an identity, where a recipient is expected.
    Identity,
    /// The text is a recipient, where an identity is expected.
    Recipient,
    /// An SSH key of a type that can't be sealed to.
    Unsupported,
    /// An SSH key, in a build without the feature `ssh`.
    SshNotBuilt,
    /// The encoding is sound, but its content is not a usable key.
    InvalidKey,
    /// A plugin's identity was asked for its recipient's text, which only the plugin knows.
    OfPlugin,
}

impl fmt::Display for KeyTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotBech32 => "malformed: a character or the checksum is wrong",
            Self::WrongPrefix => "of an unknown type",
            Self::WrongLength => "of the wrong length",
            Self::Identity => "an identity, which is secret, and not a recipient",
            Self::Recipient => "a recipient, and not an identity",
            Self::Unsupported => {
                "an SSH key of an unsupported type: only ssh-ed25519 and ssh-rsa can be sealed to"
            }
            Self::SshNotBuilt => "an SSH key, which needs a build with the feature ssh",
            Self::InvalidKey => "invalid",
            Self::OfPlugin => "a plugin's identity, whose recipient only the plugin knows",
        })
    }
}

impl std::error::Error for KeyTextError {}

/// Why an SSH private key can't be read from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SshKeyError {
    /// The file is damaged or not a private key file.
    Malformed,
    /// The file is protected by a passphrase, and none was given.
    Protected,
    /// The passphrase is wrong.
    WrongPassphrase,
    /// The type or size of the key, or the way the file is protected, isn't supported.
    Unsupported,
    /// Any SSH key, in a build without the feature `ssh`.
    NotBuilt,
}

impl fmt::Display for SshKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed SSH private key",
            Self::Protected => "the SSH private key is protected by a passphrase",
            Self::WrongPassphrase => "wrong passphrase",
            Self::Unsupported => "SSH private key of an unsupported type or size",
            Self::NotBuilt => "an SSH private key, which needs a build with the feature ssh",
        })
    }
}

impl std::error::Error for SshKeyError {}

/// Why a file yields no recipients or identities. Reads after "identity file …:".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file isn't text.
    NotText,
    /// The file is text in UTF-16.
    Utf16,
    /// The file holds no key.
    Empty,
    /// A line isn't a key.
    Line {
        /// The line number, from 1.
        number: u64,
        /// The reason.
        error: KeyTextError,
    },
    /// The file is protected by a passphrase, and none was given.
    Protected,
    /// The passphrase is wrong.
    WrongPassphrase,
    /// An age file that is sealed to recipients, not to a passphrase.
    NotUnderPassphrase,
    /// An age file with damaged armor.
    Armor(ArmorError),
    /// An age file whose header can't be opened.
    Header(OpenError),
    /// An age file with a damaged payload.
    Payload(StreamError),
    /// An SSH private key file that can't be read.
    Ssh(SshKeyError),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("not a text file"),
            Self::Utf16 => f.write_str("text in UTF-16; save it in UTF-8"),
            Self::Empty => f.write_str("holds no key"),
            Self::Line { number, error } => write!(f, "line {number}: the key is {error}"),
            Self::Protected => f.write_str("protected by a passphrase"),
            Self::WrongPassphrase => f.write_str("wrong passphrase"),
            Self::NotUnderPassphrase => f.write_str("sealed, but not with a passphrase"),
            Self::Armor(error) => error.fmt(f),
            Self::Header(error) => error.fmt(f),
            Self::Payload(error) => error.fmt(f),
            Self::Ssh(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Line { error, .. } => Some(error),
            Self::Armor(error) => Some(error),
            Self::Header(error) => Some(error),
            Self::Payload(error) => Some(error),
            Self::Ssh(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SshKeyError> for KeyFileError {
    /// Callers ask for a passphrase in the same way, whatever it protects.
    fn from(error: SshKeyError) -> Self {
        match error {
            SshKeyError::Protected => Self::Protected,
            SshKeyError::WrongPassphrase => Self::WrongPassphrase,
            other => Self::Ssh(other),
        }
    }
}

impl From<ArmorError> for KeyFileError {
    fn from(error: ArmorError) -> Self {
        Self::Armor(error)
    }
}

impl From<OpenError> for KeyFileError {
    fn from(error: OpenError) -> Self {
        Self::Header(error)
    }
}

impl From<StreamError> for KeyFileError {
    fn from(error: StreamError) -> Self {
        Self::Payload(error)
    }
}
