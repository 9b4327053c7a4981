//! Errors in what a plugin sends.
//!
//! Owns: the error of both state machines.
//! Does not own: errors of the plugin's process, such as failing to start.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a session with a plugin yields no keys. Reads after the plugin's name and a colon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PluginFault {
    /// The plugin reports an error; the text is the plugin's.
    Reported(String),
    /// The plugin sent bytes that aren't a stanza, or a command with wrong arguments.
    Malformed,
    /// A stanza, or all of them together, exceed the limit.
    TooLong,
    /// The plugin answered for a file that it wasn't given.
    UnknownFile,
    /// The plugin sent no stanza for a file, or more than it has recipients.
    WrongCount,
    /// The plugin sent two keys for one file, or a key of the wrong length.
    BadFileKey,
    /// The plugin sent stanzas although it reported an error.
    StanzasAndErrors,
}

impl fmt::Display for PluginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reported(text) => text,
            Self::Malformed => "its answer is malformed",
            Self::TooLong => "its answer is too long",
            Self::UnknownFile => "it answered for an unknown file",
            Self::WrongCount => "it sent no stanza or too many stanzas for a file",
            Self::BadFileKey => "it sent a malformed file key",
            Self::StanzasAndErrors => "it reported an error but sent stanzas",
        })
    }
}

impl std::error::Error for PluginFault {}
