//! The index of a shard: after the end of its archive, where readers of tar don't look.
//!
//! Two blocks of zeros end the archive. The lines of the index follow, one JSON object for each member in the order of
//! the members: `name` (and `name_hex` if it isn't UTF-8), `offset` and `bytes` of the content, `modified` in seconds
//! since the epoch, `blake3` of the content. Zeros fill the last block. One more block is the trailer:
//! `haul-index 1 offset=… bytes=… members=… blake3=…` with the place, the length, the number and the hash of the lines,
//! then zeros. So a reader finds a member by two reads from the end and one of its content.
//!
//! Owns: this form, which indexes are believed.
//! Does not own: members ([`super::entry`]), reading and writing.

use std::borrow::Cow;
use std::fmt;

use blake3::Hash;
use serde::{Deserialize, Serialize};

use super::entry::{END_BYTES, Entry, padding};
use super::header::BLOCK_BYTES;

/// The first word and the version of a trailer.
const MAGIC: &str = "haul-index 1 ";
/// The most bytes of lines that are read: those of some million members.
const LINES_BYTES_MAX: u64 = 1 << 30;

/// The lines of an index that is being written.
#[derive(Default)]
pub struct IndexWriter {
    lines: Vec<u8>,
    count: u64,
}

/// The last block of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Where the lines of the index begin.
    pub offset: u64,
    /// Their length in bytes.
    pub bytes: u64,
    count: u64,
    hash: Hash,
}

/// A file in a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path.
    pub name: Vec<u8>,
    /// Where its content begins.
    pub offset: u64,
    /// The length of its content in bytes.
    pub bytes: u64,
    /// Its modification time, in seconds since the epoch.
    pub modified: i64,
    /// The hash of its content.
    pub hash: Hash,
}

/// Why a member can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BadIndex {
    /// The last block isn't the trailer of a shard.
    NoTrailer,
    /// The lines aren't those that the trailer describes, or not of this form.
    Damaged,
    /// No member has the name.
    NoMember,
    /// The content isn't that of the member.
    Content,
}

/// One line.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name_hex: Option<Cow<'a, str>>,
    offset: u64,
    bytes: u64,
    modified: i64,
    #[serde(borrow)]
    blake3: Cow<'a, str>,
}

impl IndexWriter {
    /// Adds the file `entry`, whose content begins at `offset` and has this hash.
    pub fn add(&mut self, entry: &Entry, offset: u64, hash: Hash) {
        let name = String::from_utf8_lossy(&entry.name);
        let name_hex = matches!(name, Cow::Owned(_)).then(|| hex(&entry.name).into());
        let digits = hash.to_hex();
        let line = Line {
            name,
            name_hex,
            offset,
            bytes: entry.bytes,
            modified: entry.modified.0,
            blake3: Cow::Borrowed(digits.as_str()),
        };
        serde_json::to_writer(&mut self.lines, &line).expect("a line is text and numbers");
        self.lines.push(b'\n');
        self.count += 1;
    }

    /// The number of files.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The bytes that [`end`](Self::end) returns.
    pub fn end_bytes(&self) -> u64 {
        let lines = self.lines.len() as u64;
        (END_BYTES + BLOCK_BYTES + padding(lines)) as u64 + lines
    }

    /// What follows the last member of a shard of `bytes` bytes.
    pub fn end(self, bytes: u64) -> Vec<u8> {
        let trailer = self.trailer(bytes);
        let mut end = vec![0; END_BYTES];
        end.extend_from_slice(&self.lines);
        end.resize(end.len() + padding(trailer.bytes), 0);
        end.extend_from_slice(&trailer.block());
        end
    }

    /// The last block of a shard whose members end after `bytes` bytes.
    pub(crate) fn trailer(&self, bytes: u64) -> Trailer {
        Trailer {
            offset: bytes + END_BYTES as u64,
            bytes: self.lines.len() as u64,
            count: self.count,
            hash: blake3::hash(&self.lines),
        }
    }
}

impl Trailer {
    /// The length of a trailer in bytes.
    pub const BYTES: usize = BLOCK_BYTES;

    pub(crate) fn block(&self) -> [u8; BLOCK_BYTES] {
        let (mut block, text) = ([0; BLOCK_BYTES], self.to_string());
        block[..text.len()].copy_from_slice(text.as_bytes());
        block
    }

    /// Reads the last block of a shard.
    ///
    /// # Errors
    /// [`BadIndex::NoTrailer`].
    pub fn parse(block: &[u8]) -> Result<Self, BadIndex> {
        Self::try_parse(block).ok_or(BadIndex::NoTrailer)
    }

    fn try_parse(block: &[u8]) -> Option<Self> {
        let text = block.split(|byte| *byte == 0).next()?;
        let fields = std::str::from_utf8(text).ok()?.strip_prefix(MAGIC)?.strip_suffix('\n')?;
        let mut fields = fields.split(' ');
        let mut field = |key: &str| fields.next()?.strip_prefix(key);
        let trailer = Self {
            offset: field("offset=")?.parse().ok()?,
            bytes: field("bytes=")?.parse().ok().filter(|bytes| *bytes <= LINES_BYTES_MAX)?,
            count: field("members=")?.parse().ok()?,
            hash: Hash::from_hex(field("blake3=")?).ok()?,
        };
        trailer.offset.checked_add(trailer.bytes)?;
        (block.len() == BLOCK_BYTES && fields.next().is_none()).then_some(trailer)
    }

