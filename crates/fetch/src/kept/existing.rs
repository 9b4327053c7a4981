//! Whether an existing file matches the server's, or what the task expects.
//!
//! Owns: the request that finds out, and what counts as a match.
//! Does not own: partial files ([`crate::kept::partial`]).
//!
//! Source: RFC 9110, sections 8.8.2 (Last-Modified), 14.4 (Content-Range).

use haul_http1::{ContentRange, Framing, ResponseHead, content_range};
use haul_io::{Io, OpenMode, Stat};
use http::header::RANGE;
use http::{HeaderValue, StatusCode};

use crate::body::digest::Check;
use crate::body::reread::reread;
use crate::kept::place::Place;
use crate::kept::validator::last_modified;
use crate::transfer::attempt::Attempt;
use crate::transfer::fetch::{Hop, Looked};
use crate::{Error, Expected, Request, Response};

/// What the server says of an existing file.
#[expect(
    clippy::large_enum_variant,
    reason = "it is made once for each existing file, and taken apart at once"
)]
pub(crate) enum Verdict {
    /// It is what the server has.
    Complete(Response),
    /// Only its content can tell.
    Unknown,
    /// Another host is to be asked, by this request for the whole.
    Elsewhere(Hop),
}

/// Checks whether the existing file in `place`, described by `stat`, matches the server's: it has the same length, and
/// the same time or the expected checksums. Only the first byte is requested, as some servers don't support HEAD for
/// every URL. `hop` is where an earlier look led.
///
/// # Errors
/// [`Error::Differs`] or [`Error::Checksum`] if it is another file.
pub(crate) async fn check<I: Io>(
    attempt: &mut Attempt<'_, I>,
    request: &Request,
    hop: Option<&Hop>,
    expected: &Expected,
    place: &Place,
    stat: &Stat,
) -> Result<Verdict, Error> {
    if expected.size.is_some_and(|size| size != stat.bytes) {
        return Err(Error::Differs);
    }
    let (request, redirect_count) = hop.map_or((request, 0), |hop| (&hop.request, hop.redirect_count));
    let mut request = request.clone();
    request.headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
    let (head, response) = match attempt.look(request, redirect_count).await {
        // Some servers refuse ranges, or this one.
        Err(Error::Status(status)) if matches!(status.as_u16(), 400 | 403 | 416 | 501) => {
            return Ok(Verdict::Unknown);
        }
        Err(error) => return Err(error),
        Ok(Looked::Head(head, response)) => (head, response),
        Ok(Looked::Elsewhere(mut hop)) => {
            hop.request.headers.remove(RANGE);
            return Ok(Verdict::Elsewhere(hop));
        }
    };
    let total = total(&head);
    if total.is_some_and(|total| total != stat.bytes) {
        return Err(Error::Differs);
    }
    if !expected.checksums.is_empty() {
        hash(attempt.io, expected, place, stat.bytes).await?;
    } else if total.is_none() || last_modified(&head.headers).is_none() {
        return Ok(Verdict::Unknown);
    } else if !is_as_old(&head, stat) {
        return Err(Error::Differs);
    }
    Ok(Verdict::Complete(Response { body_bytes: stat.bytes, ..response }))
}

/// Whether the file in `place` of `bytes` bytes is as `expected`, as far as that can be told without the server.
pub(crate) async fn is_expected(
    io: &impl Io,
    expected: &Expected,
    place: &Place,
    bytes: u64,
) -> Result<bool, Error> {
    if expected.size.is_some_and(|size| size != bytes) {
        return Ok(false);
    }
    if expected.checksums.is_empty() {
        return Ok(true);
    }
    match hash(io, expected, place, bytes).await {
        Err(Error::Checksum { .. }) => Ok(false),
        result => result.map(|()| true),
    }
}

async fn hash(io: &impl Io, expected: &Expected, place: &Place, bytes: u64) -> Result<(), Error> {
    let file = place.open(io, OpenMode::Read { follow: true }).await.map_err(Error::write)?;
    let mut checks: Vec<_> = expected.checksums.iter().cloned().map(Check::new).collect();
    let each = |piece: &[u8]| checks.iter_mut().for_each(|check| check.update(piece));
    reread(io, &file, bytes, each).await?;
    checks.into_iter().try_for_each(Check::finish)
}

/// The length of the whole, as the response with `head` tells it.
fn total(head: &ResponseHead) -> Option<u64> {
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
