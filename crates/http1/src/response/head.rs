//! Response heads: parsed from the bytes of a connection into a status, fields and a framing.
//!
//! Owns: where a head ends, its limits, interim responses, when 101 is acceptable.
//! Does not own: the grammar of its lines (see `status_line.rs`, `fields.rs`), the body.
//!
//! Source: RFC 9112, section 2.1 and 2.2 (message format and parsing); RFC 9110, section 15.2 (interim
//! responses).

use std::ops::Range;

use http::{HeaderMap, Method, StatusCode, Version};

use super::framing::Framing;
use super::{fields, framing, status_line};
use crate::error::ProtocolError;
use crate::limits::Limits;
use crate::syntax::find_lf;

/// The result of [`Exchange::head`]. Lengths are in bytes.
#[derive(Clone, Debug)]
pub enum Head {
    /// The input ends within a head. Call again with a longer prefix of the same input.
    NeedMore,
    /// An interim (1xx) response of `len` bytes. Drop these bytes and call again with the following ones.
    Interim {
        /// 100 to 199, never 101.
        status: StatusCode,
        /// The fields of the interim response.
        headers: HeaderMap,
        /// Where the next head starts.
        len: usize,
    },
    /// The final response. The body starts at `input[len..]`.
    Complete {
        /// The head.
        response: ResponseHead,
        /// The position of the reason phrase in the input; often empty, and never meaningful to a program.
        reason: Range<usize>,
        /// Where the body starts.
        len: usize,
    },
}

/// The head of a final response.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// HTTP/1.0, or HTTP/1.1 for every later HTTP/1.x.
    pub version: Version,
    /// 100 to 999. A client treats classes beyond 5 like 5xx (RFC 9110, section 15).
    pub status: StatusCode,
    /// The fields in the order of their first occurrence. Values keep bytes above 0x7f.
    pub headers: HeaderMap,
    /// How the body ends.
    pub framing: Framing,
}

/// The responses to one request.
///
/// Cost: each byte of a head is searched once for its end, however it is split, and parsed once.
#[derive(Clone, Debug)]
pub struct Exchange {
    method: Method,
    limits: Limits,
    upgrade_allowed: bool,
    answered: bool,
    interim_count: u32,
    scan: Scan,
}

/// How much of the current head has been searched for its end.
///
/// Invariant: `line_start <= scanned`, no LF lies in `line_start..scanned`, and every line before
/// `line_start` is whole.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    line_start: usize,
    scanned: usize,
    line_count: usize,
}

impl Exchange {
    /// Starts an exchange for a request of `method`, which decides whether the response has a body.
    pub fn new(method: &Method, limits: Limits) -> Self {
        Self {
            method: method.clone(),
            limits,
            upgrade_allowed: false,
            answered: false,
            interim_count: 0,
            scan: Scan::default(),
        }
    }

    /// Accepts 101 (Switching Protocols), because the request carried an Upgrade field. Refused by default.
    #[must_use]
    pub fn allow_upgrade(mut self) -> Self {
        self.upgrade_allowed = true;
        self
    }

    /// Parses a head at the start of `input`, the unread bytes of the connection.
    ///
    /// After [`Head::NeedMore`], the next `input` must start with the same bytes and be longer; bytes already searched
    /// aren't searched again. A complete head fits in [`Limits::head_bytes_max`] bytes, so a buffer of that size never
    /// needs to grow.
    ///
    /// # Errors
    ///
    /// Any [`ProtocolError`] about heads and framing. The error doesn't depend on how the input is split. The
    /// exchange has failed then.
    pub fn head(&mut self, input: &[u8]) -> Result<Head, ProtocolError> {
        if self.answered {
            return Err(ProtocolError::AlreadyAnswered);
        }
        status_line::check_start(input)?;
        let Some(len) = self.scan.find_end(input, &self.limits)? else {
            return Ok(Head::NeedMore);
        };
        let scan = std::mem::take(&mut self.scan);
        self.parse(&input[..len], scan.line_count)
    }

