//! A member of a shard, as bytes before and after its content.
//!
//! A member is a ustar header. What doesn't fit there goes before it: long names, large numbers and fractions of
//! seconds into a pax record, long names that aren't UTF-8 into a GNU record, as pax says that its names are UTF-8 and
//! readers disagree about `hdrcharset=BINARY`: GNU tar ignores it. A short name that isn't UTF-8 stands in the header
//! as it is, where every reader takes bytes.
//!
//! Owns: which record carries what, the padding, the end of the archive.
//! Does not own: the fields of a header ([`super::header`]).

use super::header::{BLOCK_BYTES, Header};

/// The end of an archive: two blocks of zeros.
pub(super) const END_BYTES: usize = 2 * BLOCK_BYTES;
/// The largest number that seven octal digits hold.
const OCTAL_7_MAX: u32 = 0o7_777_777;
/// The largest number that eleven octal digits hold.
const OCTAL_11_MAX: i64 = 0o77_777_777_777;
/// The name of records before members. No reader shows it.
const RECORD_NAME: &[u8] = b"haul/PaxHeader";

/// A file or directory in a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path, relative and without `..`. That of a directory ends in a slash.
    pub name: Vec<u8>,
    /// The length of its content in bytes; 0 for a directory.
    pub bytes: u64,
    /// Permission bits.
    pub mode: u32,
    /// The user's number.
    pub owner: u32,
    /// The group's number.
    pub group: u32,
    /// The modification time, in seconds since the epoch and nanoseconds.
    pub modified: (i64, u32),
}

impl Entry {
    /// A file of `bytes` bytes, mode 0644, from the start of the epoch.
    pub fn file(name: &[u8], bytes: u64) -> Self {
        Self { name: name.to_vec(), bytes, mode: 0o644, owner: 0, group: 0, modified: (0, 0) }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.name.ends_with(b"/")
    }

    /// Appends what comes before the content to `out`: whole blocks.
    pub fn write_head(&self, out: &mut Vec<u8>) {
        let kind = if self.is_directory() { b'5' } else { b'0' };
        let mut header = Header::new(kind);
        let mut records = String::new();
        if !header.set_name(&self.name) {
            header.set_cut_name(&self.name);
            match std::str::from_utf8(&self.name) {
                Ok(name) => record(&mut records, "path", name),
                Err(_) => write_long_name(&self.name, out),
            }
        }
        header.set_mode(self.mode);
        header.set_owner(self.owner);
        header.set_group(self.group);
        header.set_size(self.bytes);
        let (seconds, nanoseconds) = self.modified;
        header.set_modified(seconds);
        if !(0..=OCTAL_11_MAX).contains(&seconds) || nanoseconds > 0 {
            record(&mut records, "mtime", &decimal(seconds, nanoseconds));
        }
        if i64::try_from(self.bytes).is_ok_and(|bytes| bytes > OCTAL_11_MAX) {
            record(&mut records, "size", &self.bytes.to_string());
        }
        for (key, number) in [("uid", self.owner), ("gid", self.group)] {
            if number > OCTAL_7_MAX {
                record(&mut records, key, &number.to_string());
            }
        }
        if !records.is_empty() {
            write_extra(b'x', RECORD_NAME, records.as_bytes(), out);
        }
        out.extend_from_slice(&header.finish());
    }
}

/// The bytes of zeros after content of `bytes` bytes.
pub fn padding(bytes: u64) -> usize {
    let over = (bytes % BLOCK_BYTES as u64) as usize;
    if over == 0 { 0 } else { BLOCK_BYTES - over }
}

/// A record of a pax header: its own length in decimal, a space, `key=value` and a line feed.
fn record(records: &mut String, key: &str, value: &str) {
    let others = key.len() + value.len() + 3;
    let mut bytes = others + 1;
    while bytes != others + bytes.to_string().len() {
        bytes = others + bytes.to_string().len();
    }
    records.push_str(&format!("{bytes} {key}={value}\n"));
}

