//! The keys that requests are signed with.
//!
//! Owns: their expiry; secrets are wiped when dropped, and never printed.
//! Does not own: where they come from ([`super::credentials`]).

use std::fmt;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

/// Keys are renewed this long before they expire.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);

/// An access key, its secret, and the session that it belongs to.
#[derive(Clone)]
pub struct Keys {
    pub(crate) id: String,
    pub(crate) secret: Zeroizing<String>,
    pub(crate) token: Option<Zeroizing<String>>,
    pub(crate) expires: Option<SystemTime>,
}

impl Keys {
    /// Keys that don't expire.
    pub fn new(id: &str, secret: Zeroizing<String>, token: Option<Zeroizing<String>>) -> Self {
        Self { id: id.to_owned(), secret, token, expires: None }
    }

    /// Whether new keys should be fetched.
    pub(crate) fn is_due(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now + RENEWED_BEFORE)
    }

    pub(crate) fn has_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}
