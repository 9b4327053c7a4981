//! The facts that an age file reveals without a key.
//!
//! These facts aren't authenticated: anyone who can modify the file can change them.
//!
//! Owns: counting stanzas, lengths, whether the recipients are safe from quantum computers.
//! Does not own: the header's grammar, words for users.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use haul_age_format::{Header, Layout, NONCE_BYTES};
use haul_io::{Blocking, Cancel, StreamReader, run_ready};

use crate::error::{During, Error};
use crate::reader::{Counted, HeaderRead, read_header, unarmored};
use crate::task::Task;

/// The facts that the header and the length of an age file reveal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The types of the stanzas in order of their first occurrence, and the number of each.
    pub stanzas: Vec<(String, u64)>,
    /// Whether the file key is safe from quantum computers.
    pub post_quantum: PostQuantum,
    /// Whether the file is armored.
    pub armored: bool,
    /// Length of the header in bytes, without the nonce that follows it.
    pub header_bytes: u64,
    /// The number of chunks in the payload.
    pub chunk_count: u64,
    /// Length of the plaintext in bytes.
    pub plain_bytes: u64,
    /// Length of the file in bytes, including its armor.
    pub file_bytes: u64,
}

/// Whether a file is safe from quantum computers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostQuantum {
    /// All stanzas are of types that are believed to be safe: post-quantum keys and passphrases.
    Yes,
    /// A stanza uses X25519 or an SSH key.
    No,
    /// No stanza is known to be unsafe, but at least one is of an unknown type.
    Unknown,
}

/// Inspects the age file in `source`. If the file isn't armored and its length in bytes is given as `known_bytes`, only
/// its header is read; otherwise the whole file is.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use haul_seal::{X25519Identity, inspect, seal_bytes};
/// # let sealed = seal_bytes(b"hello", &[X25519Identity::generate().to_recipient().into()])?;
/// let facts = inspect(&sealed[..], None)?;
/// assert_eq!((facts.plain_bytes, facts.chunk_count), (5, 1));
/// assert_eq!(facts.stanzas, [("X25519".to_owned(), 1)]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Header`] if the header is malformed or missing; [`Error::Armor`] if the armor is malformed;
/// [`Error::CutShort`] or [`Error::WrongLength`] if the length is impossible for an age file; [`Error::Io`] if `source`
/// can't be read.
pub fn inspect(source: impl Read, known_bytes: Option<u64>) -> Result<Inspection, Error> {
    let mut source = unarmored(Counted::new(source)).map_err(Error::of_read)?;
    let armored = source.is_armored();
    let HeaderRead { header, header_bytes, rest } = read_header(&mut source)?;
    let (age_bytes, file_bytes) = match known_bytes.filter(|_| !armored) {
        Some(bytes) => (bytes, bytes),
        None => {
            let rest_bytes =
                rest.len() as u64 + io::copy(&mut source, &mut io::sink()).map_err(Error::of_read)?;
            (header_bytes as u64 + rest_bytes, source.get_ref().bytes)
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

/// Inspects the source of `task`, which a walk found or a user named. A pipe in its place is refused, without waiting
/// for its other end.
///
/// # Errors
/// The errors of [`inspect`]; [`Error::NotRegular`], [`Error::Exchanged`] or [`Error::Link`] if the source isn't the
/// file that was found; [`Error::Io`] with [`During::OpenSource`] if it can't be opened.
pub fn inspect_task(task: &Task, cancel: &Cancel) -> Result<Inspection, Error> {
    let io = Blocking::new(cancel.clone());
    let source = run_ready(task.pair().open_source(&io))?;
    inspect(StreamReader::new(source.file, cancel.clone()), Some(source.stat.bytes))
}

/// Inspects the regular file at `path`; see [`inspect_task`].
///
/// # Errors
/// As [`inspect_task`].
pub fn inspect_file(path: &Path) -> Result<Inspection, Error> {
    inspect_task(&Task::check(path), &Cancel::new().map_err(Error::at(During::OpenSource))?)
}

fn counted(header: &Header) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    let mut positions: HashMap<&str, usize> = HashMap::new();
    for stanza in header.stanzas() {
        let position = *positions.entry(stanza.tag()).or_insert(counts.len());
        match counts.get_mut(position) {
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
            "X25519" | "p256tag" | "ssh-ed25519" | "ssh-rsa" => return PostQuantum::No,
            "mlkem768x25519" | "mlkem768p256tag" | "scrypt" => {}
            // Grease stanzas must be ignored: C2SP age.md, "Recipient stanza".
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
        check(&["mlkem768p256tag"], PostQuantum::Yes);
        check(&["p256tag"], PostQuantum::No);
        check(&["piv-p256"], PostQuantum::Unknown);
        check(&["piv-p256", "ssh-rsa"], PostQuantum::No);
    }
}
