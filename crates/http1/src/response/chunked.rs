//! The chunked transfer coding, decoding side.
//!
//! Owns: chunk sizes, chunk extensions (skipped, up to a limit), chunk line ends, the trailer section.
//! Does not own: the grammar of trailer fields (see `fields.rs`).
//!
//! Source: RFC 9112, section 7.1 (chunked), 7.1.1 (extensions), 7.1.2 (trailer section).
//!
//! Here only CR LF ends a line. RFC 9112, section 2.2, lets a recipient accept a lone LF in heads; in chunk lines
//! that would let two recipients read two different bodies.

use http::HeaderMap;

use super::fields;
use super::step::{BodyState, Step};
use crate::error::ProtocolError;
use crate::limits::Limits;
use crate::syntax::{find_lf, is_blank, is_text};

/// 16 hexadecimal digits are 64 bits, leading zeros included: no size overflows.
const SIZE_DIGITS_MAX: u8 = 16;

#[derive(Clone, Debug)]
pub(crate) struct Chunked {
    state: State,
    /// While a size is being read, the digits so far; then the remaining data bytes of the chunk.
    left_bytes: u64,
    extension_bytes: usize,
    extension_bytes_max: usize,
    trailer_bytes_max: usize,
    trailer_count_max: usize,
    /// The trailer lines so far. Invariant: at most `trailer_bytes_max` bytes, empty unless there are
    /// trailers.
    trailer_lines: Vec<u8>,
    trailers: Option<HeaderMap>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the next digit of a size.
    Size {
        digit_count: u8,
    },
    /// White space after a size. An extension or the end of the line follows.
    Blank,
    Extension,
    /// After the CR of a size line.
    SizeLf,
    Data,
    /// After the data of a chunk.
    DataCr,
    DataLf,
    /// At the start of the line after the last chunk's.
    TrailerStart,
    /// Within the lines of a trailer section that isn't empty.
    Trailer,
    /// After the CR of the empty line that ends a body without trailers.
    EndLf,
    Done,
}

