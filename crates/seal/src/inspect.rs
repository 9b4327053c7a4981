//! What an age file says to those who have no key.
//!
//! Nothing of it is authenticated: whoever changes a file can change what it says here.
//!
//! Owns: counting stanzas, lengths, what is said of post-quantum safety.
//! Does not own: the header's grammar, words for users.

use std::io::{self, Read};

use haul_age_format::{Header, Layout, NONCE_BYTES};

use crate::stream::{Counted, Unarmored, read_header, unarmored};
use crate::{During, Error};

/// The facts of an age file, as its header and its length tell them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The types of recipients, in the order of their first stanza, with the number of each.
    pub stanzas: Vec<(String, u64)>,
    /// Whether the file key is safe from quantum computers.
    pub post_quantum: PostQuantum,
    /// Whether the file is armored.
    pub armored: bool,
    /// Length of the header in bytes, without the nonce that follows it.
    pub header_bytes: u64,
    /// How many chunks the payload has.
    pub chunk_count: u64,
    /// Length of the plaintext in bytes.
    pub plain_bytes: u64,
    /// Length of the file in bytes, with its armor.
    pub file_bytes: u64,
}

/// Whether whoever has a quantum computer some day could read the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostQuantum {
    /// Every stanza is of a type that is made to withstand that: post-quantum keys, passphrases.
    Yes,
    /// A stanza rests on X25519 or on an SSH key.
    No,
    /// A stanza is of a type that isn't known here.
    Unknown,
}

/// Inspects an age file from its start. A regular one that isn't armored is read no further than its header, where
/// `known_bytes` says how long it is; others are read to their end.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use haul_seal::{Recipient, StreamOptions, X25519Identity, inspect, seal_stream};
/// # let mut random = |out: &mut [u8]| out.fill(7);
/// # let recipient = Recipient::X25519(X25519Identity::generate_with(&mut random).to_recipient());
/// # let mut sealed = Vec::new();
/// # seal_stream(&b"hello"[..], &mut sealed, &[recipient], &StreamOptions::new(haul_io::Cancel::new()?))?;
/// let facts = inspect(&sealed[..], None)?;
/// assert_eq!((facts.plain_bytes, facts.chunk_count), (5, 1));
/// assert_eq!(facts.stanzas, [("X25519".to_owned(), 1)]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Header`] if the header is malformed or missing, [`Error::Armor`], [`Error::CutShort`] and [`Error::WrongLength`] if
/// no age file has that armor or length, [`Error::Io`] if `source` can't be read.
pub fn inspect(source: impl Read, known_bytes: Option<u64>) -> Result<Inspection, Error> {
    let mut source = unarmored(Counted::new(source)).map_err(Error::of_read)?;
    let armored = source.is_armored();
    let (header, header_bytes, rest) = read_header(&mut source)?;
    let (age_bytes, file_bytes) = match known_bytes.filter(|_| !armored) {
        Some(bytes) => (bytes, bytes),
        None => {
            let rest_bytes =
                rest.len() as u64 + io::copy(&mut source, &mut io::sink()).map_err(Error::of_read)?;
            (header_bytes as u64 + rest_bytes, source.text_bytes())
        }
    };
    let payload_offset = (header_bytes + NONCE_BYTES) as u64;
    let sealed_bytes = age_bytes.checked_sub(payload_offset).ok_or(Error::WrongLength)?;
    let layout = Layout::of_sealed(sealed_bytes).ok_or(Error::WrongLength)?;
    let stanzas = counted(&header);
    Ok(Inspection {
        post_quantum: post_quantum(&stanzas),
        stanzas,
        armored,
        header_bytes: header_bytes as u64,
        chunk_count: layout.chunk_count(),
        plain_bytes: layout.plain_bytes(),
        file_bytes,
    })
}

/// Inspects the regular file or whatever else lies at `path`.
///
/// # Errors
/// As [`inspect`], and what the system says of opening it.
pub fn inspect_file(path: &std::path::Path) -> Result<Inspection, Error> {
    let file = std::fs::File::open(path).map_err(Error::at(During::OpenSource))?;
    let metadata = file.metadata().map_err(Error::at(During::OpenSource))?;
    inspect(file, metadata.is_file().then_some(metadata.len()))
}

impl<R> Unarmored<Counted<R>> {
    /// How much was read of the stream.
    fn text_bytes(&self) -> u64 {
        match self {
            Self::Binary(begun) => begun.get_ref().1.bytes,
            Self::Armored(reader) => reader.text().get_ref().1.bytes,
        }
    }
}

fn counted(header: &Header) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for stanza in header.stanzas() {
        match counts.iter_mut().find(|(tag, _)| tag == stanza.tag()) {
            Some((_, count)) => *count += 1,
            None => counts.push((stanza.tag().to_owned(), 1)),
        }
    }
    counts
}

fn post_quantum(stanzas: &[(String, u64)]) -> PostQuantum {
    let mut safe = PostQuantum::Yes;
    for (tag, _) in stanzas {
        match tag.as_str() {
            "X25519" | "ssh-ed25519" | "ssh-rsa" => return PostQuantum::No,
            "mlkem768x25519" | "scrypt" => {}
            // There to be ignored: C2SP age.md, "Recipient stanza".
            tag if tag.ends_with("-grease") => {}
            _ => safe = PostQuantum::Unknown,
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_weak_stanza_makes_a_file_weak() {
        let check = |tags: &[&str], expected| {
            let stanzas: Vec<_> = tags.iter().map(|tag| ((*tag).to_owned(), 1)).collect();
            assert_eq!(post_quantum(&stanzas), expected, "{tags:?}");
        };
        check(&["mlkem768x25519"], PostQuantum::Yes);
        check(&["scrypt"], PostQuantum::Yes);
        check(&["mlkem768x25519", "x-grease"], PostQuantum::Yes);
        check(&["mlkem768x25519", "X25519"], PostQuantum::No);
        check(&["piv-p256"], PostQuantum::Unknown);
        check(&["piv-p256", "ssh-rsa"], PostQuantum::No);
    }
}
