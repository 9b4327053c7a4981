//! Keys served by plugins: their texts, and the names of the plugins' programs.
//!
//! Owns: the texts of such recipients and identities.
//! Does not own: the protocol ([`crate::plugin`]), starting programs.
//!
//! Spec: C2SP age-plugin.md, "Mapping recipients and identities to plugin binaries".

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::error::KeyTextError;
use crate::encoding::bech32_prefix;

const RECIPIENT_PREFIX: &str = "age1";
const IDENTITY_PREFIX: &str = "age-plugin-";
/// The start of every plugin's program name.
const PROGRAM_PREFIX: &str = "age-plugin-";

/// A recipient that a plugin serves: `age1name1…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRecipient {
    program: String,
    text: String,
}

/// An identity that a plugin serves: `AGE-PLUGIN-NAME-1…`. Wiped when dropped, as some hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct PluginIdentity {
    program: String,
    text: Zeroizing<String>,
}

impl PluginRecipient {
    /// The name of the plugin's program, `age-plugin-name`. Never a path.
    pub fn program(&self) -> &str {
        &self.program
    }
}

impl PluginIdentity {
    /// The name of the plugin's program, `age-plugin-name`. Never a path.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The text as in identity files.
    pub fn secret_text(&self) -> &str {
        &self.text
    }
}

/// Whether `text` has the form of a plugin's recipient, as opposed to one of age's own types.
pub(crate) fn is_recipient(text: &str) -> bool {
    text.rsplit_once('1').is_some_and(|(prefix, _)| prefix.starts_with(RECIPIENT_PREFIX))
}

/// Whether `text` has the form of a plugin's identity.
pub(crate) fn is_identity(text: &str) -> bool {
    text.starts_with("AGE-PLUGIN-")
}

/// The program for keys with `prefix`: its name lies between `start` and `end`.
fn program_of(prefix: &str, start: &str, end: &str) -> Result<String, KeyTextError> {
    let name = prefix.strip_prefix(start).and_then(|name| name.strip_suffix(end));
    // A name must not lead out of the directories that are searched for plugins.
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

    /// Parses the prefix. Only the plugin knows the meaning of the rest.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let program = program_of(&bech32_prefix(text)?, RECIPIENT_PREFIX, "")?;
        // Recipients are in lower case; Bech32 itself allows upper case.
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

    /// Parses the prefix. Only the plugin knows the meaning of the rest.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let program = program_of(&bech32_prefix(text)?, IDENTITY_PREFIX, "-")?;
        if !is_identity(text) {
            return Err(KeyTextError::WrongPrefix);
        }
        Ok(Self { program, text: Zeroizing::new(text.to_owned()) })
    }
}

impl fmt::Debug for PluginIdentity {
    /// The program only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginIdentity").field("program", &self.program).finish_non_exhaustive()
    }
}
