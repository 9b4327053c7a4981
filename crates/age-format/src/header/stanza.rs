//! Recipient stanzas as text.
//!
//! Owns: the grammar of one stanza.
//! Does not own: the meaning of its type.
//!
//! Spec: C2SP age.md, "Header" and "Recipient stanza".

use serde::{Deserialize, Serialize};

use crate::encoding::{from_base64, to_base64};
use crate::error::HeaderError;

/// A recipient stanza: it wraps the file key for one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stanza {
    /// The type, then its arguments, each of one or more printable ASCII characters. Invariant: not empty.
    pub arguments: Vec<String>,
    /// The wrapped file key, or other content that the type defines.
    pub body: Vec<u8>,
}

/// Columns of a full line of a body.
const COLUMNS: usize = 64;

impl Stanza {
    /// The type.
    pub fn tag(&self) -> &str {
        &self.arguments[0]
    }

    /// Appends the stanza's text.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"->");
        for argument in &self.arguments {
            out.push(b' ');
            out.extend_from_slice(argument.as_bytes());
        }
        out.push(b'\n');
        let text = to_base64(&self.body);
        let mut lines = text.as_bytes().chunks(COLUMNS).peekable();
        while let Some(line) = lines.next() {
            out.extend_from_slice(line);
            out.push(b'\n');
            // A body ends with a short line, which may be empty.
            if lines.peek().is_none() && line.len() == COLUMNS {
                out.push(b'\n');
            }
        }
        if text.is_empty() {
            out.push(b'\n');
        }
    }

    /// Parses the type and arguments from a line, given without its `-> `.
    pub(crate) fn parse_arguments(line: &[u8]) -> Result<Vec<String>, HeaderError> {
        line.split(|byte| *byte == b' ')
            .map(|word| match std::str::from_utf8(word) {
                Ok(text) if !text.is_empty() && word.iter().all(u8::is_ascii_graphic) => Ok(text.to_owned()),
                _ => Err(HeaderError::MalformedArguments),
            })
            .collect()
    }

    /// Decodes the body in `lines`, given without their line ends. The last is the short one.
    pub(crate) fn parse_body(lines: &[&[u8]]) -> Result<Vec<u8>, HeaderError> {
        let mut body = Vec::new();
        for line in lines {
            body.extend(from_base64(line).ok_or(HeaderError::MalformedBody)?);
        }
        Ok(body)
    }

    /// Whether a body continues after `line`.
    pub(crate) fn continues_after(line: &[u8]) -> Result<bool, HeaderError> {
        match line.len() {
            COLUMNS => Ok(true),
            0..COLUMNS => Ok(false),
            _ => Err(HeaderError::MalformedBody),
        }
    }
}
