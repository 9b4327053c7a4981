//! How an attempt at a task begins: with nothing, or with what earlier runs left.
//!
//! Owns: the sink for each destination, which leftovers count.
//! Does not own: the leftovers themselves ([`crate::kept`]), the attempt ([`crate::list::job`]).

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use haul_io::{Existing, Io, Publish};
use http::{HeaderMap, Method, StatusCode};

use crate::body::download::Download;
use crate::body::encoded::chunks::Chunks;
use crate::body::encoded::encoding::Encoding;
use crate::body::file_sink::FileSink;
use crate::body::sink::Sink;
use crate::kept::claims::Claims;
use crate::kept::comparison::Comparison;
use crate::kept::content::read_head;
use crate::kept::existing;
use crate::kept::partial::{Kept, Partial};
use crate::kept::place::Place;
use crate::kept::sync::{Sync, SyncStart};
use crate::list::directories::Directories;
use crate::packs::name::PackName;
use crate::packs::sink::PackSink;
use crate::transfer::attempt::Attempt;
use crate::transfer::fetch::Hop;
use crate::uploads::checked::{CheckedUpload, Earlier, check_uploaded};
use crate::uploads::sink::UploadSink;
use crate::uploads::tools::Uploads;
use crate::{Destination, Error, FetchTask, Request, Response, UploadName};

/// How an attempt begins.
pub(super) enum Prepared {
    Download(Box<Download>),
    /// The file exists and is complete.
    Skipped(Box<Response>, PathBuf),
    /// Another host is to be asked about the file that exists.
    Elsewhere(Box<Hop>),
}

/// What the tasks of a run share.
pub(super) struct RunState<'a> {
    /// Of the names that servers choose, too.
    pub(super) claims: &'a Claims,
    pub(super) directories: &'a Directories,
    pub(super) uploads: &'a Uploads,
}

/// The download of `task`, with what an earlier run left of it. `hop` is where an earlier look at the server's file
/// led.
pub(super) async fn prepare<I: Io>(
    run: &RunState<'_>,
    attempt: &mut Attempt<'_, I>,
    task: &FetchTask,
    request: &Request,
    hop: Option<&Hop>,
) -> Result<Prepared, Error> {
    let (io, encoding) = (attempt.io, attempt.shared.encoding.as_ref());
    let publish = match &task.destination {
        // A head is no file.
        Destination::File(_) | Destination::Named(_) | Destination::Upload(_) | Destination::Pack(_)
            if request.method == Method::HEAD =>
        {
            return Ok(Prepared::of(Sink::discard(u64::MAX), task, None));
        }
        Destination::File(publish) => publish,
        Destination::Named(publish) => {
            run.directories.enter(io, publish).await;
            let sink = Sink::file(FileSink::new(publish.clone(), None));
            let download = Download::new(sink, task.expected.clone()).stored_as(encoding);
            return Ok(Prepared::Download(Box::new(download.named_by_server(run.claims.clone()))));
        }
        Destination::Upload(to) => {
            return Box::pin(prepare_upload(run, attempt, task, request, hop, to)).await;
        }
        Destination::Pack(to) => return prepare_pack(attempt, task, request, to),
        Destination::Stream(file) => return Ok(Prepared::of(Sink::stream(file.clone()), task, encoding)),
        // A format is for what is stored outside.
        Destination::Memory => {
            let bytes_max = attempt.shared.config.memory_body_bytes_max;
            return Ok(Prepared::of(Sink::memory(bytes_max), task, None));
        }
        Destination::Discard => return Ok(Prepared::of(Sink::discard(u64::MAX), task, None)),
    };
    let has_names = run.directories.enter(io, publish).await;
    if attempt.shared.config.sync || attempt.shared.config.resume {
        return Box::pin(prepare_kept(attempt, task, request, hop, publish)).await;
    }
    if publish.existing == Existing::Refuse && has_names && io.stat_at(None, &publish.path).await.is_ok() {
        return Err(Error::Exists);
    }
    Ok(Prepared::of(Sink::file(FileSink::new(publish.clone(), None)), task, encoding))
}

