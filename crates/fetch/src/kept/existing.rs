//! Whether an existing file matches the server's, or what the task expects.
//!
//! Owns: the request that finds out, and what counts as a match.
//! Does not own: partial files ([`crate::kept::partial`]).
//!
//! Source: RFC 9110, sections 8.8.2 (Last-Modified), 14.4 (Content-Range).

use haul_http1::{ContentRange, Framing, ResponseHead, content_range};
use haul_io::{Io, Stat};
use http::header::RANGE;
use http::{HeaderValue, StatusCode};

use crate::body::digest::Check;
use crate::kept::content::{Content, Format};
use crate::kept::place::Place;
use crate::kept::validator::last_modified;
use crate::transfer::attempt::Attempt;
use crate::transfer::fetch::{Hop, Looked};
use crate::{Error, Expected, Request, Response};

/// A file that exists.
#[derive(Clone, Copy)]
pub(crate) struct Existing<'a> {
    pub(crate) place: &'a Place,
    pub(crate) stat: &'a Stat,
    /// How results are stored.
    pub(crate) format: Format<'a>,
}

/// What the server says of an existing file.
pub(crate) enum Verdict {
    /// It is what the server has.
    Complete(Response),
    /// Only its content can tell.
    Unknown(Content),
    /// Another host is to be asked, by this request for the whole.
    Elsewhere(Hop),
}

/// Checks whether the `existing` file matches the server's: it has the same length, and the same time or the expected
/// checksums. Of a file that is encoded and that no key opens, the time must match: the checksums were checked before
/// it got its name. Only the first byte is requested, as some servers don't support HEAD for every URL. `hop` is where
/// an earlier look led.
///
/// # Errors
/// [`Error::Differs`] or [`Error::Checksum`] if it is another file; [`Error::Unreadable`] if only its content could
/// tell, and no key opens it.
pub(crate) async fn check<I: Io>(
    attempt: &mut Attempt<'_, I>,
    request: &Request,
    hop: Option<&Hop>,
    expected: &Expected,
    existing: Existing<'_>,
) -> Result<Verdict, Error> {
    let Existing { place, stat, format } = existing;
    let content = Content::of(attempt.io, place, stat.bytes, format).await?.ok_or(Error::Differs)?;
    if expected.size.is_some_and(|size| size != content.bytes) {
        return Err(Error::Differs);
    }
    let (request, redirect_count) = hop.map_or((request, 0), |hop| (&hop.request, hop.redirect_count));
    let (head, response) = match look(attempt, request, redirect_count).await? {
        None => return unknown(content),
        Some(Looked::Head(head, response)) => (head, response),
        Some(Looked::Elsewhere(hop)) => return Ok(Verdict::Elsewhere(hop)),
    };
    let total = total(&head);
    if total.is_some_and(|total| total != content.bytes) {
        return Err(Error::Differs);
    }
    if !expected.checksums.is_empty() && content.is_readable() {
        hash(attempt.io, expected, &content).await?;
    } else if total.is_none() || last_modified(&head.headers).is_none() {
        return unknown(content);
    } else if !is_as_old(&head, stat) {
        return Err(Error::Differs);
    }
    Ok(Verdict::Complete(Response { body_bytes: content.bytes, ..response }))
}

/// The head of a response to a request for the first byte; none if the server refuses that.
pub(crate) async fn look<I: Io>(
    attempt: &mut Attempt<'_, I>,
    request: &Request,
    redirect_count: u32,
) -> Result<Option<Looked>, Error> {
    let mut request = request.clone();
    request.headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
    match attempt.look(request, redirect_count).await {
        // Some servers refuse ranges, or this one.
        Err(Error::Status(response)) if matches!(response.status.as_u16(), 400 | 403 | 416 | 501) => Ok(None),
        Err(error) => Err(error),
        Ok(Looked::Elsewhere(mut hop)) => {
            hop.request.headers.remove(RANGE);
            Ok(Some(Looked::Elsewhere(hop)))
        }
        Ok(head) => Ok(Some(head)),
    }
}

/// Only the content can tell what the file is.
fn unknown(content: Content) -> Result<Verdict, Error> {
    if content.is_readable() { Ok(Verdict::Unknown(content)) } else { Err(Error::Unreadable) }
}

/// Whether `content` is as `expected`, as far as that can be told without the server and with the keys that there are.
pub(crate) async fn is_expected(io: &impl Io, expected: &Expected, content: &Content) -> Result<bool, Error> {
    if expected.size.is_some_and(|size| size != content.bytes) {
        return Ok(false);
    }
    if expected.checksums.is_empty() || !content.is_readable() {
        return Ok(true);
    }
    match hash(io, expected, content).await {
        Err(Error::Checksum { .. }) => Ok(false),
        result => result.map(|()| true),
    }
}

async fn hash(io: &impl Io, expected: &Expected, content: &Content) -> Result<(), Error> {
    let mut checks: Vec<_> = expected.checksums.iter().cloned().map(Check::new).collect();
    let each = |piece: &[u8]| checks.iter_mut().for_each(|check| check.update(piece));
    content.read(io, each).await?;
    checks.into_iter().try_for_each(Check::finish)
}

/// The length of the whole, as the response with `head` tells it.
pub(crate) fn total(head: &ResponseHead) -> Option<u64> {
    match (head.status, content_range(&head.headers).ok()?, head.framing) {
        (StatusCode::PARTIAL_CONTENT, Some(ContentRange::Part { first: 0, total, .. }), _) => total,
        // An empty file has no first byte.
        (StatusCode::RANGE_NOT_SATISFIABLE, Some(ContentRange::Unsatisfied { total: 0 }), _) => Some(0),
        (StatusCode::OK, None, Framing::Length(bytes)) => Some(bytes),
        _ => None,
    }
}

/// Whether the file has the time that the server names, as every file fetched from there has.
fn is_as_old(head: &ResponseHead, stat: &Stat) -> bool {
    last_modified(&head.headers) == Some(stat.modified.0)
}
