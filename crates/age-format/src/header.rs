//! The text that precedes the payload: version line, stanzas, MAC.
//!
//! Enters: bytes of a file; stanzas and the file key that authenticates them.
//! Leaves: [`Header`], [`Parsed`], [`Stanza`], the text of a new header.
//! Not for use from outside the crate: encoding and parsing of single stanzas, which the plugin protocol shares.
//!
//! Spec: C2SP age.md, "Header".

pub(crate) mod stanza;
pub(crate) mod text;

pub use stanza::Stanza;
pub use text::{Header, Parsed};
