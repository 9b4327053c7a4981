//! SSH keys in a build without the feature `ssh`: they are recognised and refused.
//!
//! Owns: what stands in for the types of a build with it; none of them has a value.
//! Does not own: which texts are SSH keys ([`super::ssh_forms`]).

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use super::error::{KeyTextError, SshKeyError};
use crate::error::{HeaderError, SealError};
use crate::file_key::FileKey;
use crate::header::stanza::Stanza;

/// A public key to seal to. In a build without the feature `ssh`, there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshRecipient(Infallible);

/// A private key to open with. In a build without the feature `ssh`, there is none.
#[derive(Clone, Debug)]
pub struct SshIdentity(Infallible);

impl SshRecipient {
    pub(crate) fn wrap(&self, _: &FileKey, _: &mut dyn FnMut(&mut [u8])) -> Result<Stanza, SealError> {
        match self.0 {}
    }
}

impl FromStr for SshRecipient {
    type Err = KeyTextError;

    /// Refuses every text.
    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Err(KeyTextError::SshNotBuilt)
    }
}

impl fmt::Display for SshRecipient {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl SshIdentity {
    /// Refuses every text.
    ///
    /// # Errors
    /// [`SshKeyError::NotBuilt`].
    pub fn from_file_text(_: &str) -> Result<Self, SshKeyError> {
        Err(SshKeyError::NotBuilt)
    }

    /// Refuses every text.
    ///
    /// # Errors
    /// [`SshKeyError::NotBuilt`].
    pub fn from_protected_text(_: &str, _: &str) -> Result<Self, SshKeyError> {
        Err(SshKeyError::NotBuilt)
    }

    /// The public half.
    ///
    /// # Errors
    /// None in this build.
    pub fn to_recipient(&self) -> Result<SshRecipient, KeyTextError> {
        match self.0 {}
    }

    pub(crate) fn source(&self) -> (&str, Option<&str>) {
        match self.0 {}
    }

    pub(crate) fn unwrap(&self, _: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        match self.0 {}
    }
}
