//! How an attempt at a task begins: with nothing, or with what earlier runs left.
//!
//! Owns: the sink for each destination, which leftovers count.
//! Does not own: the leftovers themselves ([`crate::kept`]), the attempt ([`crate::list::job`]).

use std::path::PathBuf;

use haul_io::{Existing, Io, Publish};
use http::Method;

use crate::body::download::Download;
use crate::body::file_sink::FileSink;
use crate::body::sink::Sink;
use crate::kept::claims::Claims;
use crate::kept::condition::LocalCopy;
use crate::kept::existing;
use crate::kept::partial::Partial;
use crate::kept::place::Place;
use crate::kept::sync::{Sync, SyncStart};
use crate::list::new_directories::NewDirectories;
use crate::transfer::attempt::Attempt;
use crate::transfer::fetch::Hop;
use crate::{Destination, Error, FetchTask, Request, Response};

/// How an attempt begins.
pub(super) enum Prepared {
    Download(Box<Download>),
    /// The file exists and is complete.
    Skipped(Box<Response>, PathBuf),
    /// Another host is to be asked about the file that exists.
    Elsewhere(Box<Hop>),
}

/// The download of `task`, with what an earlier run left of it. Names that servers choose are claimed of `claims`. `hop`
/// is where an earlier look at the server's file led.
pub(super) async fn prepare<I: Io>(
    claims: &Claims,
    directories: &NewDirectories,
    attempt: &mut Attempt<'_, I>,
    task: &FetchTask,
    request: &Request,
    hop: Option<&Hop>,
) -> Result<Prepared, Error> {
    let io = attempt.io;
    let publish = match &task.destination {
        // A head is no file.
        Destination::File(_) | Destination::Named(_) if request.method == Method::HEAD => {
            return Ok(Prepared::of(Sink::discard(u64::MAX), task));
        }
        Destination::File(publish) => publish,
        Destination::Named(publish) => {
            let sink = Sink::file(FileSink::new(publish.clone(), None));
            let download = Download::new(sink, task.expected.clone()).named_by_server(claims.clone());
            return Ok(Prepared::Download(Box::new(download)));
        }
        Destination::Stream(file) => return Ok(Prepared::of(Sink::stream(file.clone()), task)),
        Destination::Discard => return Ok(Prepared::of(Sink::discard(u64::MAX), task)),
    };
    if attempt.shared.config.sync || attempt.shared.config.resume {
        return Box::pin(prepare_kept(attempt, task, request, hop, publish)).await;
    }
    if publish.existing == Existing::Refuse && directories.has(io, &publish.path).await {
        return Err(Error::Exists);
    }
    Ok(Prepared::of(Sink::file(FileSink::new(publish.clone(), None)), task))
}

/// As [`prepare`], for a file of which earlier runs may have left something.
async fn prepare_kept<I: Io>(
    attempt: &mut Attempt<'_, I>,
    task: &FetchTask,
    request: &Request,
    hop: Option<&Hop>,
    publish: &Publish,
) -> Result<Prepared, Error> {
    let io = attempt.io;
    let place = Place::of(publish);
    // Before the request: a name that leads out of the directory of results is told at once.
    place.make_directory(io).await.map_err(Error::write)?;
    if attempt.shared.config.sync && request.may_come_in_parts() {
        return prepare_sync(io, task, request, publish).await;
    }
    let resumes = attempt.shared.config.resume && request.may_come_in_parts();
    if publish.existing == Existing::Refuse
        && let Ok(stat) = place.stat(io).await
    {
        if !resumes {
            return Err(Error::Exists);
        }
        let partial = Partial::of(publish, &request.url);
        let response = match existing::check(attempt, request, hop, &task.expected, &place, &stat).await? {
            existing::Verdict::Complete(response) => response,
            existing::Verdict::Elsewhere(hop) => return Ok(Prepared::Elsewhere(Box::new(hop))),
            existing::Verdict::Unknown => {
                return Ok(Prepared::of(Sink::file(FileSink::comparing(publish.clone(), partial)), task));
            }
        };
        // A run that was killed may have left the record of a file that it completed.
        partial.remove_leftovers(io).await;
        return Ok(Prepared::Skipped(Box::new(response), publish.path.clone()));
    }
    if !resumes {
        return Ok(Prepared::of(Sink::file(FileSink::new(publish.clone(), None)), task));
    }
    let partial = Partial::of(publish, &request.url);
    match partial.find(io).await? {
        None => Ok(Prepared::of(Sink::file(FileSink::new(publish.clone(), Some(partial))), task)),
        Some(kept) => {
            let prefix = kept.prefix.clone();
            let sink = Sink::file(FileSink::resumed(publish.clone(), partial, kept));
            let download = Download::resumed(io, sink, task.expected.clone(), prefix).await?;
            Ok(Prepared::Download(Box::new(download)))
        }
    }
}

impl Prepared {
    fn of(sink: Sink, task: &FetchTask) -> Self {
        Self::Download(Box::new(Download::new(sink, task.expected.clone())))
    }
}

/// Begins to bring the file of `task` up to date.
async fn prepare_sync(
    io: &impl Io,
    task: &FetchTask,
    request: &Request,
    publish: &Publish,
) -> Result<Prepared, Error> {
    let SyncStart { sync, mut copy } = Sync::begin(io, publish, &request.url).await?;
    if let Some(LocalCopy { bytes, .. }) = copy
        && !existing::is_expected(io, &task.expected, &Place::of(publish), bytes).await?
    {
        // A file that isn't as expected is fetched again, even if the server has the same.
        copy = None;
    }
    let sink = Sink::file(FileSink::keeping_up(publish.clone(), sync));
    let download = Download::new(sink, task.expected.clone()).unless_current(copy);
    Ok(Prepared::Download(Box::new(download)))
}
