//! What can be wrong with what a plugin says.
//!
//! Owns: the error of both conversations.
//! Does not own: errors of the program itself (starting it, its end).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a conversation with a plugin gives no keys. Reads after the plugin's name and a colon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PluginFault {
    /// It says that it failed; the text is its own.
    Said(String),
    /// Something isn't a stanza, or a command has the wrong arguments.
    Malformed,
    /// A stanza, or all of them together, are longer than the limit.
    TooLong,
    /// It answered for a file that it was not given.
    UnknownFile,
    /// It wrapped no key for a file, or more than there are recipients.
    WrongCount,
    /// It gave two keys for one file, or one of the wrong length.
    BadFileKey,
    /// It gave stanzas though it had said that it failed.
    StanzasAndErrors,
}

impl fmt::Display for PluginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Said(text) => text,
            Self::Malformed => "its answer is malformed",
            Self::TooLong => "its answer is too long",
            Self::UnknownFile => "it answers for a file that it wasn't asked for",
            Self::WrongCount => "it wrapped the key of a file for none or too many",
            Self::BadFileKey => "it gave a malformed file key",
            Self::StanzasAndErrors => "it failed and yet wrapped keys",
        })
    }
}

impl std::error::Error for PluginFault {}
