//! SSH keys as recipients and identities: the recipient types ssh-ed25519 and ssh-rsa.
//!
//! Enters: lines of `authorized_keys`, private key files and their passphrases, stanzas of the two types.
//! Leaves: [`SshRecipient`], [`SshIdentity`], stanzas and file keys.
//! Not for use from outside: the parsed keys, and the arithmetic on them.
//!
//! Spec: none. C2SP age.md names the types without specifying them; the programs age and rage agree on the construction.

mod crt;
mod ed25519;
mod identity;
mod private_key;
mod recipient;
mod rsa;
mod stanza;

pub use identity::SshIdentity;
pub(crate) use private_key::is_private_key;
pub use recipient::SshRecipient;
pub(crate) use recipient::is_public_key;
pub(crate) use stanza::is_tag;
