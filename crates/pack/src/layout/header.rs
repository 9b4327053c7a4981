//! One block of 512 bytes: the header of a tar member.
//!
//! Owns: the fields, their numbers in octal or, where these don't fit, in base 256.
//! Does not own: which members there are ([`super::entry`]).
//!
//! Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format", for base 256.

use std::ops::Range;

/// The unit of an archive.
pub(super) const BLOCK_BYTES: usize = 512;

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const OWNER: Range<usize> = 108..116;
const GROUP: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MODIFIED: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const KIND: usize = 156;
const MAGIC: Range<usize> = 257..265;
const PREFIX: Range<usize> = 345..500;

/// A header that is being filled.
pub(super) struct Header([u8; BLOCK_BYTES]);

impl Header {
    /// A header with this type flag, whose numbers are 0.
    pub(super) fn new(kind: u8) -> Self {
        let mut header = Self([0; BLOCK_BYTES]);
        header.0[KIND] = kind;
        header.0[MAGIC].copy_from_slice(b"ustar\x0000");
        header.set_mode(0o644);
        header.set_owner(0);
        header.set_group(0);
        header.set_size(0);
        header.set_modified(0);
        header
    }

    /// Sets the name, if it fits the fields.
    pub(super) fn set_name(&mut self, name: &[u8]) -> bool {
        if name.len() <= NAME.len() {
            self.0[NAME][..name.len()].copy_from_slice(name);
            return true;
        }
        let Some(slash) = split_at(name) else { return false };
        self.0[PREFIX][..slash].copy_from_slice(&name[..slash]);
        let name = &name[slash + 1..];
        self.0[NAME][..name.len()].copy_from_slice(name);
        true
    }

    /// Sets as much of the name as fits, for readers that overlook the record with the whole of it.
    pub(super) fn set_cut_name(&mut self, name: &[u8]) {
        let bytes = name.len().min(NAME.len());
        self.0[NAME][..bytes].copy_from_slice(&name[..bytes]);
    }

    pub(super) fn set_mode(&mut self, mode: u32) {
        self.number(MODE, i64::from(mode & 0o7777));
    }

    pub(super) fn set_owner(&mut self, owner: u32) {
        self.number(OWNER, i64::from(owner));
    }

    pub(super) fn set_group(&mut self, group: u32) {
        self.number(GROUP, i64::from(group));
    }

    pub(super) fn set_size(&mut self, bytes: u64) {
        self.number(SIZE, i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(super) fn set_modified(&mut self, seconds: i64) {
        self.number(MODIFIED, seconds);
    }

    /// The header with its checksum: the sum of all bytes, the field itself counted as spaces.
    pub(super) fn finish(mut self) -> [u8; BLOCK_BYTES] {
        self.0[CHECKSUM].fill(b' ');
        let sum: u32 = self.0.iter().map(|byte| u32::from(*byte)).sum();
        let digits = format!("{sum:06o}\0");
        self.0[CHECKSUM][..digits.len()].copy_from_slice(digits.as_bytes());
        self.0
    }

    /// Writes `number` in octal and a NUL after it, or in base 256 if it doesn't fit.
    fn number(&mut self, field: Range<usize>, number: i64) {
        let digits = field.len() - 1;
        let field = &mut self.0[field];
        if (0..1 << (3 * digits)).contains(&number) {
            let mut left = number;
            for digit in field[..digits].iter_mut().rev() {
                *digit = b'0' + (left & 7) as u8;
                left >>= 3;
            }
            field[digits] = 0;
            return;
        }
        // Two's complement, with the first bit set as the mark.
        let fill = if number < 0 { 0xff } else { 0 };
        field.fill(fill);
        let count = field.len().min(8);
        let start = field.len() - count;
        field[start..].copy_from_slice(&number.to_be_bytes()[8 - count..]);
        field[0] = if number < 0 { 0xff } else { field[0] | 0x80 };
    }
}

/// The slash at which a long name is split, so that both halves fit their fields.
fn split_at(name: &[u8]) -> Option<usize> {
    let first = name.len().checked_sub(NAME.len() + 1)?;
    let last = PREFIX.len().min(name.len().checked_sub(2)?);
    (first.max(1)..=last).rev().find(|at| name[*at] == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(header: &Header, field: Range<usize>) -> &[u8] {
        &header.0[field]
    }

    #[test]
    fn numbers_are_octal_or_base_256() {
        let mut header = Header::new(b'0');
        header.set_size(8 << 30);
        assert_eq!(field(&header, SIZE), [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
        header.set_size((8 << 30) - 1);
        assert_eq!(field(&header, SIZE), b"77777777777\0");
        header.set_modified(-2);
        assert_eq!(field(&header, MODIFIED), [[0xff; 11].as_slice(), &[0xfe]].concat());
        header.set_owner(0o7_777_777);
        assert_eq!(field(&header, OWNER), b"7777777\0");
        header.set_owner(u32::MAX);
        assert_eq!(field(&header, OWNER), [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn a_long_name_is_split_at_a_slash_or_does_not_fit() {
        let fits = |name: &str| Header::new(b'0').set_name(name.as_bytes());
        let name = |directory: usize, file: usize| format!("{}/{}", "d".repeat(directory), "f".repeat(file));
        assert!(fits(&"f".repeat(100)) && !fits(&"f".repeat(101)));
        assert!(fits(&name(155, 100)) && !fits(&name(156, 100)) && !fits(&name(155, 101)));
        let mut header = Header::new(b'0');
        assert!(header.set_name(name(60, 60).as_bytes()));
        assert_eq!(&field(&header, PREFIX)[..61], format!("{}\0", "d".repeat(60)).as_bytes());
        assert_eq!(&field(&header, NAME)[..61], format!("{}\0", "f".repeat(60)).as_bytes());
        assert!(!fits(&format!("/{}", "f".repeat(100))), "the first half would be empty");
    }
}
