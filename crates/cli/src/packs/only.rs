//! One member of a shard, read by range.
//!
//! Owns: finding the member, checking its hash.
//! Does not own: the ends of the stream ([`crate::files`]), authentication ([`haul_seal::SealedFile`]).

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use blake3::Hasher;
use haul_pack::{BadIndex, Member};
use haul_seal::{During, Error, Identity, SealedFile, StreamOptions, Streamed};

use super::index::{for_each_member, is_age_file, read_error};

/// The bytes of a plain shard that are copied at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Writes the member `name` of the shard in `source` to `sink`.
///
/// # Errors
/// If there is no such member, or it is damaged.
pub(crate) fn open_member(
    mut source: impl Read + Seek + Send,
    name: &Path,
    identities: &[Identity],
    sink: impl Write + Send,
    options: &StreamOptions,
) -> Result<Streamed, Error> {
    let mut hashed = Hashed { sink, hasher: Hasher::new() };
    let (member, streamed) = if is_age_file(&mut source)? {
        let mut shard = SealedFile::open_with(source, identities, options)?;
        let member = find(&mut shard, name)?;
        let range = member.offset..member.offset + member.bytes;
        let nothing = Streamed { plain_bytes: 0, sealed_bytes: 0 };
        let is_empty = member.bytes == 0;
        (member, if is_empty { nothing } else { shard.copy_range(range, &mut hashed, options)? })
    } else {
        let member = find(&mut source, name)?;
        source.seek(SeekFrom::Start(member.offset)).map_err(read_error)?;
        copy(source.take(member.bytes), &mut hashed)?;
        let streamed = Streamed { plain_bytes: member.bytes, sealed_bytes: member.bytes };
        (member, streamed)
    };
    if hashed.hasher.finalize() != member.hash {
        return Err(Error::Shard(BadIndex::Content));
    }
    Ok(streamed)
}

/// The last member of this name: as tar has it, it replaces the ones before.
fn find(shard: &mut (impl Read + Seek), name: &Path) -> Result<Member, Error> {
    let mut found = None;
    for_each_member(shard, |member| {
        if member.name == name.as_os_str().as_bytes() {
            found = Some(member);
        }
    })?;
    found.ok_or(Error::Shard(BadIndex::NoMember))
}

fn copy(mut source: impl Read, mut sink: impl Write) -> Result<(), Error> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = source.read(&mut piece).map_err(read_error)?;
        if count == 0 {
            return sink.flush().map_err(|source| Error::Io { step: During::Write, source });
        }
        sink.write_all(&piece[..count]).map_err(|source| Error::Io { step: During::Write, source })?;
    }
}

/// A writer that hashes what it passes on.
struct Hashed<W> {
    sink: W,
    hasher: Hasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.sink.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
