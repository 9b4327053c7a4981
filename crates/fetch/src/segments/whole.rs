//! The file that all segments are parts of.
//!
//! Owns: which responses can be split, and whether a response with a part belongs to the same file.
//! Does not own: which bytes are requested ([`crate::segments::spans`]).
//!
//! Source: RFC 9110, sections 14.3 (Accept-Ranges), 15.3.7.3 (combining parts).

use std::ops::Range;

use haul_http1::{Framing, RangeAnswer, RequestedRange, ResponseHead};
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::body::coding::decoding::changes_nothing;
use crate::kept::validator::Validators;
use crate::{Error, Request, Response, Segments};

#[derive(Clone)]
pub(crate) struct Whole {
    /// The response for the whole.
    pub(crate) response: Response,
    /// Invariant: their total is known.
    validators: Validators,
    /// Length in bytes.
    pub(crate) total: u64,
}

/// How many segments a file of `total` bytes has at first; fewer than two mean that it isn't split.
pub(crate) fn segment_count(segments: &Segments, total: u64) -> u64 {
    let fitting = total / segments.piece_bytes_min.max(1);
    if total < segments.bytes_min { 1 } else { fitting.min(segments.count_max as u64) }
}

impl Whole {
    /// The file that the response with `head` is all of, if it can be fetched in parts: its length is known, it has a
    /// strong validator and no content coding, and the server supports ranges.
    pub(crate) fn of(
        head: &ResponseHead,
        segments: &Segments,
        response: impl FnOnce() -> Response,
    ) -> Option<Self> {
        let Framing::Length(total) = head.framing else { return None };
        let headers = &head.headers;
        let is_fit = head.status == StatusCode::OK && supports_ranges(headers) && !is_coded(headers);
        if !is_fit || segment_count(segments, total) < 2 {
            return None;
        }
        let validators = Validators::of(headers, Some(total))?;
        Some(Self { response: Response { body_bytes: total, ..response() }, validators, total })
    }

    /// `request` for the bytes in `range`, on condition that the file is still the same.
    pub(crate) fn ranged(&self, request: &Request, range: &Range<u64>) -> Request {
        let mut request = request.clone();
        let value = format!("bytes={}-{}", range.start, range.end - 1);
        request.headers.insert(RANGE, HeaderValue::try_from(value).expect("digits are text"));
        request.headers.insert(IF_RANGE, self.validators.if_range().clone());
        request
    }

    /// How many bytes the response to a request for `range` has.
    ///
    /// # Errors
    /// If it isn't part of this file. The response must prove that itself, by the same validator that was sent: nothing
    /// else vouches for a file that is combined from parts.
    pub(crate) fn part_bytes(&self, range: &Range<u64>, head: &ResponseHead) -> Result<u64, Error> {
        let asked = RequestedRange { first: range.start, last: Some(range.end - 1), total: Some(self.total) };
        match asked.check(head) {
            Ok(RangeAnswer::Part { first, last, total: Some(total) })
                if total == self.total && self.is_same(head) && !is_coded(&head.headers) =>
            {
                Ok(last - first + 1)
            }
            _ => Err(Error::UnaskedPart),
        }
    }

    fn is_same(&self, head: &ResponseHead) -> bool {
        let of_part = Validators::of(&head.headers, Some(self.total));
        of_part.is_some_and(|of_part| of_part.if_range() == self.validators.if_range())
    }
}

/// RFC 9110 section 14.3.
fn supports_ranges(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_RANGES).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|unit| unit.trim().eq_ignore_ascii_case("bytes"))
}

/// Whether the content is encoded, so that its bytes aren't those of the file.
fn is_coded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).into_iter().any(|codings| match codings.to_str() {
        Ok(codings) => codings.split(',').any(|coding| !changes_nothing(coding.trim())),
        Err(_) => true,
    })
}
