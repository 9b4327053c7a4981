//! Field lines: those of a head, after its status line, and those of a trailer section.
//!
//! Owns: names, values, line folding, the number of fields, which malformed fields are dropped.
//! Does not own: where a section ends and how large it may be (see `head.rs` and `chunked.rs`).
//!
//! Source: RFC 9112, section 5 (field syntax), 5.1 (space before the colon), 5.2 (line folding), 2.2 (bare
//! CR, white space before the first field); RFC 9110, section 5.5 (values).
//!
//! The crate has its own parser because the common ones refuse line folding or keep its line break in the value, need
//! an array of fixed length, and start over at every longer prefix. The grammar fits on a page, and each rule has a
//! test.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, LOCATION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::ProtocolError;
use crate::syntax::{find_lf, is_blank, is_text, is_token, trim};

/// Fields that frame the body, say what its bytes are, or route what follows. Malformed, they fail the message; any
/// other malformed field is dropped.
const ESSENTIAL: [HeaderName; 7] =
    [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, LOCATION, TRANSFER_ENCODING, UPGRADE];

/// Parses complete lines, each with its LF or CR LF, without the final empty line. One pass over the bytes.
///
/// A malformed field is dropped with its continuation lines, unless it is essential or contains a carriage return, or
/// its name a control character.
///
/// `line_count` is a hint: room for that many fields, at most `count_max`, is reserved at once, which avoids rehashing.
pub(crate) fn parse(lines: &[u8], line_count: usize, count_max: usize) -> Result<HeaderMap, ProtocolError> {
    let too_many = ProtocolError::TooManyFields { count_max };
    let mut fields = HeaderMap::try_with_capacity(line_count.min(count_max)).map_err(|_| too_many.clone())?;
    if lines.first().copied().is_some_and(is_blank) {
        return Err(ProtocolError::SpaceBeforeFirstField);
    }
    // All values share one copy of the lines: copying each would be the most expensive part of parsing.
    let shared = Bytes::copy_from_slice(lines);
    let mut lines: &[u8] = &shared;
    let mut left = count_max;
    while !lines.is_empty() {
        left = left.checked_sub(1).ok_or_else(|| too_many.clone())?;
        let line = take_line(&mut lines);
        let parsed = split_name(line).and_then(|(name, value)| {
            let name = parse_name(name)?;
            let value = if lines.first().copied().is_some_and(is_blank) {
                parse_value(&name, unfold(value, &mut lines).into())?
            } else {
                parse_value(&name, shared.slice_ref(value))?
            };
            Ok((name, value))
        });
        match parsed {
            Ok((name, value)) => _ = fields.try_append(name, value).map_err(|_| too_many.clone())?,
            Err(error) if is_fatal(&error, line) => return Err(error),
            Err(_) => drop_continuation(&mut lines)?,
        }
    }
    Ok(fields)
}

/// Whether `error` of the field in `line` fails the whole message.
fn is_fatal(error: &ProtocolError, line: &[u8]) -> bool {
    let before_colon = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let has_control = |text: &[u8]| text.iter().any(|byte| !is_text(*byte));
    let name_len = line.iter().position(|byte| !is_token(*byte)).unwrap_or(line.len());
    let is_essential =
        ESSENTIAL.iter().any(|name| line[..name_len].eq_ignore_ascii_case(name.as_str().as_bytes()));
    *error == ProtocolError::BareCr || line.contains(&b'\r') || is_essential || has_control(before_colon)
}

/// Skips the continuation lines of a dropped field.
fn drop_continuation(lines: &mut &[u8]) -> Result<(), ProtocolError> {
    while lines.first().copied().is_some_and(is_blank) {
        if take_line(lines).contains(&b'\r') {
            return Err(ProtocolError::BareCr);
        }
    }
    Ok(())
}

/// Removes one line from `lines` and returns it without its line end.
fn take_line<'a>(lines: &mut &'a [u8]) -> &'a [u8] {
    let all = *lines;
    let (line, rest) = match find_lf(all) {
        Some(lf) => (&all[..lf], &all[lf + 1..]),
        None => (all, &all[all.len()..]),
    };
    *lines = rest;
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn split_name(line: &[u8]) -> Result<(&[u8], &[u8]), ProtocolError> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        let bare_cr = line.contains(&b'\r');
        return Err(if bare_cr { ProtocolError::BareCr } else { ProtocolError::MissingColon });
    };
    Ok((&line[..colon], trim(&line[colon + 1..])))
}

fn parse_name(name: &[u8]) -> Result<HeaderName, ProtocolError> {
    HeaderName::from_bytes(name).map_err(|_| {
        if name.last().copied().is_some_and(is_blank) {
            return ProtocolError::SpaceBeforeColon;
        }
        match name.iter().copied().find(|byte| !is_token(*byte)) {
            Some(b'\r') => ProtocolError::BareCr,
            byte => ProtocolError::InvalidFieldName { byte },
        }
    })
}

fn parse_value(name: &HeaderName, value: Bytes) -> Result<HeaderValue, ProtocolError> {
    HeaderValue::from_maybe_shared(value.clone()).map_err(|_| {
        match value.iter().copied().find(|byte| !is_text(*byte)) {
            Some(b'\r') | None => ProtocolError::BareCr,
            Some(byte) => ProtocolError::InvalidFieldValue { name: name.clone(), byte },
        }
    })
}

/// Appends the continuation lines that follow to `value`, with one SP for each fold (RFC 9112, section 5.2).
fn unfold(value: &[u8], lines: &mut &[u8]) -> Vec<u8> {
    let mut joined = value.to_vec();
    while lines.first().copied().is_some_and(is_blank) {
        joined.push(b' ');
        joined.extend_from_slice(trim(take_line(lines)));
    }
    trim(&joined).to_vec()
}