/// A time as pax has it: the fraction counts from zero, also before the epoch.
fn decimal(seconds: i64, nanoseconds: u32) -> String {
    let (sign, seconds, nanoseconds) = match (seconds < 0, nanoseconds) {
        (true, 1..) => ("-", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanoseconds),
        (true, 0) => ("-", seconds.unsigned_abs(), 0),
        (false, _) => ("", seconds.unsigned_abs(), nanoseconds),
    };
    match nanoseconds {
        0 => format!("{sign}{seconds}"),
        _ => format!("{sign}{seconds}.{nanoseconds:09}"),
    }
}

/// GNU tar's record of a long name.
fn write_long_name(name: &[u8], out: &mut Vec<u8>) {
    let mut content = name.to_vec();
    content.push(0);
    write_extra(b'L', b"././@LongLink", &content, out);
}

fn write_extra(kind: u8, name: &[u8], content: &[u8], out: &mut Vec<u8>) {
    let mut header = Header::new(kind);
    header.set_cut_name(name);
    header.set_size(content.len() as u64);
    out.extend_from_slice(&header.finish());
    out.extend_from_slice(content);
    out.resize(out.len() + padding(content.len() as u64), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_member_is_one_block() {
        let mut head = Vec::new();
        Entry { modified: (1_700_000_000, 0), ..Entry::file(b"a/b.txt", 5) }.write_head(&mut head);
        assert_eq!(head.len(), 512);
        assert_eq!(&head[..8], b"a/b.txt\0");
        assert_eq!(&head[100..108], b"0000644\0");
        assert_eq!(&head[124..136], b"00000000005\0");
        assert_eq!(&head[257..265], b"ustar\x0000");
        let sum: u32 = head
            .iter()
            .enumerate()
            .map(|(at, byte)| match at {
                148..156 => 32,
                _ => u32::from(*byte),
            })
            .sum();
        assert_eq!(&head[148..156], format!("{sum:06o}\0 ").as_bytes());
    }

    #[test]
    fn what_does_not_fit_goes_into_a_record() {
        let head = |entry: Entry| {
            let mut head = Vec::new();
            entry.write_head(&mut head);
            assert_eq!(head.len() % 512, 0);
            head
        };
        let long = "\u{e9}".repeat(80);
        for (entry, kind, text) in [
            (Entry::file(long.as_bytes(), 0), b'x', format!("170 path={long}\n")),
            (Entry::file(b"a", 8 << 30), b'x', "19 size=8589934592\n".to_owned()),
            (Entry { owner: 1 << 31, ..Entry::file(b"a", 1) }, b'x', "18 uid=2147483648\n".to_owned()),
            (Entry { modified: (7, 5), ..Entry::file(b"a", 1) }, b'x', "21 mtime=7.000000005\n".to_owned()),
            (Entry { modified: (-1, 0), ..Entry::file(b"a", 1) }, b'x', "12 mtime=-1\n".to_owned()),
        ] {
            let head = head(entry);
            assert_eq!((head[156], head.len()), (kind, 3 * 512), "{text}");
            assert_eq!(&head[512..512 + text.len()], text.as_bytes());
        }
        let foreign = [&b"n\xff"[..], &[b'n'; 120]].concat();
        let foreign = head(Entry::file(&foreign, 0));
        assert_eq!((foreign[156], &foreign[512..514], foreign.len()), (b'L', &b"n\xff"[..], 3 * 512));
        assert_eq!(head(Entry::file(b"n\xff", 0)).len(), 512);
        assert_eq!(decimal(-1, 750_000_000), "-0.250000000");
        assert_eq!(decimal(-2, 250_000_000), "-1.750000000");
    }

    #[test]
    fn the_length_of_a_record_counts_its_own_digits() {
        for bytes in (1..=120).chain(980..1_010) {
            let mut records = String::new();
            record(&mut records, "path", &"n".repeat(bytes));
            let (length, _) = records.split_once(' ').unwrap();
            assert_eq!(length.parse::<usize>().unwrap(), records.len());
        }
    }

    #[test]
    fn content_is_padded_to_whole_blocks() {
        assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
    }
}