    /// Whether the index lies where it must in a shard of `shard_bytes` bytes: just before the trailer.
    pub fn fits(&self, shard_bytes: u64) -> bool {
        let end = self.offset + self.bytes;
        Some(end + padding(self.bytes) as u64) == shard_bytes.checked_sub(BLOCK_BYTES as u64)
    }

    /// The members that `lines` describe.
    ///
    /// # Errors
    /// [`BadIndex::Damaged`].
    pub fn members(&self, lines: &[u8]) -> Result<Vec<Member>, BadIndex> {
        let mut members = Vec::new();
        self.for_each_member(lines, |member| members.push(member))?;
        Ok(members)
    }

    /// Calls `each` for the members that `lines` describe.
    ///
    /// # Errors
    /// [`BadIndex::Damaged`].
    pub fn for_each_member(&self, lines: &[u8], mut each: impl FnMut(Member)) -> Result<(), BadIndex> {
        if lines.len() as u64 != self.bytes || blake3::hash(lines) != self.hash {
            return Err(BadIndex::Damaged);
        }
        let mut count = 0;
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let member = self.member(line).ok_or(BadIndex::Damaged)?;
            each(member);
            count += 1;
        }
        if count == self.count { Ok(()) } else { Err(BadIndex::Damaged) }
    }

    fn member(&self, line: &[u8]) -> Option<Member> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        let name = match &line.name_hex {
            Some(digits) => unhex(digits)?,
            None => line.name.into_owned().into_bytes(),
        };
        let hash = Hash::from_hex(line.blake3.as_ref()).ok()?;
        let is_inside = line.offset.checked_add(line.bytes).is_some_and(|end| end <= self.offset);
        let Line { offset, bytes, modified, .. } = line;
        is_inside.then_some(Member { name, offset, bytes, modified, hash })
    }
}

impl fmt::Display for Trailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, bytes, count, hash } = self;
        writeln!(f, "{MAGIC}offset={offset} bytes={bytes} members={count} blake3={hash}")
    }
}

impl fmt::Display for BadIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTrailer => "it isn't a shard with an index",
            Self::Damaged => "the index of the shard is damaged",
            Self::NoMember => "the shard has no member of that name",
            Self::Content => "the member is damaged",
        })
    }
}

impl std::error::Error for BadIndex {}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shard(names: &[&[u8]]) -> (Vec<u8>, Trailer) {
        let (mut shard, mut index) = (Vec::new(), IndexWriter::default());
        for name in names {
            let entry = Entry::file(name, name.len() as u64);
            entry.write_head(&mut shard);
            index.add(&entry, shard.len() as u64, blake3::hash(name));
            shard.extend_from_slice(name);
            shard.resize(shard.len() + padding(entry.bytes), 0);
        }
        let (bytes, announced) = (shard.len() as u64, index.end_bytes());
        let end = index.end(bytes);
        assert_eq!(end.len() as u64, announced);
        shard.extend_from_slice(&end);
        let trailer = Trailer::parse(&shard[shard.len() - Trailer::BYTES..]).unwrap();
        assert!(trailer.fits(shard.len() as u64) && !trailer.fits(shard.len() as u64 - 1));
        (shard, trailer)
    }

    #[test]
    fn an_index_leads_to_each_member() {
        let names = [&b"a"[..], b"d/\xff\x01", "\u{e9}\"\n".as_bytes()];
        let (shard, trailer) = shard(&names);
        assert_eq!(shard.len() % 512, 0);
        let lines = &shard[trailer.offset as usize..][..trailer.bytes as usize];
        let members = trailer.members(lines).unwrap();
        assert_eq!(members.iter().map(|member| &member.name[..]).collect::<Vec<_>>(), names);
        for member in members {
            assert_eq!(&shard[member.offset as usize..][..member.bytes as usize], member.name);
        }
        let mut changed = lines.to_vec();
        changed[3] ^= 1;
        assert_eq!(trailer.members(&changed), Err(BadIndex::Damaged));
        assert_eq!(trailer.members(&lines[1..]), Err(BadIndex::Damaged));
        assert_eq!(shard_of_none().members(&[]), Ok(Vec::new()));
    }

    fn shard_of_none() -> Trailer {
        shard(&[]).1
    }

    #[test]
    fn a_member_outside_the_archive_is_not_believed() {
        let mut index = IndexWriter::default();
        index.add(&Entry::file(b"a", 9), 0, blake3::hash(b"a"));
        let lines = index.lines.clone();
        let end = index.end(512);
        let mut trailer = Trailer::parse(&end[end.len() - Trailer::BYTES..]).unwrap();
        assert!(trailer.members(&lines).is_ok());
        trailer.offset = 8;
        assert_eq!(trailer.members(&lines), Err(BadIndex::Damaged));
    }

    proptest! {
        #[test]
        fn no_block_makes_a_reader_panic(block in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Trailer::parse(&block);
            let mut begun = MAGIC.as_bytes().to_vec();
            begun.extend_from_slice(&block);
            begun.resize(Trailer::BYTES, 0);
            let _ = Trailer::parse(&begun);
        }
    }
}
