//! Errors of the format: of headers, of sealing and opening them, of armor and payloads.
//!
//! Owns: the reasons and their texts.
//! Does not own: errors of keys ([`crate::KeyFileError`]), advice to the user.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a header breaks the rules of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HeaderError {
    /// The first line is wrong: not an age file, or an unknown version.
    NotAge,
    /// The file is text in UTF-16 or begins with a byte order mark, so another program has converted it.
    Converted,
    /// The header is longer than the limit.
    TooLong,
    /// A line belongs neither to a stanza nor to the MAC.
    MalformedLine,
    /// A stanza's arguments aren't printable words separated by single spaces.
    MalformedArguments,
    /// A stanza's body isn't canonical base64 in full lines and one short line.
    MalformedBody,
    /// The last line has no canonical 32-byte MAC.
    MalformedMac,
    /// The header has no stanza.
    NoStanza,
    /// An X25519 stanza has the wrong number or size of arguments, or an invalid share.
    MalformedX25519,
    /// A post-quantum stanza has the wrong number or size of arguments, or an invalid share.
    MalformedHybrid,
    /// An SSH stanza has the wrong number or size of arguments.
    MalformedSsh,
    /// An scrypt stanza has the wrong number or size of arguments.
    MalformedScrypt,
    /// An scrypt stanza is accompanied by another stanza.
    ScryptNotAlone,
    /// The passphrase's work factor is above the limit.
    WorkFactorTooHigh {
        /// The header's work factor, as a power of two.
        log_n: u8,
        /// The limit, as a power of two.
        limit: u8,
    },
    /// There is no memory for the passphrase's work factor.
    NoMemory {
        /// The header's work factor, as a power of two.
        log_n: u8,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAge => "not an age file",
            Self::Converted => {
                "not an age file: it begins with a byte order mark, as text in UTF-16 or UTF-8 that a program converted"
            }
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
            Self::WorkFactorTooHigh { log_n, limit } => {
                return write!(f, "the passphrase's work factor 2^{log_n} is above the limit of 2^{limit}");
            }
            Self::NoMemory { log_n } => {
                return write!(f, "there is too little memory for the passphrase's work factor 2^{log_n}");
            }
        })
    }
}

impl std::error::Error for HeaderError {}

/// Why a header yields no payload key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OpenError {
    /// No identity matches any stanza.
    NoMatch,
    /// The file is sealed with another passphrase than the given ones.
    WrongPassphrase,
    /// The header breaks a rule of the format.
    Header(HeaderError),
    /// An identity matches, but the header was changed after sealing.
    HeaderMac,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMatch => f.write_str("no identity matched any of the recipients"),
            Self::WrongPassphrase => f.write_str("wrong passphrase"),
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

/// Why a header can't be sealed to the given recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SealError {
    /// The list is empty.
    NoRecipient,
    /// A passphrase is combined with another recipient.
    PassphraseNotAlone,
    /// Post-quantum recipients are combined with others: breaking the others would be enough to read the file.
    PostQuantumMixed,
    /// The recipient's public key is of low order, so that it would protect nothing.
    InvalidRecipient,
    /// A plugin requires all recipients of a file to have a label that others lack.
    LabelsDiffer,
    /// There is no memory for the passphrase's work factor.
    NoMemory,
    /// A plugin's recipient has no stanza from its plugin.
    PluginNotAsked,
    /// The recipients need a header of more than [`Header::BYTES_MAX`](crate::Header::BYTES_MAX) bytes, which could not
    /// be opened again.
    HeaderTooLong,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRecipient => "there is no recipient",
            Self::PassphraseNotAlone => "a passphrase can't be combined with other recipients",
            Self::PostQuantumMixed => "post-quantum recipients can't be combined with others",
            Self::InvalidRecipient => "the recipient's public key is invalid",
            Self::LabelsDiffer => "a plugin's recipients can't be combined with others",
            Self::NoMemory => "there is too little memory for the passphrase's work factor",
            Self::PluginNotAsked => "a recipient's plugin was not asked",
            Self::HeaderTooLong => "there are too many recipients: the header would be longer than 1 MiB",
        })
    }
}

impl std::error::Error for SealError {}

/// A chunk of the payload isn't authentic. None of its bytes may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkError;

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the payload is damaged or was tampered with")
    }
}

impl std::error::Error for ChunkError {}

/// Why a text isn't an armored age file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ArmorError {
    /// The text doesn't begin with armor's first line.
    NotArmor,
    /// A line isn't canonical base64 of 64 columns (or fewer in the last).
    MalformedLine,
    /// The last line of the armor is missing.
    CutShort,
    /// More than white space follows the armor.
    AfterEnd,
    /// The lines differ in their lengths or ends, so the place of a byte in the text is unknown. Reading from the start
    /// may work.
    Irregular,
}

impl fmt::Display for ArmorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotArmor => "not an armored age file",
            Self::MalformedLine => "the armor has a malformed line",
            Self::CutShort => "the armor was cut short",
            Self::AfterEnd => "unexpected data after the armor",
            Self::Irregular => "the armor's lines differ in length, so it can only be read from its start",
        })
    }
}

impl std::error::Error for ArmorError {}

/// Why a payload can't be read on. The plaintext released before is authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// A chunk isn't authentic.
    Chunk {
        /// The chunk's index, from 0.
        index: u64,
    },
    /// The payload ends before its last chunk.
    CutShort,
    /// More bytes follow the last chunk.
    AfterEnd,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chunk { index } => write!(f, "chunk {index} is damaged or was tampered with"),
            Self::CutShort => f.write_str("the payload was cut short"),
            Self::AfterEnd => f.write_str("unexpected data after the payload"),
        }
    }
}

impl std::error::Error for StreamError {}
