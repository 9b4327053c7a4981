//! Keys that a program of their own serves: their texts, and what is said to that program.
//!
//! Owns: the texts of such recipients and identities, the name of their program.
//! Does not own: starting programs, asking a person.
//!
//! Spec: C2SP age-plugin.md, "Mapping recipients and identities to plugin binaries".

mod fault;
mod talk;
mod unwrapping;
mod wrapping;

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::KeyTextError;
use crate::encoding::bech32_prefix;

pub use fault::PluginFault;
pub use talk::{PluginReader, Question, Turn};
pub use unwrapping::{Unwrapped, Unwrapping};
pub use wrapping::{Wrapped, Wrapping};

const RECIPIENT_PREFIX: &str = "age1";
const IDENTITY_PREFIX: &str = "age-plugin-";
/// What the names of all plugins begin with.
const PROGRAM_PREFIX: &str = "age-plugin-";

/// Somebody to seal to by way of a plugin: `age1name1…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRecipient {
    program: String,
    text: String,
}

/// What opens by way of a plugin: `AGE-PLUGIN-NAME-1…`. Wiped when dropped, as some hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct PluginIdentity {
    program: String,
    text: Zeroizing<String>,
}

impl PluginRecipient {
    /// The name of the program that serves it: `age-plugin-name`. Never a path.
    pub fn program(&self) -> &str {
        &self.program
    }
}

impl PluginIdentity {
    /// The name of the program that serves it: `age-plugin-name`. Never a path.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The text, as in identity files.
    pub fn secret_text(&self) -> &str {
        &self.text
    }
}

/// Whether `text` is written as a recipient of a plugin is, and not as one of age's own types.
pub(crate) fn is_recipient(text: &str) -> bool {
    text.rsplit_once('1').is_some_and(|(prefix, _)| prefix.starts_with(RECIPIENT_PREFIX))
}

/// Whether `text` is written as an identity of a plugin is.
pub(crate) fn is_identity(text: &str) -> bool {
    text.starts_with("AGE-PLUGIN-")
}

/// The program for keys whose prefix is `prefix`, less `start` and `end`.
fn program_of(prefix: &str, start: &str, end: &str) -> Result<String, KeyTextError> {
    let name = prefix.strip_prefix(start).and_then(|name| name.strip_suffix(end));
    // No name leads out of the directories that are searched.
    let is_name = |name: &&str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-._".contains(&byte))
    };
    let name = name.filter(is_name).ok_or(KeyTextError::WrongPrefix)?;
    Ok(format!("{PROGRAM_PREFIX}{name}"))
}

impl FromStr for PluginRecipient {
    type Err = KeyTextError;

    /// What follows the prefix is the plugin's business.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let program = program_of(&bech32_prefix(text)?, RECIPIENT_PREFIX, "")?;
        // Bech32 itself would allow upper case.
        if !text.starts_with(RECIPIENT_PREFIX) {
            return Err(KeyTextError::WrongPrefix);
        }
        Ok(Self { program, text: text.to_owned() })
    }
}

impl fmt::Display for PluginRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for PluginIdentity {
    type Err = KeyTextError;

    /// What follows the prefix is the plugin's business.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let program = program_of(&bech32_prefix(text)?, IDENTITY_PREFIX, "-")?;
        match is_identity(text) {
            true => Ok(Self { program, text: Zeroizing::new(text.to_owned()) }),
            false => Err(KeyTextError::WrongPrefix),
        }
    }
}

impl fmt::Debug for PluginIdentity {
    /// The program only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginIdentity").field("program", &self.program).finish_non_exhaustive()
    }
}
