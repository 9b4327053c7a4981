//! Whether a file that is there already is what the server has, or what it must be.
//!
//! Owns: the question, and what counts as a yes.
//! Does not own: files that were begun ([`crate::partial`]).
//!
//! Source: RFC 9110, sections 8.8.2 (Last-Modified), 14.4 (Content-Range).

use std::path::Path;

use haul_http1::{ContentRange, Framing, ResponseHead, content_range};
use haul_io::{Io, OpenMode, Stat};
use http::header::RANGE;
use http::{HeaderValue, StatusCode};

use crate::digest::Check;
use crate::exchange::Clock;
use crate::landing::read_through;
use crate::trace::Trace;
use crate::transfer::Shared;
use crate::{Error, FetchTask, Request, Response, landing};

/// That the file described by `stat` is what the server has: as long, and with its time or the expected checksums. Asks for the first byte only: servers
/// that know no HEAD for a URL know this.
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
    if !size_fits || total(&head) != Some(stat.bytes) {
        return Err(Error::Differs);
    }
    match task.expected.checksums.is_empty() {
        true if is_as_old(&head, stat) => {}
        true => return Err(Error::Differs),
        false => hash(io, task, path, stat.bytes).await?,
    }
    Ok(Response { body_bytes: stat.bytes, ..response })
}

/// Whether the file of so many bytes is what the body of `task` must be, as far as that is known without the server.
pub(crate) async fn is_expected(
    io: &impl Io,
    task: &FetchTask,
    path: &Path,
    bytes: u64,
) -> Result<bool, Error> {
    if task.expected.size.is_some_and(|size| size != bytes) {
        return Ok(false);
    }
    if task.expected.checksums.is_empty() {
        return Ok(true);
    }
    match hash(io, task, path, bytes).await {
        Err(Error::Checksum { .. }) => Ok(false),
        result => result.map(|()| true),
    }
}

async fn hash(io: &impl Io, task: &FetchTask, path: &Path, bytes: u64) -> Result<(), Error> {
    let file = io.open(None, path, OpenMode::Read { follow: true }).await.map_err(Error::write)?;
    let mut checks: Vec<_> = task.expected.checksums.iter().cloned().map(Check::new).collect();
    let each = |piece: &[u8]| checks.iter_mut().for_each(|check| check.update(piece));
    read_through(io, &file, bytes, each).await?;
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

/// Whether the file's time is the one that the server names, as that of every file is that was fetched from there.
fn is_as_old(head: &ResponseHead, stat: &Stat) -> bool {
    landing::modified(&head.headers) == Some(stat.modified.0)
}
