//! Age files that are read through [`std::io::Read`]: armor is removed and the header is read.
//!
//! What enters: any reader. What leaves: a reader of the binary form ([`Unarmored`]) and the parsed header. Nothing
//! here knows a key. Streams, inspection and key sources use it; file jobs read through [`haul_io::Io`] instead.
//!
//! Owns: recognising and decoding armor, how much is read for a header.
//! Does not own: grammars ([`haul_age_format`]), opening headers ([`crate::payload`]).

mod armor;
mod header;
mod seekable;

pub(crate) use self::armor::{Counted, Unarmored, unarmored};
pub(crate) use self::header::{HeaderRead, read_header, read_more};
pub(crate) use self::seekable::Seekable;
