//! The index of a shard that exists.
//!
//! Owns: reading it from the end of a shard, plain or opened.
//! Does not own: its form ([`haul_pack::Trailer`]).

use std::io::{Read, Seek, SeekFrom};

use haul_pack::{BadIndex, Member, Trailer};
use haul_seal::{During, Error};

/// The start of an age file, and that of its text form.
const AGE_STARTS: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCR"];

/// Calls `each` for the members of `shard`.
///
/// # Errors
/// If it can't be read, or has no index that can be believed.
pub(crate) fn for_each_member(shard: &mut (impl Read + Seek), each: impl FnMut(Member)) -> Result<(), Error> {
    let bytes = shard.seek(SeekFrom::End(0)).map_err(read_error)?;
    let start = bytes.checked_sub(Trailer::BYTES as u64).ok_or(Error::Shard(BadIndex::NoTrailer))?;
    let trailer = Trailer::parse(&range(shard, start, Trailer::BYTES as u64)?).map_err(Error::Shard)?;
    if !trailer.fits(bytes) {
        return Err(Error::Shard(BadIndex::NoTrailer));
    }
    let lines = range(shard, trailer.offset, trailer.bytes)?;
    trailer.for_each_member(&lines, each).map_err(Error::Shard)
}

/// Whether `file` begins as an age file does. Its position is then the start.
pub(crate) fn is_age_file(file: &mut (impl Read + Seek)) -> Result<bool, Error> {
    let start = range(file, 0, AGE_STARTS[0].len() as u64);
    file.rewind().map_err(read_error)?;
    Ok(start.is_ok_and(|start| AGE_STARTS.contains(&start.as_slice())))
}

fn range(file: &mut (impl Read + Seek), offset: u64, bytes: u64) -> Result<Vec<u8>, Error> {
    file.seek(SeekFrom::Start(offset)).map_err(read_error)?;
    let mut content = vec![0; bytes as usize];
    file.read_exact(&mut content).map_err(read_error)?;
    Ok(content)
}

/// The error of a read, which may be that of an age file.
pub(crate) fn read_error(source: std::io::Error) -> Error {
    match source.downcast::<Error>() {
        Ok(error) => error,
        Err(source) => Error::Io { step: During::Read, source },
    }
}
