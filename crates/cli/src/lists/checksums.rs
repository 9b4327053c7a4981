//! Files of checksums, in both formats of sha256sum.
//!
//! Owns: their grammar, finding the checksum of a name.
//! Does not own: hashing, comparing.

use std::collections::HashMap;
use std::path::Path;

use haul_fetch::{Algorithm, Checksum};
use haul_io::reason;

use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::run::short_file::read_text;

/// The expected checksum of each name.
#[derive(Debug)]
pub(crate) struct Checksums(HashMap<String, Checksum>);

/// The longest file, in bytes: about half a million names.
const FILE_BYTES_MAX: u64 = 64 << 20;

impl Checksums {
    /// Reads the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        let text = read_text(path, FILE_BYTES_MAX).map_err(|error| {
            Problem::usage(format!("cannot read checksums {}: {}", quoted(path), reason(&error)))
        })?;
        Self::parse(&text).map_err(|number| {
            Problem::usage(format!("line {number} of checksums {} isn't a checksum", quoted(path)))
        })
    }

    /// Parses a file. The error is the number of the first invalid line.
    fn parse(text: &str) -> Result<Self, usize> {
        let mut checksums = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end_matches('\r');
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, checksum) = tagged(line).or_else(|| plain(line)).ok_or(index + 1)?;
            checksums.insert(name, checksum);
        }
        Ok(Self(checksums))
    }

    /// The checksum for a result: by its path relative to the directory of results, or else by its file name.
    pub(crate) fn of(&self, name: &Path) -> Option<&Checksum> {
        let last = name.file_name().and_then(|last| self.0.get(last.to_str()?));
        name.to_str().and_then(|name| self.0.get(name)).or(last)
    }
}

/// Parses `HEX  name` or `HEX *name`. A leading backslash marks an escaped name.
fn plain(line: &str) -> Option<(String, Checksum)> {
    let (line, escaped) = line.strip_prefix('\\').map_or((line, false), |line| (line, true));
    let (hex, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    let name = if escaped { unescaped(name)? } else { name.to_owned() };
    Some((without_dot(name)?, Checksum::from_hex(Algorithm::Sha256, hex).ok()?))
}

/// Parses `SHA256 (name) = HEX`.
fn tagged(line: &str) -> Option<(String, Checksum)> {
    let (name, hex) = line.strip_prefix("SHA256 (")?.rsplit_once(") = ")?;
    Some((without_dot(name.to_owned())?, Checksum::from_hex(Algorithm::Sha256, hex).ok()?))
}

fn without_dot(name: String) -> Option<String> {
    let name = name.strip_prefix("./").map(str::to_owned).unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

fn unescaped(name: &str) -> Option<String> {
    let mut out = String::new();
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '\\' => match characters.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
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
            let parsed = Checksums::parse(&format!("# one\n\n{line}\n"));
            assert_eq!(parsed.as_ref().err(), name.is_none().then_some(&3), "{line}");
            if let Some(name) = name {
                let checksum = parsed.unwrap().of(Path::new(name)).map(ToString::to_string);
                assert_eq!(checksum, Some(format!("sha256:{hex}")), "{line}");
            }
        }
        let checksums = Checksums::parse(&format!("{hex}  x")).unwrap();
        assert!(checksums.of(Path::new("d/x")).is_some(), "by its last part");
        assert!(checksums.of(Path::new("y")).is_none());
    }
}