impl Chunked {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            state: State::Size { digit_count: 0 },
            left_bytes: 0,
            extension_bytes: 0,
            extension_bytes_max: limits.chunk_extension_bytes_max,
            trailer_bytes_max: limits.trailer_bytes_max,
            trailer_count_max: limits.header_count_max,
            trailer_lines: Vec::new(),
            trailers: None,
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.state == State::Done
    }

    pub(crate) fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    pub(crate) fn run_bytes(&self) -> Option<u64> {
        (self.state == State::Data).then_some(self.left_bytes)
    }

    /// Processes framing up to the first run of data, the end of the body, or the end of the input.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<Step, ProtocolError> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                return Ok(self.take_data(at, input.len()));
            }
            at += self.framing(&input[at..])?;
        }
        let state = if self.state == State::Done { BodyState::Complete } else { BodyState::NeedMore };
        Ok(Step { consumed: at, data: at..at, state })
    }

    fn take_data(&mut self, at: usize, input_len: usize) -> Step {
        let len = usize::try_from(self.left_bytes).map_or(input_len - at, |left| left.min(input_len - at));
        self.left_bytes -= len as u64;
        if self.left_bytes == 0 {
            self.state = State::DataCr;
        }
        let end = at + len;
        let state = if end == input_len { BodyState::NeedMore } else { BodyState::More };
        Step { consumed: end, data: at..end, state }
    }

    /// Processes one or more bytes at the start of `input`, which isn't empty, and returns how many.
    fn framing(&mut self, input: &[u8]) -> Result<usize, ProtocolError> {
        let byte = input[0];
        self.state = match self.state {
            State::Size { digit_count } => self.size(digit_count, byte)?,
            State::Blank => self.blank(byte)?,
            State::Extension => return self.extension(input),
            State::SizeLf => {
                expect(b'\n', byte)?;
                if self.left_bytes == 0 { State::TrailerStart } else { State::Data }
            }
            State::DataCr => expect(b'\r', byte).map(|()| State::DataLf)?,
            State::DataLf => expect(b'\n', byte).map(|()| State::Size { digit_count: 0 })?,
            State::TrailerStart if byte == b'\r' => State::EndLf,
            State::TrailerStart | State::Trailer => return self.trailer(input),
            State::EndLf => expect(b'\n', byte).map(|()| State::Done)?,
            State::Data | State::Done => return Ok(0),
        };
        Ok(1)
    }

    fn size(&mut self, digit_count: u8, byte: u8) -> Result<State, ProtocolError> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            if digit_count == SIZE_DIGITS_MAX {
                return Err(ProtocolError::ChunkSizeTooLong);
            }
            // The digit limit keeps the value within 64 bits. The first digit starts a new number.
            let before = if digit_count == 0 { 0 } else { self.left_bytes << 4 };
            self.left_bytes = before | u64::from(digit);
            return Ok(State::Size { digit_count: digit_count + 1 });
        }
        match byte {
            _ if digit_count == 0 => Err(ProtocolError::InvalidChunkSize { byte }),
            b'\r' => Ok(State::SizeLf),
            b';' => self.count_extension(1).map(|()| State::Extension),
            byte if is_blank(byte) => self.count_extension(1).map(|()| State::Blank),
            byte => Err(ProtocolError::InvalidChunkSize { byte }),
        }
    }

    /// The grammar allows white space after a size only before a semicolon. Servers that write a size into a field of
    /// fixed width leave blanks before the line end, too.
    fn blank(&mut self, byte: u8) -> Result<State, ProtocolError> {
        let next = match byte {
            b'\r' => return Ok(State::SizeLf),
            b';' => State::Extension,
            byte if is_blank(byte) => State::Blank,
            byte => return Err(ProtocolError::InvalidChunkSize { byte }),
        };
        self.count_extension(1).map(|()| next)
    }

    /// Skips extensions. Their grammar contains neither CR nor LF, so the line ends at the first CR.
    fn extension(&mut self, input: &[u8]) -> Result<usize, ProtocolError> {
        let len = input.iter().position(|byte| !is_text(*byte)).unwrap_or(input.len());
        self.count_extension(len)?;
        match input.get(len) {
            None => Ok(len),
            Some(b'\r') => {
                self.state = State::SizeLf;
                Ok(len + 1)
            }
            Some(byte) => Err(ProtocolError::InvalidChunkExtension { byte: *byte }),
        }
    }

    fn count_extension(&mut self, len: usize) -> Result<(), ProtocolError> {
        // An error counts nothing, so that the same input returns the same error again.
        if len > self.extension_bytes_max - self.extension_bytes {
            return Err(ProtocolError::ChunkExtensionsTooLarge { bytes_max: self.extension_bytes_max });
        }
        self.extension_bytes += len;
        Ok(())
    }

    /// Collects trailer lines up to the empty one.
    fn trailer(&mut self, input: &[u8]) -> Result<usize, ProtocolError> {
        let lf = find_lf(input);
        let len = lf.map_or(input.len(), |lf| lf + 1);
        if len > self.trailer_bytes_max - self.trailer_lines.len() {
            return Err(ProtocolError::TrailersTooLarge { bytes_max: self.trailer_bytes_max });
        }
        self.state = State::Trailer;
        self.trailer_lines.extend_from_slice(&input[..len]);
        if lf.is_none() {
            return Ok(len);
        }
        let Some(before) = self.trailer_lines.strip_suffix(b"\r\n") else {
            return Err(ProtocolError::ChunkLineEnd { byte: b'\n' });
        };
        if before.ends_with(b"\n") {
            self.trailers = Some(fields::parse(before, 1, self.trailer_count_max)?);
            self.trailer_lines = Vec::new();
            self.state = State::Done;
        }
        Ok(len)
    }
}

fn expect(wanted: u8, byte: u8) -> Result<(), ProtocolError> {
    if byte == wanted { Ok(()) } else { Err(ProtocolError::ChunkLineEnd { byte }) }
}
