//! SSH keys as recipients and identities: the recipient types ssh-ed25519 and ssh-rsa.
//!
//! Enters: lines of `authorized_keys`, private key files and their passphrases, stanzas of the two types.
//! Leaves: [`SshRecipient`], [`SshIdentity`], stanzas and file keys.
//! Not for use from outside: the parsed keys, and the arithmetic on them.
//!
//! Spec: none. C2SP age.md names the types without specifying them; the programs age and rage agree on the
//! construction.

mod crt;
mod ed25519;
pub(crate) mod identity;
pub(crate) mod private_key;
pub(crate) mod recipient;
mod rsa;
pub(crate) mod stanza;

pub use identity::SshIdentity;
pub use recipient::SshRecipient;
