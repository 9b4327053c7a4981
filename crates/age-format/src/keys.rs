//! Recipients and identities of every type: their texts, and the stanzas that wrap a file key for them.
//!
//! Enters: texts of keys, a file key to wrap, a stanza to unwrap.
//! Leaves: [`Recipient`] and [`Identity`] with a type for each kind of key, stanzas, file keys.
//! Owns: every type of key, telling them apart, what stands in for those that a build lacks.
//! Does not own: headers, which combine stanzas ([`crate::sealing`]), asking plugins.
//! Not for use from outside the crate: the secrets inside the keys, and the curve arithmetic.
//!
//! | file | recipient type | texts |
//! |---|---|---|
//! | `x25519.rs` | X25519 | `age1…`, `AGE-SECRET-KEY-1…` |
//! | `hybrid.rs` | mlkem768x25519 | `age1pq1…`, `AGE-SECRET-KEY-PQ-1…` |
//! | `passphrase.rs` | scrypt | |
//! | `tagged.rs` | p256tag, mlkem768p256tag | `age1tag1…`, `age1tagpq1…` |
//! | `ssh/` | ssh-ed25519, ssh-rsa | `ssh-ed25519 …`, `ssh-rsa …`, private key files |
//! | `plugin.rs` | those of plugins | `age1name1…`, `AGE-PLUGIN-NAME-1…` |

pub(crate) mod curve;
pub(crate) mod error;
pub(crate) mod hybrid;
pub(crate) mod identity;
pub(crate) mod passphrase;
pub(crate) mod peer;
pub(crate) mod plugin;
pub(crate) mod recipient;
mod secret_text;
#[cfg(not(feature = "ssh"))]
#[path = "keys/no_ssh.rs"]
pub(crate) mod ssh;
#[cfg(feature = "ssh")]
pub(crate) mod ssh;
pub(crate) mod ssh_forms;
pub(crate) mod tagged;
pub(crate) mod x25519;

pub use error::{KeyFileError, KeyTextError, SshKeyError};
pub use hybrid::{HybridIdentity, HybridRecipient};
pub use identity::Identity;
pub use passphrase::{Passphrase, WORK_FACTOR_DEFAULT, WORK_FACTOR_IN_TREES_MAX, WORK_FACTOR_MAX};
pub use plugin::{PluginIdentity, PluginRecipient};
pub use recipient::Recipient;
pub use ssh::{SshIdentity, SshRecipient};
pub use tagged::TaggedRecipient;
pub use x25519::{X25519Identity, X25519Recipient};
