//! Which header fields may hold secrets.
//!
//! Owns: their names.
//! Does not own: leaving them out of what is shown ([`super::details`]).

use http::header::HeaderName;

/// The fields whose values may be secrets have one of these in their names.
const SECRET_WORDS: [&str; 8] =
    ["cookie", "auth", "token", "session", "secret", "password", "key", "refresh"];
/// But these say only what a login needs.
const CHALLENGES: [&str; 2] = ["www-authenticate", "proxy-authenticate"];

/// Whether the value of the field `name` may be a secret.
pub(crate) fn may_be_secret(name: &HeaderName) -> bool {
    !CHALLENGES.contains(&name.as_str()) && SECRET_WORDS.iter().any(|word| name.as_str().contains(word))
}