    /// The error if the peer closes the connection before a head is complete. `unread` is the part of it received so
    /// far.
    pub fn closed(&self, unread: &[u8]) -> ProtocolError {
        if unread.is_empty() && self.interim_count == 0 {
            ProtocolError::ClosedBeforeResponse
        } else {
            ProtocolError::ClosedInHead { received_bytes: unread.len() as u64 }
        }
    }

    /// Whether a response has begun; `unread` is the part of it received so far. Bytes that can't begin one are no
    /// response: they may be left over from an earlier exchange (RFC 9112, section 9.2).
    pub fn has_begun(&self, unread: &[u8]) -> bool {
        self.interim_count > 0 || (!unread.is_empty() && status_line::is_name(unread))
    }

    /// Parses a complete head, including its final empty line.
    fn parse(&mut self, head: &[u8], line_count: usize) -> Result<Head, ProtocolError> {
        let first_len = find_lf(head).map_or(head.len(), |lf| lf + 1);
        let line = status_line::parse(without_line_end(&head[..first_len]))?;
        // The head ends with an empty line: LF or CR LF after the LF of the previous line.
        let end_len = if head.ends_with(b"\r\n") { 2 } else { 1 };
        // The two overlap only if the caller changed bytes that were already searched. That must not panic.
        let lines = head.get(first_len..head.len() - end_len).unwrap_or_default();
        // All lines hold fields except the first and the empty one.
        let headers = fields::parse(lines, line_count.saturating_sub(2), self.limits.header_count_max)?;

        if line.status.is_informational() && line.status != StatusCode::SWITCHING_PROTOCOLS {
            self.interim_count += 1;
            if self.interim_count > self.limits.interim_count_max {
                return Err(ProtocolError::TooManyInterim { count_max: self.limits.interim_count_max });
            }
            return Ok(Head::Interim { status: line.status, headers, len: head.len() });
        }
        if line.status == StatusCode::SWITCHING_PROTOCOLS && !self.upgrade_allowed {
            return Err(ProtocolError::UnrequestedUpgrade);
        }
        let framing = framing::decide(&self.method, line.version, line.status, &headers)?;
        self.answered = true;
        let response = ResponseHead { version: line.version, status: line.status, headers, framing };
        Ok(Head::Complete { response, reason: line.reason, len: head.len() })
    }
}

impl Scan {
    /// The length of the head at the start of `input`, if it is complete. A lone LF ends a line just as CR LF does (RFC
    /// 9112, section 2.2).
    fn find_end(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let window = &input[..input.len().min(limits.head_bytes_max)];
        if window.len() < self.scanned {
            // This isn't a longer prefix of the same input: start over instead of trusting the earlier search.
            *self = Self::default();
        }
        while let Some(found) = find_lf(&window[self.scanned..]) {
            let lf = self.scanned + found;
            let line = &window[self.line_start..lf];
            self.check_first_line(lf + 1, limits)?;
            self.line_count += 1;
            self.line_start = lf + 1;
            self.scanned = lf + 1;
            if matches!(line, [] | [b'\r']) {
                return Ok(Some(lf + 1));
            }
        }
        self.scanned = window.len();
        // No line end within `len` bytes: the line has at least one byte more.
        self.check_first_line(window.len() + 1, limits)?;
        if window.len() == limits.head_bytes_max {
            return Err(ProtocolError::HeadTooLarge { bytes_max: limits.head_bytes_max });
        }
        Ok(None)
    }

    fn check_first_line(&self, len_min: usize, limits: &Limits) -> Result<(), ProtocolError> {
        let bytes_max = limits.status_line_bytes_max.min(limits.head_bytes_max);
        if self.line_count == 0 && len_min > bytes_max {
            return Err(ProtocolError::StatusLineTooLong { bytes_max });
        }
        Ok(())
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
