//! A large file that arrives over several connections.
//!
//! The first request is that for the whole. Where its answer says all that is needed, the response goes on as the first
//! segment, and the others are asked for beside it: nothing is fetched twice, and what isn't divided costs no more than ever.
//!
//! Owns: which responses are divided, what the connections share, what they leave behind.
//! Does not own: what each does ([`crate::lane`]), the end of it all ([`crate::joining`]).
//!
//! Source: RFC 9110, sections 14.3 (Accept-Ranges) and 15.3.7.3 (combining parts).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use haul_http1::{Framing, ResponseHead};
use haul_io::{File, Io};
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING};
use http::{HeaderMap, StatusCode};

use crate::claims::Claim;
use crate::connection::Connection;
use crate::crowd::Seat;
use crate::exchange::Answered;
use crate::landing::Landing;
use crate::spans::{Held, Spans, lock};
use crate::validator::Validators;
use crate::{Config, Error, Request, Response, Segments, Times};

/// A file in segments on its way: what the parts of a task of a [`FetchJob`](crate::FetchJob) share.
pub struct Segmented {
    /// What every connection asks for, in parts.
    pub(crate) request: Request,
    pub(crate) whole: Whole,
    pub(crate) file: File,
    pub(crate) spans: Arc<Mutex<Spans>>,
    /// The response that goes on as the first segment, until the first lane takes it.
    first: Mutex<Option<First>>,
    /// Invariant: there until the file is finished.
    landing: Mutex<Option<Box<Landing>>>,
    _hold: Hold,
    /// The time that earlier attempts took.
    pub(crate) spent: Duration,
    pub(crate) times: Times,
    notes: Mutex<Notes>,
}

/// What a task has for itself while it is under way.
pub(crate) struct Hold {
    /// Its seat at its host.
    pub(crate) _seat: Option<Seat>,
    /// The name of the result, which nobody else may use meanwhile.
    pub(crate) _claim: Option<Claim>,
}

/// What all segments are parts of.
#[derive(Clone)]
pub(crate) struct Whole {
    /// The response that said so.
    pub(crate) response: Response,
    /// Invariant: with a total.
    pub(crate) validators: Validators,
    pub(crate) total: u64,
}

/// A response that may be divided, before its body.
pub(crate) struct Opened {
    pub(crate) request: Request,
    pub(crate) whole: Whole,
    pub(crate) connection: Connection,
    pub(crate) answered: Answered,
}

/// The response for the whole, and what it fetches of it.
pub(crate) struct First {
    pub(crate) connection: Connection,
    pub(crate) answered: Answered,
    pub(crate) held: Held,
}

/// What an attempt leaves for the next.
pub(crate) struct Paused {
    pub(crate) landing: Box<Landing>,
    pub(crate) whole: Whole,
    pub(crate) spans: Arc<Mutex<Spans>>,
}

/// What the connections came to.
#[derive(Default)]
pub(crate) struct Notes {
    /// A part was of something else than the whole.
    pub(crate) changed: bool,
    /// What no other connection can make up for.
    pub(crate) fatal: Option<Error>,
    /// Why the first of those connections ended that had not all.
    pub(crate) broken: Option<Error>,
    /// How long the host wants to be left alone.
    pub(crate) host_pause: Option<Duration>,
    /// How long the slowest took.
    pub(crate) elapsed: Duration,
}

impl Segments {
    /// How many segments a file of `total` bytes has at the beginning; less than two say that it isn't divided.
    fn count(&self, total: u64) -> u64 {
        let fitting = total / self.piece_bytes_min.max(1);
        if total < self.bytes_min { 1 } else { fitting.min(self.count_max as u64) }
    }
}

impl Whole {
    /// What the response with `head` is the whole of, if parts of it may be combined: its length is known, it has a strong
    /// validator, it isn't coded, and its server knows ranges.
    pub(crate) fn of(
        head: &ResponseHead,
        segments: &Segments,
        response: impl FnOnce() -> Response,
    ) -> Option<Self> {
        let Framing::Length(total) = head.framing else { return None };
        let headers = &head.headers;
        let fit = head.status == StatusCode::OK && knows_ranges(headers) && !is_coded(headers);
        if !fit || segments.count(total) < 2 {
            return None;
        }
        let validators = Validators::of(headers, Some(total))?;
        Some(Self { response: Response { body_bytes: total, ..response() }, validators, total })
    }
}

/// RFC 9110 section 14.3.
fn knows_ranges(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_RANGES).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|unit| unit.trim().eq_ignore_ascii_case("bytes"))
}

/// Whether content may be encoded, so that its bytes aren't those of the file.
pub(crate) fn is_coded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .into_iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

impl Segmented {
    /// Begins with the response that was `opened`. On failure `landing` comes back.
    pub(crate) async fn begin(
        io: &impl Io,
        config: &Config,
        opened: Opened,
        mut landing: Box<Landing>,
        (hold, spent, times): (Hold, Duration, Times),
    ) -> Result<Self, (Error, Box<Landing>)> {
        let Opened { request, whole, connection, answered } = opened;
        let file = match landing.open_whole(io).await {
            Ok(file) => file,
            Err(error) => return Err((error, landing)),
        };
        let segments = &config.segments;
        let spans = Spans::new(whole.total, segments.count(whole.total), segments.piece_bytes_min);
        let spans = Arc::new(Mutex::new(spans));
        let held = Held::take(&spans).expect("a file that is divided has bytes");
        Ok(Self {
            request,
            whole,
            file,
            spans,
            first: Mutex::new(Some(First { connection, answered, held })),
            landing: Mutex::new(Some(landing)),
            _hold: hold,
            spent,
            times,
            notes: Mutex::default(),
        })
    }

    /// Goes on where an earlier attempt ended. It asks for `request`, from which it may be led elsewhere than before.
    pub(crate) async fn resume(
        io: &impl Io,
        request: &Request,
        paused: Paused,
        (hold, spent): (Hold, Duration),
    ) -> Result<Self, (Error, Box<Landing>)> {
        let Paused { mut landing, whole, spans } = paused;
        match landing.open_whole(io).await {
            Err(error) => Err((error, landing)),
            Ok(file) => Ok(Self {
                request: request.clone(),
                whole,
                file,
                spans,
                first: Mutex::default(),
                landing: Mutex::new(Some(landing)),
                _hold: hold,
                spent,
                times: Times::default(),
                notes: Mutex::default(),
            }),
        }
    }

    /// How many parts the task has: connections.
    pub(crate) fn lanes(&self, segments: &Segments) -> u64 {
        segments.count(self.whole.total).max(1)
    }

    pub(crate) fn take_first(&self) -> Option<First> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn take_landing(&self) -> Box<Landing> {
        let landing = self.landing.lock().unwrap_or_else(PoisonError::into_inner).take();
        landing.expect("a task is finished once")
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes why a connection ended without having fetched all it could. The others go on, unless that would be in vain.
    pub(crate) fn note(&self, error: Error) {
        let mut notes = self.notes();
        match error {
            Error::UnaskedPart => notes.changed = true,
            Error::Cancelled
            | Error::Write(_)
            | Error::TooLarge { .. }
            | Error::Checksum { .. }
            | Error::Timeout(crate::Phase::Total) => {
                notes.fatal.get_or_insert(error);
            }
            _ => {
                notes.broken.get_or_insert(error);
                return;
            }
        }
        lock(&self.spans).stop();
    }
}
