//! The content of a slice: some thousand lines of a list, compressed.
//!
//! Owns: its form, the limits of its size.
//! Does not own: the grammar of a line.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// The name of a slice.
pub type SliceId = String;

/// The longest content, unpacked, in bytes.
pub const SLICE_BYTES_MAX: usize = 64 << 20;
/// The first byte of the form.
const FORM: u8 = 1;

/// Packs lines, which have no line breaks in them.
pub fn pack<L: AsRef<[u8]>>(lines: &[L]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(vec![FORM], Compression::default());
    for line in lines {
        // Writing into memory doesn't fail.
        let _ = encoder.write_all(line.as_ref()).and_then(|()| encoder.write_all(b"\n"));
    }
    encoder.finish().unwrap_or_default()
}

/// The lines of a slice.
///
/// # Errors
/// If it isn't one, or longer than [`SLICE_BYTES_MAX`].
pub fn unpack(content: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let invalid = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
    let (form, packed) = content.split_first().ok_or(invalid("an empty slice"))?;
    if *form != FORM {
        return Err(invalid("a slice of another version"));
    }
    let mut bytes = Vec::new();
    ZlibDecoder::new(packed).take(SLICE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > SLICE_BYTES_MAX {
        return Err(invalid("a slice that is too long"));
    }
    if bytes.pop_if(|last| *last == b'\n').is_none() {
        return Ok(Vec::new());
    }
    Ok(bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        for lines in [&[][..], &["a"], &["a", "", "b"], &[""]] {
            let back = unpack(&pack(lines)).unwrap();
            assert_eq!(back, lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>());
        }
        assert!(unpack(b"").is_err() && unpack(b"\x02").is_err() && unpack(b"\x01junk").is_err());
    }
}
