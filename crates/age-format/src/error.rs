//! What can be wrong, by whose fault.
//!
//! Owns: the errors of the format itself.
//! Does not own: errors of keys ([`crate::KeyFileError`]), advice to the user.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The header isn't what the format allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HeaderError {
    /// The first line is another: no age file, or an unknown version.
    NotAge,
    /// The header is longer than the limit.
    TooLong,
    /// A line that is neither a stanza's nor the closing one.
    MalformedLine,
    /// A stanza's arguments aren't printable words separated by single spaces.
    MalformedArguments,
    /// A stanza's body isn't canonical base64 in full lines and one short line.
    MalformedBody,
    /// The closing line carries no canonical 32-byte MAC.
    MalformedMac,
    /// There is no recipient at all.
    NoStanza,
    /// An X25519 stanza has the wrong number or size of arguments, or an invalid share.
    MalformedX25519,
    /// A post-quantum stanza has the wrong number or size of arguments, or an invalid share.
    MalformedHybrid,
    /// An SSH stanza has the wrong number or size of arguments.
    MalformedSsh,
    /// An scrypt stanza has the wrong number or size of arguments.
    MalformedScrypt,
    /// An scrypt stanza stands beside another.
    ScryptNotAlone,
    /// The passphrase's work factor is above the limit.
    WorkFactorTooHigh {
        /// What the header asks for, as a power of two.
        log_n: u8,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAge => "not an age file",
            Self::TooLong => "the header is too long",
            Self::MalformedLine => "the header has a malformed line",
            Self::MalformedArguments => "a stanza has malformed arguments",
            Self::MalformedBody => "a stanza has a malformed body",
            Self::MalformedMac => "the header's MAC is malformed",
            Self::NoStanza => "the header has no recipient",
            Self::MalformedX25519 => "an X25519 stanza is malformed",
            Self::MalformedHybrid => "a post-quantum stanza is malformed",
            Self::MalformedSsh => "an SSH stanza is malformed",
            Self::MalformedScrypt => "an scrypt stanza is malformed",
            Self::ScryptNotAlone => "an scrypt stanza is not the only one",
            Self::WorkFactorTooHigh { log_n } => {
                return write!(f, "the passphrase's work factor 2^{log_n} is above the limit");
            }
        })
    }
}

impl std::error::Error for HeaderError {}

/// Why a header gives no payload key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OpenError {
    /// None of the identities, or not this passphrase, fits any stanza.
    NoMatch,
    /// The header breaks a rule of the format.
    Header(HeaderError),
    /// An identity fits, but the header was changed after it was sealed.
    HeaderMac,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMatch => f.write_str("no identity matched any of the recipients"),
            Self::Header(error) => error.fmt(f),
            Self::HeaderMac => f.write_str("the header was tampered with"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<HeaderError> for OpenError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

/// Why these recipients can't be sealed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SealError {
    /// There is none.
    NoRecipient,
    /// A passphrase must be the only recipient.
    PassphraseNotAlone,
    /// Post-quantum recipients and others: whoever breaks the others would read the file.
    PostQuantumMixed,
    /// The recipient's public key is of low order: nobody holds its secret.
    InvalidRecipient,
    /// A recipient's plugin wants all recipients of a file to have a property that others lack.
    LabelsDiffer,
    /// A recipient's plugin was not asked.
    PluginNotAsked,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRecipient => "there is no recipient",
            Self::PassphraseNotAlone => "a passphrase can't be combined with other recipients",
            Self::PostQuantumMixed => "post-quantum recipients can't be combined with others",
            Self::InvalidRecipient => "the recipient's public key is invalid",
            Self::LabelsDiffer => "a plugin's recipients can't be combined with others",
            Self::PluginNotAsked => "a recipient's plugin was not asked",
        })
    }
}

impl std::error::Error for SealError {}

/// A chunk of the payload isn't authentic. Nothing of it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkError;

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the payload is damaged or was tampered with")
    }
}

impl std::error::Error for ChunkError {}

/// The text isn't the armor of an age file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ArmorError {
    /// It doesn't begin as armor does.
    NotArmor,
    /// A line isn't canonical base64 of 64 columns, or is a shorter one that isn't the last.
    MalformedLine,
    /// The line that ends the block is missing.
    CutShort,
    /// Something besides white space follows the block.
    AfterEnd,
}

impl fmt::Display for ArmorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotArmor => "not an armored age file",
            Self::MalformedLine => "the armor has a malformed line",
            Self::CutShort => "the armor was cut short",
            Self::AfterEnd => "something follows the armor",
        })
    }
}

impl std::error::Error for ArmorError {}

/// Why no more of a payload is released. What was released before is authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// This chunk isn't authentic.
    Chunk {
        /// Its number, from 0.
        index: u64,
    },
    /// The payload ends before its last chunk.
    CutShort,
    /// Something follows the last chunk.
    AfterEnd,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chunk { index } => write!(f, "chunk {index} is damaged or was tampered with"),
            Self::CutShort => f.write_str("the payload was cut short"),
            Self::AfterEnd => f.write_str("something follows the payload"),
        }
    }
}

impl std::error::Error for StreamError {}
