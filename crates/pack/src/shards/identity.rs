//! What tells a shard from all others, known before it is published.
//!
//! The head of a sealed file is never written twice, as every file has keys of its own. The last block of a plain shard
//! has the hash of an index that has the hashes of all members.
//!
//! Owns: its form, comparing it with what was published.
//! Does not own: when that is done.

use std::fmt;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::str::FromStr;

use blake3::Hash;

/// Longer parts of a shard aren't looked at.
const PART_BYTES_MAX: u64 = 1 << 20;

/// What tells a shard from all others. As text, for [`FromStr`]: `BYTES head|end LENGTH HASH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardIdentity {
    /// The length of the shard, as it is stored.
    stored_bytes: u64,
    /// Whether it is the start of the shard that is hashed, and not its end.
    is_head: bool,
    part_bytes: u64,
    hash: Hash,
}

/// The text is no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadIdentity;

impl ShardIdentity {
    /// That of a shard with this head, which is empty if it is plain, and this last block.
    pub(super) fn new(head: &[u8], trailer: &[u8], stored_bytes: u64) -> Self {
        let is_head = !head.is_empty();
        let part = if is_head { head } else { trailer };
        Self { stored_bytes, is_head, part_bytes: part.len() as u64, hash: blake3::hash(part) }
    }

    /// Whether `shard` is the one.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn is_of(&self, shard: &mut (impl Read + Seek)) -> io::Result<bool> {
        if shard.seek(SeekFrom::End(0))? != self.stored_bytes {
            return Ok(false);
        }
        let start = if self.is_head { 0 } else { self.stored_bytes - self.part_bytes };
        shard.seek(SeekFrom::Start(start))?;
        let mut part = vec![0; self.part_bytes as usize];
        match shard.read_exact(&mut part) {
            Ok(()) => Ok(blake3::hash(&part) == self.hash),
            // It has just become shorter.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for ShardIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored_bytes, is_head, part_bytes, hash } = self;
        let part = if *is_head { "head" } else { "end" };
        write!(f, "{stored_bytes} {part} {part_bytes} {hash}")
    }
}

impl FromStr for ShardIdentity {
    type Err = BadIdentity;

    fn from_str(text: &str) -> Result<Self, BadIdentity> {
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or(BadIdentity);
        let (stored_bytes, part, part_bytes, hash) = (word()?, word()?, word()?, word()?);
        let identity = Self {
            stored_bytes: stored_bytes.parse().map_err(|_| BadIdentity)?,
            is_head: match part {
                "head" => true,
                "end" => false,
                _ => return Err(BadIdentity),
            },
            part_bytes: part_bytes.parse().map_err(|_| BadIdentity)?,
            hash: Hash::from_hex(hash).map_err(|_| BadIdentity)?,
        };
        let is_sound = identity.part_bytes <= identity.stored_bytes.min(PART_BYTES_MAX);
        if is_sound && words.next().is_none() { Ok(identity) } else { Err(BadIdentity) }
    }
}

impl fmt::Display for BadIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it isn't the identity of a shard")
    }
}

impl std::error::Error for BadIdentity {}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_shard_is_known_by_its_length_and_a_unique_part() {
        let plain = ShardIdentity::new(&[], b"end", 10);
        let sealed = ShardIdentity::new(b"head", b"end", 10);
        for (identity, shard, is_it) in [
            (&plain, &b"0123456end"[..], true),
            (&plain, b"x123456end", true),
            (&plain, b"0123456enD", false),
            (&plain, b"01234567end", false),
            (&plain, b"end", false),
            (&plain, b"", false),
            (&sealed, b"head456789", true),
            (&sealed, b"heaD456789", false),
            (&sealed, b"head45678", false),
        ] {
            assert_eq!(identity.is_of(&mut Cursor::new(shard)).unwrap(), is_it, "{identity} {shard:?}");
            assert_eq!(identity.to_string().parse(), Ok(identity.clone()));
        }
        let hash = blake3::hash(b"");
        for text in ["", "10", "10 head 4", "10 tail 4 00", "x end 3 00"] {
            assert_eq!(text.parse::<ShardIdentity>(), Err(BadIdentity), "{text}");
        }
        for text in
            [format!("10 end 11 {hash}"), format!("10 end 3 {hash} "), format!("9999999 end 1048577 {hash}")]
        {
            assert_eq!(text.parse::<ShardIdentity>(), Err(BadIdentity), "{text}");
        }
    }
}
