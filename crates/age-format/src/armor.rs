//! Armor: an age file as text, in a strict PEM block.
//!
//! Owns: the block's grammar in both directions, for input in pieces of any size.
//! Does not own: the content of the block.
//!
//! Spec: C2SP age.md, "ASCII armor"; RFC 7468, Section 3, Figure 3.

use base64::Engine;

use crate::encoding::BASE64_PADDED;
use crate::error::ArmorError;

pub(crate) const BEGIN_LINE: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
pub(crate) const END_LINE: &[u8] = b"-----END AGE ENCRYPTED FILE-----";
/// Columns of a full line.
pub(crate) const COLUMNS: usize = 64;
/// Bytes that a full line encodes.
pub(crate) const LINE_BYTES: usize = 48;
/// How many bytes of a file are examined to detect armor.
const START_BYTES_MAX: usize = 1024 + BEGIN_LINE.len();
/// The longest line, with a CR.
const PENDING_BYTES_MAX: usize = COLUMNS + 1;

/// Whether a file that begins with `start` is armored: optional white space, then the first line of armor.
pub fn is_armored(start: &[u8]) -> bool {
    start.trim_ascii_start().starts_with(BEGIN_LINE)
}

/// Whether [`is_armored`] could still become true with more bytes of the same file. After 1 KiB of white space the
/// answer is no.
pub fn may_become_armored(start: &[u8]) -> bool {
    let begun = start.trim_ascii_start();
    start.len() < START_BYTES_MAX && begun.len() < BEGIN_LINE.len() && BEGIN_LINE.starts_with(begun)
}

/// Decodes armor to bytes. Fails at the first character that departs from the canonical text; white space around the
/// block and CR LF line ends are allowed.
///
/// ```
/// let mut decoder = haul_age_format::ArmorDecoder::default();
/// let mut bytes = Vec::new();
/// for piece in ["-----BEGIN AGE ENCRYPTED FILE-----\naGV", "sbG8=\n-----END AGE ENCRYPTED FILE-----\n"] {
///     decoder.push(piece.as_bytes(), &mut bytes).unwrap();
/// }
/// decoder.finish(&mut bytes).unwrap();
/// assert_eq!(bytes, b"hello");
/// ```
#[derive(Debug)]
pub struct ArmorDecoder {
    state: State,
    /// The incomplete current line. Invariant: at most [`PENDING_BYTES_MAX`] bytes.
    pending: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Only white space so far.
    Before {
        at_line_start: bool,
    },
    /// In the block, before any short line.
    Inside,
    /// After a short line: the next one must end the block.
    AfterShortLine,
    /// The block is complete.
    After,
    Failed(ArmorError),
}

impl Default for ArmorDecoder {
    fn default() -> Self {
        Self { state: State::Before { at_line_start: true }, pending: Vec::with_capacity(PENDING_BYTES_MAX) }
    }
}

impl ArmorDecoder {
    /// A decoder for lines in the block, without the first line of armor.
    pub(crate) fn inside() -> Self {
        Self { state: State::Inside, pending: Vec::new() }
    }

    /// Decodes more text and appends the result to `bytes`.
    ///
    /// # Errors
    /// As soon as no continuation could be valid armor. Every later call fails as well.
    pub fn push(&mut self, text: &[u8], bytes: &mut Vec<u8>) -> Result<(), ArmorError> {
        let result = self.take(text, bytes);
        if let Err(error) = result {
            self.state = State::Failed(error);
        }
        result
    }

    /// Ends the input.
    ///
    /// # Errors
    /// If the block isn't complete.
    pub fn finish(mut self, bytes: &mut Vec<u8>) -> Result<(), ArmorError> {
        // The last line may lack its line end.
        let line = std::mem::take(&mut self.pending);
        if matches!(self.state, State::Inside | State::AfterShortLine) && !line.is_empty() {
            self.line(&line, bytes)?;
        }
        match self.state {
            State::After => Ok(()),
            State::Failed(error) => Err(error),
            _ => Err(ArmorError::CutShort),
        }
    }

