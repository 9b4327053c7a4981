//! Keys: recipients, identities, passphrases and plugins, and `haul keygen`.
//!
//! In: options that name keys, resolved to [`recipients::RecipientSources`] and [`identities::IdentitySources`]. Out:
//! the library's recipients and identities. Every question on the terminal about a key and every new key file comes
//! from here; nothing outside reads the bytes of a key file.

pub(crate) mod identities;
mod key_file;
pub(crate) mod keygen;
pub(crate) mod passphrase;
pub(crate) mod plugins;
pub(crate) mod prompt;
pub(crate) mod recipients;
mod tree_file;
pub(crate) mod tree_identity;
mod tree_search;
pub(crate) mod xor_key;