/// As [`prepare`], for an upload.
async fn prepare_upload<I: Io>(
    run: &RunState<'_>,
    attempt: &mut Attempt<'_, I>,
    task: &FetchTask,
    request: &Request,
    hop: Option<&Hop>,
    to: &UploadName,
) -> Result<Prepared, Error> {
    let (tools, encoding) = (run.uploads.tools().map_err(Error::write)?, attempt.shared.encoding.as_ref());
    if attempt.shared.config.sync {
        return Err(Error::Task { reason: "a result that isn't a file can't be kept up to date".to_owned() });
    }
    if attempt.shared.config.resume && !to.replace {
        let (uploader, name) = (to.uploader.clone(), to.name.clone());
        let looked = tools.offload.run(attempt.io, move || uploader.look(&name)).await;
        if let Some(there) = looked.and_then(|looked| looked).map_err(Error::write)? {
            let there = Earlier { there, is_encoded: encoding.is_some() };
            return Ok(match check_uploaded(attempt, request, hop, &task.expected, there).await? {
                CheckedUpload::Complete(response) => Prepared::Skipped(response, to.name.clone().into()),
                CheckedUpload::Elsewhere(hop) => Prepared::Elsewhere(hop),
            });
        }
    }
    let sink = Sink::Upload(Box::new(UploadSink::new(to.clone(), tools)));
    Ok(Prepared::of(sink, task, encoding))
}

/// As [`prepare`], for a member of a shard. What an earlier run packed was checked before it counted, and can't be
/// replaced: the server isn't asked.
fn prepare_pack<I: Io>(
    attempt: &Attempt<'_, I>,
    task: &FetchTask,
    request: &Request,
    to: &PackName,
) -> Result<Prepared, Error> {
    let config = &attempt.shared.config;
    if config.sync {
        return Err(Error::Task { reason: "a result that isn't a file can't be kept up to date".to_owned() });
    }
    let earlier = to.packer.earlier(to.name.as_os_str().as_bytes()).filter(|_| config.resume);
    let Some(earlier) = earlier else {
        let sink = Sink::Pack(Box::new(PackSink::new(to.clone())));
        return Ok(Prepared::of(sink, task, None));
    };
    if task.expected.size.is_some_and(|size| size != earlier.bytes) {
        return Err(Error::Differs);
    }
    let response = Response {
        status: StatusCode::NOT_MODIFIED,
        headers: HeaderMap::new(),
        trailers: HeaderMap::new(),
        url: request.url.clone(),
        body: Vec::new(),
        body_bytes: earlier.bytes,
        redirect_count: 0,
    };
    Ok(Prepared::Skipped(Box::new(response), to.name.clone()))
}

/// As [`prepare`], for a file of which earlier runs may have left something.
async fn prepare_kept<I: Io>(
    attempt: &mut Attempt<'_, I>,
    task: &FetchTask,
    request: &Request,
    hop: Option<&Hop>,
    publish: &Publish,
) -> Result<Prepared, Error> {
    let (io, encoding) = (attempt.io, attempt.shared.encoding.as_ref());
    let place = Place::of(publish);
    // Before the request: a name that leads out of the directory of results is told at once.
    place.make_directory(io).await.map_err(Error::write)?;
    if attempt.shared.config.sync && request.may_come_in_parts() {
        return prepare_sync(io, encoding, task, request, publish).await;
    }
    let resumes = attempt.shared.config.resume && request.may_come_in_parts();
    if publish.existing == Existing::Refuse
        && let Ok(stat) = place.stat(io).await
    {
        if !resumes {
            return Err(Error::Exists);
        }
        let partial = Partial::of(publish, &request.url).encoded(encoding.is_some());
        let existing =
            existing::Existing { place: &place, stat: &stat, format: encoding.map(|encoding| &**encoding) };
        let checking = existing::check(attempt, request, hop, &task.expected, existing);
        let response = match checking.await? {
            existing::Verdict::Complete(response) => response,
            existing::Verdict::Elsewhere(hop) => return Ok(Prepared::Elsewhere(Box::new(hop))),
            existing::Verdict::Unknown(content) => {
                let sink = match encoding {
                    Some(_) => {
                        Sink::Compare(Box::new(Comparison::new(content, publish.path.clone(), partial)))
                    }
                    None => Sink::file(FileSink::comparing(publish.clone(), partial)),
                };
                return Ok(Prepared::of(sink, task, None));
            }
        };
        // A run that was killed may have left the record of a file that it completed.
        partial.remove_leftovers(io).await;
        return Ok(Prepared::Skipped(Box::new(response), publish.path.clone()));
    }
    if !resumes {
        return Ok(Prepared::of(Sink::file(FileSink::new(publish.clone(), None)), task, encoding));
    }
    let partial = Partial::of(publish, &request.url).encoded(encoding.is_some());
    match (partial.find(io).await?, encoding) {
        (None, encoding) => {
            Ok(Prepared::of(Sink::file(FileSink::new(publish.clone(), Some(partial))), task, encoding))
        }
        (Some(kept), Some(encoding)) => {
            Box::pin(restore(io, encoding, task, EncodedPart { publish, partial, kept })).await
        }
        (Some(kept), None) => {
            let prefix = kept.prefix.clone();
            let sink = Sink::file(FileSink::resumed(publish.clone(), partial, kept));
            let download = Download::resumed(io, sink, task.expected.clone(), prefix).await?;
            Ok(Prepared::Download(Box::new(download)))
        }
    }
}

