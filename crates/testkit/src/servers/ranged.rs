//! Answers that follow the rules of ranges and validators.
//!
//! Owns: If-None-Match, If-Range and single byte ranges.
//! Does not own: dates as validators, multiple ranges (the whole body is a valid answer to these).
//!
//! Source: RFC 9110, sections 13 and 14.

use super::answer::Answer;
use super::request::Request;

impl Answer {
    /// The part of `body` that `request` asks for, with status 200, 206, 304 or 416. `etag` includes its quotes.
    pub fn ranged(request: &Request, body: &[u8], etag: &str) -> Self {
        let answer = |status| Self::new(status).header("ETag", etag).header("Accept-Ranges", "bytes");
        // RFC 9110, 13.2.2: If-None-Match is evaluated before the range.
        if request.header("if-none-match").is_some_and(|tags| tags == "*" || tags.contains(etag)) {
            return answer(304);
        }
        // RFC 9110, 13.1.5: the range applies only if the validator matches.
        let same_body = request.header("if-range").is_none_or(|tag| tag == etag);
        match request.header("range").filter(|_| same_body).and_then(|range| parse(range, body.len())) {
            None => answer(200).body(body),
            Some(Err(Unsatisfiable)) => {
                answer(416).header("Content-Range", &format!("bytes */{}", body.len()))
            }
            Some(Ok((first, last))) => answer(206)
                .header("Content-Range", &format!("bytes {first}-{last}/{}", body.len()))
                .body(&body[first..=last]),
        }
    }
}

struct Unsatisfiable;

/// The first and last byte; none unless the field is one range of bytes.
fn parse(range: &str, len: usize) -> Option<Result<(usize, usize), Unsatisfiable>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first, last) {
        ("", count) => (len.saturating_sub(count.parse().ok()?), len.checked_sub(1)),
        (first, "") => (first.parse().ok()?, len.checked_sub(1)),
        (first, last) => (first.parse().ok()?, Some(last.parse::<usize>().ok()?.min(len.saturating_sub(1)))),
    };
    Some(match last {
        Some(last) if first <= last && first < len => Ok((first, last)),
        _ => Err(Unsatisfiable),
    })
}