    fn take(&mut self, mut text: &[u8], bytes: &mut Vec<u8>) -> Result<(), ArmorError> {
        while !text.is_empty() {
            match self.state {
                State::Before { .. } if self.pending.is_empty() && is_space(text[0]) => {
                    self.state = State::Before { at_line_start: text[0] == b'\n' };
                    text = &text[1..];
                }
                State::Before { at_line_start: false } => return Err(ArmorError::NotArmor),
                State::After if is_space(text[0]) => text = &text[1..],
                State::After => return Err(ArmorError::AfterEnd),
                State::Failed(error) => return Err(error),
                State::Before { .. } | State::Inside | State::AfterShortLine => {
                    text = self.up_to_line_end(text, bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Consumes the bytes of the current line and returns the remaining ones.
    fn up_to_line_end<'a>(&mut self, text: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], ArmorError> {
        let room = PENDING_BYTES_MAX - self.pending.len();
        let Some(length) = text.iter().take(room + 1).position(|byte| *byte == b'\n') else {
            if text.len() > room {
                return Err(self.misfit());
            }
            self.pending.extend_from_slice(text);
            return self.may_begin().map(|()| &text[text.len()..]);
        };
        let (line, rest) = text.split_at(length);
        if self.pending.is_empty() {
            self.line(line, bytes)?;
        } else {
            self.pending.extend_from_slice(line);
            let mut line = std::mem::take(&mut self.pending);
            let result = self.line(&line, bytes);
            line.clear();
            self.pending = line;
            result?;
        }
        Ok(&rest[1..])
    }

    /// Fails early if the pending bytes can't become the first line of armor.
    fn may_begin(&self) -> Result<(), ArmorError> {
        let first = self.pending.strip_suffix(b"\r").unwrap_or(&self.pending);
        match self.state {
            State::Before { .. } if !BEGIN_LINE.starts_with(first) => Err(ArmorError::NotArmor),
            _ => Ok(()),
        }
    }

    /// Processes a complete line, given without its LF.
    fn line(&mut self, line: &[u8], bytes: &mut Vec<u8>) -> Result<(), ArmorError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.state = match self.state {
            State::Before { .. } if line == BEGIN_LINE => State::Inside,
            State::Inside | State::AfterShortLine if line == END_LINE => State::After,
            State::Inside => decode_line(line, bytes)?,
            _ => return Err(self.misfit()),
        };
        Ok(())
    }

    /// The error for an unexpected line.
    fn misfit(&self) -> ArmorError {
        match self.state {
            State::Before { .. } => ArmorError::NotArmor,
            _ => ArmorError::MalformedLine,
        }
    }
}

/// Appends the decoded bytes of a line in the block and returns the state after it.
fn decode_line(line: &[u8], bytes: &mut Vec<u8>) -> Result<State, ArmorError> {
    let mut decoded = [0; LINE_BYTES];
    if line.is_empty() || line.len() > COLUMNS {
        return Err(ArmorError::MalformedLine);
    }
    let count = BASE64_PADDED.decode_slice(line, &mut decoded).map_err(|_| ArmorError::MalformedLine)?;
    bytes.extend_from_slice(&decoded[..count]);
    Ok(if count == LINE_BYTES { State::Inside } else { State::AfterShortLine })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Encodes bytes as armor, with LF line ends.
#[derive(Debug, Default)]
pub struct ArmorEncoder {
    has_begun: bool,
    /// Bytes that don't fill a line yet. Invariant: fewer than [`LINE_BYTES`] bytes.
    pending: Vec<u8>,
}

impl ArmorEncoder {
    /// Encodes more bytes and appends the lines they fill to `text`.
    pub fn push(&mut self, mut bytes: &[u8], text: &mut Vec<u8>) {
        self.begin(text);
        if !self.pending.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(LINE_BYTES - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() < LINE_BYTES {
                return;
            }
            encode_line(&self.pending, text);
            self.pending.clear();
        }
        let (lines, rest) = bytes.as_chunks::<LINE_BYTES>();
        text.reserve(lines.len() * (COLUMNS + 1));
        lines.iter().for_each(|line| encode_line(line, text));
        self.pending.extend_from_slice(rest);
    }

    /// Appends the remaining bytes and the end of the block.
    pub fn finish(mut self, text: &mut Vec<u8>) {
        self.begin(text);
        if !self.pending.is_empty() {
            encode_line(&self.pending, text);
        }
        text.extend_from_slice(END_LINE);
        text.push(b'\n');
    }

    fn begin(&mut self, text: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            text.extend_from_slice(BEGIN_LINE);
            text.push(b'\n');
        }
    }
}

/// Appends `bytes`, at most one line's worth, as a line.
fn encode_line(bytes: &[u8], text: &mut Vec<u8>) {
    let mut line = [b'\n'; COLUMNS];
    let count = BASE64_PADDED.encode_slice(bytes, &mut line).expect("a line has room for what it holds");
    text.extend_from_slice(&line[..count]);
    text.push(b'\n');
}
