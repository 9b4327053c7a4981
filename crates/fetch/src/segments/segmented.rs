//! A large file that arrives over several connections.
//!
//! The first request is for the whole file. If its response can be split, its body becomes the first segment, and the
//! other segments are requested in parallel: no byte is fetched twice, and a file that isn't split costs nothing extra.
//!
//! Owns: what the lanes share, and what they leave for the next attempt.
//! Does not own: which responses are split ([`crate::segments::whole`]), the work of each lane
//! ([`crate::segments::lane`]), the end of the file (`list::joining`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use haul_io::Io;

use crate::body::download::Download;
use crate::body::store::PartsFile;
use crate::route::host_pause::HostPause;
use crate::segments::host_permits::HostPermit;
use crate::segments::spans::{SpanClaim, Spans, lock};
use crate::segments::whole::{Whole, segment_count};
use crate::transfer::attempt::Attempt;
use crate::transfer::exchange::Answered;
use crate::transfer::fetch::WholeBody;
use crate::{Error, Request, Segments, Times};

/// A file that is fetched in segments: the state that the parts of a task of a [`FetchJob`](crate::FetchJob) share.
pub struct Segmented {
    /// The request whose parts every lane asks for.
    pub(crate) request: Request,
    pub(crate) whole: Whole,
    pub(crate) file: PartsFile,
    pub(crate) spans: Arc<Mutex<Spans>>,
    /// The response for the whole, until the first lane takes it.
    first: Mutex<Option<First>>,
    /// Invariant: present until the file is finished.
    download: Mutex<Option<Box<Download>>>,
    _permits: TaskPermits,
    /// The time that earlier attempts took.
    pub(crate) spent: Duration,
    pub(crate) times: Times,
    notes: Mutex<Notes>,
}

/// What a task holds while it runs.
pub(crate) struct TaskPermits {
    /// Its connection at the host.
    pub(crate) _host: Option<HostPermit>,
}

/// A response that can be split, before its body.
pub(crate) struct Split {
    pub(crate) request: Request,
    pub(crate) whole: Whole,
    pub(crate) file: PartsFile,
    pub(crate) answered: Answered,
}

/// The response for the whole, and the span that its body fills.
pub(crate) struct First {
    pub(crate) answered: Answered,
    pub(crate) claim: SpanClaim,
}

/// What an attempt leaves for the next.
pub(crate) struct Paused {
    pub(crate) download: Box<Download>,
    pub(crate) whole: Whole,
    pub(crate) file: PartsFile,
    pub(crate) spans: Arc<Mutex<Spans>>,
}

/// How the lanes ended.
#[derive(Default)]
pub(crate) struct Notes {
    /// Whether a response was of another file.
    pub(crate) changed: bool,
    /// The first error that no other lane can make up for.
    pub(crate) fatal: Option<Error>,
    /// The first error of a lane that left bytes missing.
    pub(crate) broken: Option<Error>,
    /// The host that wants no further requests for a while.
    pub(crate) host_pause: Option<Box<HostPause>>,
    /// How many requests the lanes made.
    pub(crate) requests: u32,
    /// How long the slowest lane took.
    pub(crate) elapsed: Duration,
}

/// The file that `body` is all of, if its response allows splitting it and `download` becomes a file.
pub(crate) fn splittable<I: Io>(
    attempt: &Attempt<'_, I>,
    body: &WholeBody<'_>,
    download: &mut Download,
) -> Result<Option<Whole>, Error> {
    let head = &body.answered.head;
    if body.decoding.is_some() || !download.is_file() || !body.request.may_come_in_parts() {
        return Ok(None);
    }
    let response = || attempt.response(&body.request, head.clone());
    let whole = Whole::of(head, &attempt.config().segments, response);
    Ok(if whole.is_some() && download.may_come_in_parts(attempt.io)? { whole } else { None })
}

/// Splits `body`, which is all of `whole`.
pub(crate) async fn split<I: Io>(
    attempt: &Attempt<'_, I>,
    body: WholeBody<'_>,
    whole: Whole,
    download: &mut Download,
) -> Result<Split, Error> {
    let WholeBody { request, answered, .. } = body;
    attempt.check_announced(&answered.head, download)?;
    let file = download.open_for_parts(attempt.io).await?;
    Ok(Split { request: request.into_owned(), whole, file, answered })
}

impl Segmented {
    /// Begins with the response that was `split`.
    pub(crate) fn begin(
        segments: &Segments,
        split: Split,
        download: Box<Download>,
        permits: TaskPermits,
    ) -> Self {
        let Split { request, whole, file, answered } = split;
        let count = segment_count(segments, whole.total);
        let spans = Spans::in_units(whole.total, count, segments.piece_bytes_min, file.unit_bytes());
        let spans = Arc::new(Mutex::new(spans));
        let claim = SpanClaim::take(&spans).expect("a file that is split is not empty");
        Self {
            request,
            whole,
            file,
            spans,
            first: Mutex::new(Some(First { answered, claim })),
            download: Mutex::new(Some(download)),
            _permits: permits,
            spent: Duration::ZERO,
            times: Times::default(),
            notes: Mutex::default(),
        }
    }

    /// Continues an earlier attempt. The lanes ask for `request` again, as its redirects may have changed.
    pub(crate) fn resume(request: &Request, paused: Paused, permits: TaskPermits) -> Self {
        let Paused { download, whole, file, spans } = paused;
        Self {
            request: request.clone(),
            whole,
            file,
            spans,
            first: Mutex::default(),
            download: Mutex::new(Some(download)),
            _permits: permits,
            spent: Duration::ZERO,
            times: Times::default(),
            notes: Mutex::default(),
        }
    }

    /// Records the time that was spent on the task so far: in earlier attempts, and in the steps of this one.
    pub(crate) fn after(self, spent: Duration, times: Times) -> Self {
        Self { spent, times, ..self }
    }

    /// How many parts the task has: one for each lane.
    pub(crate) fn lane_count(&self, segments: &Segments) -> u64 {
        segment_count(segments, self.whole.total).max(1)
    }

    pub(crate) fn take_first(&self) -> Option<First> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn take_download(&self) -> Box<Download> {
        let download = self.download.lock().unwrap_or_else(PoisonError::into_inner).take();
        download.expect("a task is finished once")
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records why a lane ended early. The other lanes go on, unless the file can no longer be completed.
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
