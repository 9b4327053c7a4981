//! Partial responses: parsing Content-Range, and checking it against the requested range.
//!
//! Owns: the grammar of Content-Range, the check of 200, 206 and 416 against a request for one range.
//! Does not own: validators (If-Range), the decision to resume, the assembly of parts.
//!
//! Source: RFC 9110, section 14.4 (Content-Range), 15.3.7 (206), 15.5.17 (416).

use std::fmt;

use http::header::{CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use crate::response::framing::Framing;
use crate::response::head::ResponseHead;
use crate::syntax::decimal;

/// A Content-Range in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// `bytes first-last/total`, both ends included. Invariant: `first <= last`, and `last < total` where
    /// that is known.
    Part {
        /// Index of the first byte.
        first: u64,
        /// Index of the last byte.
        last: u64,
        /// Bytes of the whole representation; `None` for `*`.
        total: Option<u64>,
    },
    /// `bytes */total`: the requested range doesn't exist.
    Unsatisfied {
        /// Bytes of the whole representation.
        total: u64,
    },
}

/// The single requested range: `bytes=first-last`, or `bytes=first-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedRange {
    /// Index of the first byte.
    pub first: u64,
    /// Index of the last byte, included; `None` for everything from `first` on.
    pub last: Option<u64>,
    /// Bytes of the whole representation, if known from an earlier response.
    pub total: Option<u64>,
}

/// The kind of response to a range request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeAnswer {
    /// 206: the body is exactly the bytes `first..=last`, and starts at the requested byte.
    Part {
        /// Index of the first byte.
        first: u64,
        /// Index of the last byte. A server may send fewer bytes than requested: compare, and request the remaining
        /// ones.
        last: u64,
        /// Bytes of the whole representation, if the server said so.
        total: Option<u64>,
    },
    /// 200: the body is the whole representation. Start over.
    Whole,
    /// 416, and the first requested byte is the total: the caller already has everything.
    AlreadyComplete,
    /// Another status, which says nothing about ranges.
    Other,
}

/// Why a response doesn't match the requested range.
///
/// The texts read after "cannot fetch …: ". No variant wraps another error, so `source()` is always `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RangeError {
    /// 206 without Content-Range.
    Missing,
    /// A Content-Range that is malformed, contradicts itself, occurs twice, or has a unit other than bytes.
    Malformed,
    /// 206 with several parts, although only one range was requested.
    Multipart,
    /// The part isn't within the requested range, or doesn't start at its first byte.
    Mismatch {
        /// The first requested byte.
        requested_first: u64,
        /// The first byte of the part.
        first: u64,
        /// The last byte of the part.
        last: u64,
    },
    /// The size of the whole representation has changed.
    TotalChanged {
        /// Bytes before.
        expected: u64,
        /// Bytes now.
        found: u64,
    },
    /// The length of the body isn't the length of the part.
    LengthMismatch {
        /// Bytes of the part.
        part_bytes: u64,
        /// Bytes of the body.
        body_bytes: u64,
    },
    /// 416 for a range that should exist.
    Unsatisfiable {
        /// Bytes of the whole representation, if the server said so.
        total: Option<u64>,
    },
}

/// The Content-Range of a header section; `None` if it has none.
///
/// # Errors
///
/// [`RangeError::Malformed`], also if the field occurs twice or its unit isn't bytes.
pub fn content_range(headers: &HeaderMap) -> Result<Option<ContentRange>, RangeError> {
    let mut values = headers.get_all(CONTENT_RANGE).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => parse(value.as_bytes()).map(Some).ok_or(RangeError::Malformed),
        (Some(_), Some(_)) => Err(RangeError::Malformed),
    }
}

fn parse(value: &[u8]) -> Option<ContentRange> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (unit, range) = (&value[..space], &value[space + 1..]);
    // Unit names are case-insensitive (RFC 9110, section 14.1).
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let (ends, total) = split(range, b'/')?;
    if ends == b"*" {
        return Some(ContentRange::Unsatisfied { total: decimal(total)? });
    }
    let total = if total == b"*" { None } else { Some(decimal(total)?) };
    let (first, last) = split(ends, b'-')?;
    let (first, last) = (decimal(first)?, decimal(last)?);
    let fits = first <= last && total.is_none_or(|total| last < total);
    fits.then_some(ContentRange::Part { first, last, total })
}

