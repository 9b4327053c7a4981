//! The age file format, version 1: headers, recipients and the payload's chunks, as bytes and states.
//!
//! Sealing: [`seal_header`] gives the bytes that precede the payload and a [`PayloadKey`], which seals chunks in any
//! order. Opening: [`Header::parse`], then [`open_header`] gives the key that opens them. [`StreamSealer`] and
//! [`StreamOpener`] do whole payloads in order; [`ArmorEncoder`] and [`ArmorDecoder`] turn files into text and back.
//!
//! ```
//! use haul_age_format::{Identity, Recipient, X25519Identity, seal_header};
//!
//! let mut random = |out: &mut [u8]| out.fill(7); // the system's randomness in real use
//! let identity = X25519Identity::generate(&mut random);
//! let recipient = Recipient::X25519(identity.to_recipient());
//! let sealed = seal_header(&[recipient], &mut random).expect("one recipient is enough");
//! let mut chunk = [0; 5 + 16];
//! sealed.payload_key.seal_chunk(0, true, b"hello", &mut chunk);
//!
//! let haul_age_format::Parsed::Complete { header, len } = haul_age_format::Header::parse(&sealed.bytes).unwrap()
//! else { unreachable!() };
//! let nonce = sealed.bytes[len..].try_into().unwrap();
//! let key = haul_age_format::open_header(&header, &nonce, &[Identity::X25519(identity)]).unwrap();
//! let mut plain = [0; 5];
//! key.open_chunk(0, true, &chunk, &mut plain).expect("authentic");
//! assert_eq!(&plain, b"hello");
//! ```
//!
//! Owns: the grammar, the key schedule, chunk boundaries, the texts and files of keys.
//! Does not own: files, threads, randomness (an argument, but for SSH recipients), the question where keys are kept.
//!
//! Spec: C2SP age.md.
#![forbid(unsafe_code)]

mod aead;
mod armor;
mod curve;
mod encoding;
mod error;
mod file_key;
mod handover;
mod header;
mod hybrid;
mod key_error;
mod key_file;
mod keys;
mod plugin;
mod run_key;
mod scrypt_stanza;
mod ssh;
mod stanza;
mod stream;
mod streaming;
mod x25519;

pub use armor::{ArmorDecoder, ArmorEncoder, is_armored, may_become_armored};
pub use error::{ArmorError, ChunkError, HeaderError, OpenError, SealError, StreamError};
pub use file_key::{FileKey, NONCE_BYTES, PayloadKey};
pub use header::{Header, Parsed};
pub use hybrid::{HybridIdentity, HybridRecipient};
pub use key_error::{KeyFileError, KeyTextError, SshKeyError};
pub use key_file::{identities_in, protected_file, protected_identities_in, recipients_in};
pub use keys::{
    Identity, Recipient, SealedHeader, check_labels, check_recipients, open_header, open_header_with,
    seal_header, seal_header_with,
};
pub use plugin::{
    PluginFault, PluginIdentity, PluginReader, PluginRecipient, Question, Turn, Unwrapped, Unwrapping,
    Wrapped, Wrapping,
};
pub use run_key::RunKey;
pub use scrypt_stanza::{Passphrase, WORK_FACTOR_DEFAULT, WORK_FACTOR_MAX};
pub use ssh::{SshIdentity, SshRecipient};
pub use stanza::Stanza;
pub use stream::{CHUNK_BYTES, Layout, SEALED_CHUNK_BYTES, TAG_BYTES};
pub use streaming::{StreamOpener, StreamSealer};
pub use x25519::{X25519Identity, X25519Recipient};
