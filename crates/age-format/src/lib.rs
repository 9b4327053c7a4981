//! The age file format, version 1: headers, recipients and the payload's chunks, as bytes and states.
//!
//! To seal, [`seal_header`] returns the bytes that precede the payload and a [`PayloadKey`], which seals chunks in any
//! order. To open, [`Header::parse`] reads the header, and [`open_header`] returns the key that opens the chunks.
//! [`StreamSealer`] and [`StreamOpener`] handle whole payloads in order; [`ArmorEncoder`] and [`ArmorDecoder`] convert
//! files to text and back.
//!
//! ```
//! use haul_age_format::{
//!     Header, Identity, Parsed, Recipient, X25519Identity, open_header, seal_header, system_random,
//! };
//!
//! let identity = X25519Identity::generate();
//! let recipient = Recipient::X25519(identity.to_recipient());
//! let sealed = seal_header(&[recipient], &mut system_random)?;
//! let mut chunk = [0; 5 + 16];
//! sealed.payload_key.seal_chunk(0, true, b"hello", &mut chunk);
//!
//! let Parsed::Complete { header, len } = Header::parse(&sealed.bytes)? else { panic!("the header is whole") };
//! let nonce = sealed.bytes[len..].try_into()?;
//! let key = open_header(&header, &nonce, &[Identity::X25519(identity)])?;
//! let mut plain = [0; 5];
//! key.open_chunk(0, true, &chunk, &mut plain)?;
//! assert_eq!(&plain, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | room | holds |
//! |---|---|
//! | `header` | the text of headers and stanzas |
//! | `keys` | recipients and identities of every type, wrapping and unwrapping |
//! | `payload` | chunks, streams, the cipher |
//! | `plugin` | the protocol spoken with plugins |
//!
//! Owns: the grammar, the key schedule, chunk boundaries, the texts and files of keys.
//! Does not own: files, threads, where keys are stored. Randomness is an argument wherever a caller could want to
//! replace it; the `generate` functions and RSA-OAEP take it from the system.
//!
//! Spec: C2SP age.md.
#![forbid(unsafe_code)]

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod armor;
mod armor_layout;
mod encoding;
mod error;
mod file_key;
mod header;
mod key_files;
mod keys;
mod payload;
mod plugin;
mod random;
mod run_key;
mod sealing;

pub use armor::{ArmorDecoder, ArmorEncoder, is_armored, may_become_armored};
pub use armor_layout::ArmorLayout;
pub use error::{ArmorError, ChunkError, HeaderError, OpenError, SealError, StreamError};
pub use file_key::{FileKey, NONCE_BYTES};
pub use header::{Header, Parsed, Stanza};
pub use key_files::{
    RecipientList, identities_in, protected_file, protected_identities_in, recipients_in, text_of,
};
pub use keys::{
    HybridIdentity, HybridRecipient, Identity, KeyFileError, KeyTextError, Passphrase, PluginIdentity,
    PluginRecipient, Recipient, SshIdentity, SshKeyError, SshRecipient, TaggedRecipient, WORK_FACTOR_DEFAULT,
    WORK_FACTOR_IN_TREES_MAX, WORK_FACTOR_MAX, X25519Identity, X25519Recipient,
};
pub use payload::{
    CHUNK_BYTES, Layout, PayloadKey, SEALED_CHUNK_BYTES, StreamOpener, StreamSealer, TAG_BYTES,
};
pub use plugin::{PluginFault, PluginReader, Question, Turn, Unwrapped, Unwrapping, Wrapped, Wrapping};
pub use random::system_random;
pub use run_key::RunKey;
pub use sealing::{
    SealedHeader, check_labels, check_recipients, open_header, open_header_with, rewrap_header, seal_header,
    seal_header_with, unwrap_file_key,
};
