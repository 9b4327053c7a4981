//! Lists of URLs: lines of text or JSON.
//!
//! Owns: the grammar of a line, reading line by line in bounded memory.
//! Does not own: where lists come from (`reader`), naming results, fetching. The file imports nothing from the program,
//! so that property tests and fuzz targets can include it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) url: String,
    /// The file to write, relative to the directory of results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) out: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    /// The method, if it isn't GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// The body of the request. Never the name of a file: the list may come from an untrusted party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    /// The expected SHA-256 of the body, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// The expected length of the body in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    /// Whether the user typed it, so that its name is the user's own choice.
    #[serde(skip)]
    pub(crate) is_typed: bool,
}

/// An entry, or why the line is none.
pub(crate) type Line = Result<Item, BadLine>;

/// A line that can't be used, with its number from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(crate) number: u64,
    /// The column from 1, in bytes, if it is known.
    pub(crate) column: Option<usize>,
    pub(crate) reason: String,
}

/// The byte order mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// The longest line, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

impl Item {
    /// An entry with nothing but a URL.
    pub(crate) fn of_url(url: String) -> Self {
        Self {
            url,
            out: None,
            headers: BTreeMap::new(),
            method: None,
            body: None,
            sha256: None,
            size: None,
            is_typed: false,
        }
    }

    /// Parses line `number` (from 1); `None` for blank lines and comments.
    fn of_line(number: u64, line: &[u8]) -> Option<Line> {
        let bad = |column, reason: String| Err(BadLine { number, column, reason });
        let text = match std::str::from_utf8(line) {
            Ok(text) => text,
            Err(error) => return Some(bad(Some(error.valid_up_to() + 1), "the line isn't UTF-8".to_owned())),
        };
        let (line, indent) = (text.trim(), text.len() - text.trim_start().len());
        match line.as_bytes().first()? {
            b'#' => None,
            b'{' => Some(serde_json::from_str(line).or_else(|error| {
                let reason = error.to_string();
                // The position is that of the list.
                let reason = reason.split(" at line ").next().unwrap_or_default();
                bad(Some(indent + error.column()), format!("not understood: {reason}"))
            })),
            _ => Some(Ok(Self::of_url(line.to_owned()))),
        }
    }
}

/// Reads the lines of a list, one at a time.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    number: u64,
    ended: bool,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), number: 0, ended: false }
    }

    /// Reads a line. The inner `None` stands for a blank line or a comment, the outer for the end.
    pub(crate) fn step(&mut self) -> Option<Option<Line>> {
        if self.ended {
            return None;
        }
        let read = self.read().map(|line| line.map(|line| self.without_mark(line)));
        match read {
            Ok(None) => {
                self.ended = true;
                None
            }
            Ok(Some(line)) => Some(Item::of_line(self.number, &line)),
            Err(error) => {
                // The next line can't be told from the rest of this one.
                self.ended = true;
                Some(Some(Err(BadLine { number: self.number, column: None, reason: error.to_string() })))
            }
        }
    }

    /// `line` without the byte order mark that some editors put before the first line of a file.
    fn without_mark(&self, mut line: Vec<u8>) -> Vec<u8> {
        if self.number == 1 && line.starts_with(MARK) {
            line.drain(..MARK.len());
        }
        line
    }

    /// Whether another line is buffered.
    pub(crate) fn has_buffered_line(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }

    /// Reads the next line, even if it is blank.
    fn read(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let bytes_max = LINE_BYTES_MAX as u64 + 1;
        (&mut self.reader).take(bytes_max).read_until(b'\n', &mut line)?;
        self.number += 1;
        if line.len() as u64 == bytes_max {
            return Err(std::io::Error::other(format!("longer than {LINE_BYTES_MAX} bytes")));
        }
        Ok(if line.is_empty() { None } else { Some(line) })
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.step()? {
                return Some(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn lines_are_urls_objects_or_nothing() {
        let text = "http://a/\n\n# no\n  http://b/  \r\n{\"url\": \"http://c/\", \"out\": \"x\"}\n{\"url\": 1}\n\
                    {\"url\": \"http://d/\", \"uot\": \"x\"}\nhttp://e/";
        let lines: Vec<_> = Lines::new(text.as_bytes()).collect();
        let url = |text: &str| Ok(Item::of_url(text.to_owned()));
        assert_eq!(lines[0], url("http://a/"));
        assert_eq!(lines[1], url("http://b/"));
        assert_eq!(lines[2].as_ref().unwrap().out.as_deref(), Some(Path::new("x")));
        let bad = lines[3].as_ref().unwrap_err();
        assert_eq!((bad.number, bad.column), (6, Some(9)));
        assert!(!bad.reason.contains("column"), "{}", bad.reason);
        assert!(lines[4].as_ref().unwrap_err().reason.contains("uot"), "unknown members are refused");
        assert_eq!(lines[5], url("http://e/"));
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        for (text, urls) in [
            ("\u{feff}http://a/\r\nhttp://b/", &["http://a/", "http://b/"][..]),
            ("\u{feff}# no\r\nhttp://b/\r\n", &["http://b/"]),
            ("\u{feff}{\"url\": \"http://a/\"}", &["http://a/"]),
            ("\u{feff}", &[]),
            ("http://a/\n\u{feff}http://b/", &["http://a/", "\u{feff}http://b/"]),
        ] {
            let found: Vec<_> = Lines::new(text.as_bytes()).map(|line| line.unwrap().url).collect();
            assert_eq!(found, urls, "{text:?}");
        }
    }

    #[test]
    fn an_overlong_line_ends_the_list() {
        let text = "x".repeat(LINE_BYTES_MAX + 5);
        let lines: Vec<_> = Lines::new(text.as_bytes()).collect();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].is_err());
    }
}
