//! What can be wrong with keys and the files that hold them.
//!
//! Owns: the errors of reading keys.
//! Does not own: advice to the user.

use std::fmt;

use crate::{ArmorError, OpenError, StreamError};

/// Why a text is no recipient or identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyTextError {
    /// It isn't Bech32, or its checksum is wrong.
    NotBech32,
    /// It is Bech32 for something else.
    WrongPrefix,
    /// It has the wrong length.
    WrongLength,
    /// It is an SSH key of a type that can't be sealed to.
    Unsupported,
    /// It is well written, and what it says is no key.
    InvalidKey,
    /// It is a plugin's identity, and its recipient is wanted as a text, which only the plugin knows.
    OfPlugin,
}

impl fmt::Display for KeyTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotBech32 => "malformed: a character or the checksum is wrong",
            Self::WrongPrefix => "of an unknown type",
            Self::WrongLength => "of the wrong length",
            Self::Unsupported => {
                "an SSH key of an unsupported type: only ssh-ed25519 and ssh-rsa can be sealed to"
            }
            Self::InvalidKey => "invalid",
            Self::OfPlugin => "a plugin's, which alone knows the recipient",
        })
    }
}

impl std::error::Error for KeyTextError {}

/// Why a file of SSH gives no private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SshKeyError {
    /// It isn't a private key file, or a damaged one.
    Malformed,
    /// It is under a passphrase.
    Protected,
    /// It is under another passphrase.
    WrongPassphrase,
    /// The type of the key, or how it is protected, isn't supported.
    Unsupported,
}

impl fmt::Display for SshKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed SSH private key",
            Self::Protected => "the SSH private key is under a passphrase",
            Self::WrongPassphrase => "wrong passphrase",
            Self::Unsupported => "SSH private key of an unsupported type",
        })
    }
}

impl std::error::Error for SshKeyError {}

/// Why a file gives no recipients or identities. Reads after "identity file …:".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It isn't text.
    NotText,
    /// It holds no key.
    Empty,
    /// A line isn't what it should be.
    Line {
        /// Its number, from 1.
        number: u64,
        /// What is wrong with it.
        error: KeyTextError,
    },
    /// It is under a passphrase.
    Protected,
    /// It is under another passphrase.
    WrongPassphrase,
    /// It is an age file, and for recipients.
    NotUnderPassphrase,
    /// It is an age file with damaged armor.
    Armor(ArmorError),
    /// It is an age file with a header that can't be used.
    Header(OpenError),
    /// It is an age file with a damaged payload.
    Payload(StreamError),
    /// It is an SSH private key file that can't be used.
    Ssh(SshKeyError),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("not a text file"),
            Self::Empty => f.write_str("holds no key"),
            Self::Line { number, error } => write!(f, "line {number}: the key is {error}"),
            Self::Protected => f.write_str("under a passphrase"),
            Self::WrongPassphrase => f.write_str("wrong passphrase"),
            Self::NotUnderPassphrase => f.write_str("sealed, but not under a passphrase"),
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
    /// A passphrase is one thing to callers, whatever it protects.
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
