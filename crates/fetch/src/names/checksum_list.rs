//! Files of checksums, in both formats of sha256sum.
//!
//! Owns: their grammar, finding the checksum of a name.
//! Does not own: hashing, comparing.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::{Algorithm, Checksum};

/// The expected checksums of each name, which needn't be UTF-8. A result must match all that are listed for its name.
#[derive(Clone, Debug)]
pub struct ChecksumList(HashMap<Vec<u8>, Vec<Checksum>>);

/// A line of a list that isn't a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChecksumList {
    /// The number of the first such line, from 1.
    pub line: usize,
}

/// The longest file, in bytes: about half a million names.
const FILE_BYTES_MAX: u64 = 64 << 20;

impl ChecksumList {
    /// Reads the file at `path`, of at most 64 MiB.
    ///
    /// # Errors
    /// If the file can't be read or is longer; of the kind [`io::ErrorKind::InvalidData`], with a [`BadChecksumList`]
    /// inside, if a line isn't a checksum.
    pub fn read(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut text = Vec::new();
        let count = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
        if count as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("longer than {FILE_BYTES_MAX} bytes")));
        }
        Self::parse(&text).map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad))
    }

    /// Parses the text of a list: lines of sha256sum, empty ones, and comments after `#`.
    ///
    /// # Errors
    /// If a line is anything else.
    pub fn parse(text: &[u8]) -> Result<Self, BadChecksumList> {
        let mut checksums: HashMap<_, Vec<_>> = HashMap::new();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = trimmed(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (name, checksum) =
                tagged(line).or_else(|| plain(line)).ok_or(BadChecksumList { line: index + 1 })?;
            let listed = checksums.entry(name).or_default();
            if !listed.contains(&checksum) {
                listed.push(checksum);
            }
        }
        Ok(Self(checksums))
    }

    /// The checksums for a result: by its path relative to the directory of results, or else by its file name.
    pub fn of(&self, name: &Path) -> Option<&[Checksum]> {
        let last = || self.0.get(name.file_name()?.as_bytes());
        self.0.get(name.as_os_str().as_bytes()).or_else(last).map(Vec::as_slice)
    }
}

impl fmt::Display for BadChecksumList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} isn't a checksum", self.line)
    }
}

impl std::error::Error for BadChecksumList {}

/// `line` without the carriage returns at its end.
fn trimmed(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_suffix(b"\r") {
        line = rest;
    }
    line
}

fn split_at(text: &[u8], index: usize, separator_bytes: usize) -> (&[u8], &[u8]) {
    (&text[..index], &text[index + separator_bytes..])
}

fn checksum(hex: &[u8]) -> Option<Checksum> {
    Checksum::from_hex(Algorithm::Sha256, str::from_utf8(hex).ok()?).ok()
}

/// Parses `HEX  name` or `HEX *name`. A leading backslash marks an escaped name.
fn plain(line: &[u8]) -> Option<(Vec<u8>, Checksum)> {
    let (line, escaped) = line.strip_prefix(b"\\").map_or((line, false), |line| (line, true));
    let (hex, name) = split_at(line, line.iter().position(|byte| *byte == b' ')?, 1);
    let name = name.strip_prefix(b" ").or_else(|| name.strip_prefix(b"*"))?;
    let name = if escaped { unescaped(name)? } else { name.to_vec() };
    Some((without_dot(name)?, checksum(hex)?))
}

/// Parses `SHA256 (name) = HEX`.
fn tagged(line: &[u8]) -> Option<(Vec<u8>, Checksum)> {
    const END: &[u8] = b") = ";
    let rest = line.strip_prefix(b"SHA256 (")?;
    let (name, hex) = split_at(rest, rest.windows(END.len()).rposition(|window| window == END)?, END.len());
    Some((without_dot(name.to_vec())?, checksum(hex)?))
}

fn without_dot(name: Vec<u8>) -> Option<Vec<u8>> {
    let name = name.strip_prefix(b"./").map(<[u8]>::to_vec).unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            other => *other,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn both_grammars_are_read_and_nothing_else() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (line, name) in [
            (format!("{hex}  a b"), Some("a b")),
            (format!("{} *./d/x", hex.to_uppercase()), Some("d/x")),
            (format!("\\{hex}  a\\\\b\\n"), Some("a\\b\n")),
            (format!("SHA256 (x (1)) = {hex}"), Some("x (1)")),
            (format!("{hex}  a\r"), Some("a")),
            (format!("{hex} a"), None),
            (format!("{hex}  "), None),
            (hex.to_owned(), None),
            (format!("{}  a", &hex[1..]), None),
            (format!("\\{hex}  a\\x"), None),
            (format!("MD5 (a) = {hex}"), None),
        ] {
            let parsed = ChecksumList::parse(format!("# one\n\n{line}\n").as_bytes());
            assert_eq!(
                parsed.as_ref().err(),
                name.is_none().then_some(&BadChecksumList { line: 3 }),
                "{line}"
            );
            if let Some(name) = name {
                let checksum = parsed.unwrap().of(Path::new(name)).map(|all| all[0].to_string());
                assert_eq!(checksum, Some(format!("sha256:{hex}")), "{line}");
            }
        }
        let checksums = ChecksumList::parse(format!("{hex}  x").as_bytes()).unwrap();
        assert!(checksums.of(Path::new("d/x")).is_some(), "by its last part");
        assert!(checksums.of(Path::new("y")).is_none());
    }

    #[test]
    fn marks_foreign_names_and_names_listed_twice_are_understood() {
        let (one, two) = ("a".repeat(64), "b".repeat(64));
        let mut file = format!("\u{feff}{one}  a\r\n{two} *a\n{one}  ./a\n{one}  ").into_bytes();
        file.extend(b"\xff\n");
        let checksums = ChecksumList::parse(&file).unwrap();
        let of = |name: &[u8]| checksums.of(Path::new(OsStr::from_bytes(name))).map(<[Checksum]>::len);
        assert_eq!((of(b"a"), of(b"\xff"), of(b"\xfe")), (Some(2), Some(1), None));
    }
}
