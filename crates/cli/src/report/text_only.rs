//! A writer that passes only text to a terminal: UTF-8 without control characters.
//!
//! Owns: telling text from other bytes, however writes split them.
//! Does not own: whether a sink is a terminal.

use std::io::{self, Write};
use std::{fmt, str};

use super::exit::Problem;

/// Passes text on and fails at the first byte that is not text.
pub(crate) struct TextOnly<W> {
    sink: W,
    /// The start of a character that a write has split. Invariant: at most 3 bytes.
    cut: Vec<u8>,
}

/// The data is not text.
#[derive(Debug)]
pub(crate) struct NotText;

impl NotText {
    /// Whether `error` wraps this error.
    pub(crate) fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not text")
    }
}

impl std::error::Error for NotText {}

/// Binary data would go to a terminal.
pub(crate) fn binary_on_terminal() -> Problem {
    Problem::usage("binary data isn't written to a terminal")
}

impl<W: Write> TextOnly<W> {
    pub(crate) fn new(sink: W) -> Self {
        Self { sink, cut: Vec::new() }
    }
}

impl<W: Write> Write for TextOnly<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let joined = [self.cut.as_slice(), bytes].concat();
        let whole = match str::from_utf8(&joined) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err(io::Error::other(NotText)),
        };
        let text = str::from_utf8(&joined[..whole]).map_err(|_| io::Error::other(NotText))?;
        if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(io::Error::other(NotText));
        }
        self.sink.write_all(text.as_bytes())?;
        self.cut = joined[whole..].to_vec();
        Ok(bytes.len())
    }

    /// An incomplete character is not written.
    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        let mut only = TextOnly::new(&mut out);
        let refused =
            pieces.iter().any(|piece| only.write_all(piece).is_err_and(|e| NotText::is_cause_of(&e)));
        (out, refused)
    }

    #[test]
    fn only_text_passes_however_writes_split_it() {
        let text = "Grüße, 世界 🙂\r\n\tbye\n".as_bytes();
        for middle in 0..=text.len() {
            assert_eq!(shown(&[&text[..middle], &text[middle..]]), (text.to_vec(), false), "{middle}");
        }
        for bad in [b"\0".as_slice(), b"\x1b[31m", b"\xff", b"\x80", b"\xc3\x28", "\u{9b}".as_bytes()] {
            assert_eq!(shown(&[b"ok ", bad]), (b"ok ".to_vec(), true), "{bad:?}");
        }
    }
}
