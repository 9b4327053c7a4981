//! The whole header: version, stanzas, MAC.
//!
//! Owns: its grammar and its MAC.
//! Does not own: unwrapping ([`crate::open_header`]), the payload.
//!
//! Spec: C2SP age.md, "Header" and "Header MAC".

use aws_lc_rs::hmac;

use super::stanza::Stanza;
use crate::encoding::{array_from_base64, is_utf16, to_base64, without_mark};
use crate::error::HeaderError;
use crate::file_key::FileKey;

/// The header of an age file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// One per recipient, at least one.
    stanzas: Vec<Stanza>,
    /// The bytes that the MAC covers: from the start through `---`.
    covered: Vec<u8>,
    mac: [u8; 32],
}

/// The result of [`Header::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The input ends within the header. Call again with more of it; at the end of a file, the file is truncated.
    NeedMore,
    /// The header is complete. The nonce begins at `input[len..]`.
    Complete {
        /// The header.
        header: Header,
        /// Its length in bytes.
        len: usize,
    },
}

const VERSION_LINE: &[u8] = b"age-encryption.org/v1\n";

impl Header {
    /// The longest header accepted, in bytes; a longer one is [`HeaderError::TooLong`]. Enough for about 600
    /// post-quantum stanzas.
    pub const BYTES_MAX: usize = 1 << 20;

    /// Parses the header at the start of `input`.
    ///
    /// # Errors
    /// As soon as no continuation of `input` could be a valid header.
    pub fn parse(input: &[u8]) -> Result<Parsed, HeaderError> {
        if !input.starts_with(&VERSION_LINE[..VERSION_LINE.len().min(input.len())]) {
            let is_converted = is_utf16(input) || without_mark(input).len() < input.len();
            return Err(if is_converted { HeaderError::Converted } else { HeaderError::NotAge });
        }
        let mut reader = Reader { input: &input[..input.len().min(Self::BYTES_MAX)], position: 0 };
        match parse_from(&mut reader)? {
            Some(header) => Ok(Parsed::Complete { header, len: reader.position }),
            None if input.len() >= Self::BYTES_MAX => Err(HeaderError::TooLong),
            None => Ok(Parsed::NeedMore),
        }
    }

    /// The stanzas, in order.
    pub fn stanzas(&self) -> &[Stanza] {
        &self.stanzas
    }

    /// The text of a header with `stanzas`, authenticated by `file_key`.
    pub(crate) fn seal(stanzas: &[Stanza], file_key: &FileKey) -> Vec<u8> {
        let mut text = VERSION_LINE.to_vec();
        for stanza in stanzas {
            stanza.encode(&mut text);
        }
        text.extend_from_slice(b"---");
        let mac = hmac::sign(&file_key.header_key(), &text);
        text.push(b' ');
        text.extend_from_slice(to_base64(mac.as_ref()).as_bytes());
        text.push(b'\n');
        text
    }

    /// Whether the header is the one that was sealed under `file_key`, compared in constant time.
    pub(crate) fn is_authentic(&self, file_key: &FileKey) -> bool {
        hmac::verify(&file_key.header_key(), &self.covered, &self.mac).is_ok()
    }
}

/// Reads the input line by line.
struct Reader<'a> {
    input: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// The next line without its LF; `None` if the LF is missing so far.
    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = &self.input[self.position..];
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        self.position += length + 1;
        Some(&rest[..length])
    }
}

/// Returns `None` if more input is needed.
fn parse_from(reader: &mut Reader<'_>) -> Result<Option<Header>, HeaderError> {
    let Some(_version) = reader.line() else { return Ok(None) };
    let mut stanzas = Vec::new();
    loop {
        let line_start = reader.position;
        let Some(line) = reader.line() else { return Ok(None) };
        if let Some(arguments) = line.strip_prefix(b"-> ") {
            let arguments = Stanza::parse_arguments(arguments)?;
            let Some(body) = parse_body(reader)? else { return Ok(None) };
            stanzas.push(Stanza { arguments, body });
        } else if let Some(mac) = line.strip_prefix(b"--- ") {
            let mac = array_from_base64(mac).ok_or(HeaderError::MalformedMac)?;
            if stanzas.is_empty() {
                return Err(HeaderError::NoStanza);
            }
            let covered = reader.input[..line_start + b"---".len()].to_vec();
            return Ok(Some(Header { stanzas, covered, mac }));
        } else {
            return Err(HeaderError::MalformedLine);
        }
    }
}

fn parse_body(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, HeaderError> {
    let mut lines = Vec::new();
    loop {
        let Some(line) = reader.line() else { return Ok(None) };
        lines.push(line);
        if !Stanza::continues_after(line)? {
            return Stanza::parse_body(&lines).map(Some);
        }
    }
}