fn split(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

impl RequestedRange {
    /// Checks `response` against this range.
    ///
    /// If the framing gives the length of a part, it is checked as well. Otherwise the caller must check that the
    /// body has `last - first + 1` bytes.
    ///
    /// # Errors
    ///
    /// A [`RangeError`] if the body must not be used.
    pub fn check(&self, response: &ResponseHead) -> Result<RangeAnswer, RangeError> {
        match response.status {
            StatusCode::OK => Ok(RangeAnswer::Whole),
            StatusCode::PARTIAL_CONTENT => self.check_part(response),
            StatusCode::RANGE_NOT_SATISFIABLE => self.check_unsatisfied(&response.headers),
            _ => Ok(RangeAnswer::Other),
        }
    }

    fn check_part(&self, response: &ResponseHead) -> Result<RangeAnswer, RangeError> {
        if is_multipart(&response.headers) {
            return Err(RangeError::Multipart);
        }
        let (first, last, total) = match content_range(&response.headers)? {
            None => return Err(RangeError::Missing),
            Some(ContentRange::Unsatisfied { .. }) => return Err(RangeError::Malformed),
            Some(ContentRange::Part { first, last, total }) => (first, last, total),
        };
        if first != self.first || self.last.is_some_and(|requested| last > requested) {
            return Err(RangeError::Mismatch { requested_first: self.first, first, last });
        }
        self.check_total(total)?;
        if self.total.is_some_and(|expected| last >= expected) {
            return Err(RangeError::Mismatch { requested_first: self.first, first, last });
        }
        // `0-18446744073709551615` has one byte more than a u64 can count; no file is that large.
        let part_bytes = (last - first).checked_add(1).ok_or(RangeError::Malformed)?;
        match response.framing {
            Framing::Length(body_bytes) if body_bytes != part_bytes => {
                Err(RangeError::LengthMismatch { part_bytes, body_bytes })
            }
            _ => Ok(RangeAnswer::Part { first, last, total }),
        }
    }

    fn check_unsatisfied(&self, headers: &HeaderMap) -> Result<RangeAnswer, RangeError> {
        // Servers often omit the field from 416, or send a malformed one; the total is then unknown.
        let total = match content_range(headers) {
            Ok(Some(ContentRange::Unsatisfied { total })) => total,
            _ => return Err(RangeError::Unsatisfiable { total: None }),
        };
        self.check_total(Some(total))?;
        if total == self.first {
            Ok(RangeAnswer::AlreadyComplete)
        } else {
            Err(RangeError::Unsatisfiable { total: Some(total) })
        }
    }

    fn check_total(&self, total: Option<u64>) -> Result<(), RangeError> {
        match (self.total, total) {
            (Some(expected), Some(found)) if expected != found => {
                Err(RangeError::TotalChanged { expected, found })
            }
            _ => Ok(()),
        }
    }
}

fn is_multipart(headers: &HeaderMap) -> bool {
    let prefix = b"multipart/byteranges";
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        value.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("partial response without Content-Range"),
            Self::Malformed => f.write_str("malformed Content-Range"),
            Self::Multipart => f.write_str("partial response in several parts"),
            Self::Mismatch { requested_first, first, last } => {
                write!(
                    f,
                    "partial response with bytes {first}-{last}, but the requested range starts at {requested_first}"
                )
            }
            Self::TotalChanged { expected, found } => {
                write!(f, "the size changed from {expected} to {found} bytes")
            }
            Self::LengthMismatch { part_bytes, body_bytes } => {
                write!(f, "partial response of {body_bytes} bytes for a range of {part_bytes}")
            }
            Self::Unsatisfiable { total: Some(total) } => {
                write!(f, "the requested range is outside the {total} bytes available")
            }
            Self::Unsatisfiable { total: None } => {
                f.write_str("the server can't satisfy the requested range")
            }
        }
    }
}

impl std::error::Error for RangeError {}
