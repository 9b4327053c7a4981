//! A file that is there already: is it what the server has?
//!
//! Owns: the question, and what counts as a yes.
//! Does not own: files that were begun ([`crate::partial`]).
//!
//! Source: RFC 9110, sections 8.8.2 (Last-Modified), 13.1.3 (If-Modified-Since), 14.4 (Content-Range).

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use haul_http1::{ContentRange, Framing, ResponseHead, content_range};
use haul_io::{Io, OpenMode, Stat};
use http::header::{LAST_MODIFIED, RANGE};
use http::{HeaderValue, StatusCode};

use crate::digest::Check;
use crate::exchange::Clock;
use crate::landing::read_through;
use crate::trace::Trace;
use crate::transfer::Shared;
use crate::{Error, FetchTask, Request, Response};

/// That the file described by `stat` is what the server has: as long, and not older. Asks for the first byte only: servers
/// that know no HEAD for a URL know this. Where checksums are expected, the file is read and they are compared.
pub(crate) async fn check(
    shared: &Shared,
    io: &impl Io,
    task: &FetchTask,
    request: &Request,
    (path, stat): (&Path, &Stat),
    clock: Clock<'_>,
    trace: &mut Trace,
) -> Result<Response, Error> {
    let mut request = request.clone();
    request.headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
    let (head, response) = shared.look(io, &request, clock, trace).await?;
    let size_fits = task.expected.size.is_none_or(|size| size == stat.bytes);
    match size_fits && total(&head) == Some(stat.bytes) && !is_newer(&head, stat) {
        true => hash(io, task, path, stat).await?,
        false => return Err(Error::Differs),
    }
    Ok(Response { body_bytes: stat.bytes, ..response })
}

async fn hash(io: &impl Io, task: &FetchTask, path: &Path, stat: &Stat) -> Result<(), Error> {
    if task.expected.checksums.is_empty() {
        return Ok(());
    }
    let file = io.open(None, path, OpenMode::Read { follow: true }).await.map_err(Error::write)?;
    let mut checks: Vec<_> = task.expected.checksums.iter().cloned().map(Check::new).collect();
    let each = |piece: &[u8]| checks.iter_mut().for_each(|check| check.update(piece));
    read_through(io, &file, stat.bytes, each).await?;
    checks.into_iter().try_for_each(Check::finish)
}

/// Bytes of the whole that `head` tells of.
fn total(head: &ResponseHead) -> Option<u64> {
    match (head.status, content_range(&head.headers).ok()?, head.framing) {
        (StatusCode::PARTIAL_CONTENT, Some(ContentRange::Part { first: 0, total, .. }), _) => total,
        // An empty file has no first byte.
        (StatusCode::RANGE_NOT_SATISFIABLE, Some(ContentRange::Unsatisfied { total: 0 }), _) => Some(0),
        (StatusCode::OK, None, Framing::Length(bytes)) => Some(bytes),
        _ => None,
    }
}

/// Whether the server's was modified after the file was.
fn is_newer(head: &ResponseHead, stat: &Stat) -> bool {
    let modified = head.headers.get(LAST_MODIFIED).and_then(|value| value.to_str().ok());
    let Some(Ok(theirs)) = modified.map(httpdate::parse_http_date) else { return false };
    theirs > seconds_after_epoch(stat.modified.0)
}

fn seconds_after_epoch(seconds: i64) -> SystemTime {
    let since = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { UNIX_EPOCH.checked_sub(since) } else { UNIX_EPOCH.checked_add(since) };
    time.unwrap_or(UNIX_EPOCH)
}