/// What an earlier run kept of a file that it encoded.
struct EncodedPart<'a> {
    publish: &'a Publish,
    partial: Partial,
    kept: Kept,
}

/// Encodes anew, under other keys, what an earlier run encoded: it is unknown what that run did with the chunk after
/// the last one that is there. Where no key opens it, the file starts over.
async fn restore(
    io: &impl Io,
    encoding: &Encoding,
    task: &FetchTask,
    part: EncodedPart<'_>,
) -> Result<Prepared, Error> {
    let EncodedPart { publish, partial, kept } = part;
    let Kept { prefix, staged } = kept;
    let head = read_head(io, staged.file(), encoding).await?;
    let old = encoding.reopen(head.filled());
    io.give_buf(head);
    let sink = || FileSink::new(publish.clone(), Some(partial.clone()));
    let fresh = |sink| Download::new(Sink::file(sink), task.expected.clone()).stored_as(Some(encoding));
    let Some(old) = old else {
        return Ok(Prepared::Download(Box::new(fresh(sink()).after_unreadable_part())));
    };
    let chunk_count = prefix.bytes.saturating_sub(old.offset_of(0)) / old.stored_chunk_bytes() as u64;
    let (stored, bytes) = (staged.file().clone(), chunk_count * old.chunk_bytes() as u64);
    let chunks = Chunks { file: &old, stored: &stored, bytes, is_whole: false };
    if chunk_count > 0 {
        let mut download = fresh(sink().keeping_partial());
        match download.restore(io, chunks, prefix.validators, staged).await {
            Ok(()) => return Ok(Prepared::Download(Box::new(download))),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            // Damaged: it goes when the next one begins.
            Err(_) => download.abandon(io).await,
        }
    }
    Ok(Prepared::Download(Box::new(fresh(sink()))))
}

impl Prepared {
    fn of(sink: Sink, task: &FetchTask, encoding: Option<&Encoding>) -> Self {
        Self::Download(Box::new(Download::new(sink, task.expected.clone()).stored_as(encoding)))
    }
}

/// Begins to bring the file of `task` up to date, which is stored in this encoding.
async fn prepare_sync(
    io: &impl Io,
    encoding: Option<&Encoding>,
    task: &FetchTask,
    request: &Request,
    publish: &Publish,
) -> Result<Prepared, Error> {
    let SyncStart { sync, copy } =
        Sync::begin(io, publish, &request.url, encoding.map(|encoding| &**encoding)).await?;
    let copy = match copy {
        Some((copy, content)) if existing::is_expected(io, &task.expected, &content).await? => Some(copy),
        // A file that isn't as expected is fetched again, even if the server has the same.
        _ => None,
    };
    let sink = Sink::file(FileSink::keeping_up(publish.clone(), sync));
    let download = Download::new(sink, task.expected.clone()).stored_as(encoding).unless_current(copy);
    Ok(Prepared::Download(Box::new(download)))
}
