//! A run of downloads: an engine of threads, the scheduler of hosts, events.
//!
//! Owns: the order of events, the thread that tells of progress, counting results.
//! Does not own: the engine ([`haul_engine`]), the job ([`crate::FetchJob`]), the schedule ([`crate::HostSource`]).

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use haul_engine::{Engine, Event, Failure, Settled, TaskId};
use haul_io::Cancel;

use crate::downloads::builder::{Downloads, OnEvent};
use crate::downloads::item::DownloadItem;
use crate::downloads::meter::{Meters, Reading};
use crate::{
    Config, DownloadEvent, DownloadReport, Error, FetchJob, FetchTask, HostLimits, HostSource, Retry,
};

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// The caller's function, and what it is told.
struct Telling<'a> {
    /// Poisoned once the function has panicked: it isn't called again.
    on_event: Mutex<OnEvent<'a>>,
    meters: Meters,
    has_ended: AtomicBool,
}

impl Downloads<'_> {
    /// Downloads `items`, which are taken as there is room, so that there may be millions. Returns when all have
    /// succeeded or failed. Failures of single downloads are in the report: see [`DownloadReport::all`].
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    ///
    /// # Panics
    /// If `items` or the function for events panics; active transfers are cancelled first.
    pub fn run<I>(self, items: I) -> io::Result<DownloadReport>
    where
        I: IntoIterator<IntoIter: Send, Item: Into<DownloadItem>>,
    {
        run(self, items.into_iter().map(Into::into))
    }
}

fn run(
    mut downloads: Downloads<'_>,
    items: impl Iterator<Item = DownloadItem> + Send,
) -> io::Result<DownloadReport> {
    let cancel = downloads.cancel.as_ref().unwrap_or(downloads.client.cancel()).child()?;
    let shared = downloads.client.shared();
    let places = &downloads.places;
    let retries = downloads.retries.unwrap_or(shared.config.retries);
    let config = Config { resume: downloads.resume, retries, ..shared.config.clone() };
    let job = FetchJob::of(shared.with_config(config.clone()));
    let on_event = downloads.on_event.take();
    let telling = on_event.map(Telling::new);
    let observed = |item: DownloadItem| match &telling {
        Some(telling) => item.observed(|url, request| request.observer(telling.meters.observer(url))),
        None => item,
    };
    let tasks = items.map(observed).map(|item| places.task(item));
    let limits = HostLimits {
        total_max: 2 * downloads.transfers,
        per_host_max: downloads.per_host.unwrap_or(usize::MAX),
        ..HostLimits::default()
    };
    let started = Instant::now();
    let source = HostSource::new(tasks, limits, move || started.elapsed()).looking_up(&config).on_retry(
        |_: TaskId, task: &FetchTask, retry: &Retry| {
            tell(&telling, &DownloadEvent::Retrying { url: &task.label, retry });
        },
    );
    let threads = NonZeroUsize::new(downloads.transfers).unwrap_or(NonZeroUsize::MIN);
    let run = haul_engine::Config::new(Engine::Threads(threads), cancel.clone());
    let mut report = DownloadReport::default();
    let on_event = |event: &Event<FetchJob>| {
        if let Event::Settled(settled) = event {
            settle(&mut report, &telling, settled);
        }
    };
    std::thread::scope(|scope| {
        let ticker = telling.as_ref().and_then(|telling| {
            let ticks = || tick(telling, &cancel);
            // Without the thread, there is no progress to see.
            std::thread::Builder::new().name("haul-events".to_owned()).spawn_scoped(scope, ticks).ok()
        });
        let ran = catch_unwind(AssertUnwindSafe(|| haul_engine::run(&job, source, &run, on_event)));
        telling.iter().for_each(|telling| telling.has_ended.store(true, Ordering::Release));
        if let Some(ticker) = ticker {
            ticker.thread().unpark();
            ticker.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        ran.unwrap_or_else(|panic| resume_unwind(panic));
    });
    report.wall = started.elapsed();
    Ok(report)
}

/// Tells of progress, until the run ends. A panic of the caller's function ends the run.
fn tick(telling: &Telling<'_>, cancel: &Cancel) {
    let ticks = || {
        while !telling.has_ended.load(Ordering::Acquire) {
            std::thread::park_timeout(PROGRESS_INTERVAL);
            telling.meters.read(|Reading { url, bytes, bytes_total, all_bytes }| {
                telling.tell(&DownloadEvent::Progress { url, bytes, bytes_total, all_bytes });
            });
        }
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(ticks)) {
        cancel.trigger();
        resume_unwind(panic);
    }
}

/// Counts a download that has ended, and tells of it.
fn settle(report: &mut DownloadReport, telling: &Option<Telling<'_>>, settled: &Settled<FetchJob>) {
    let url = &settled.task.label;
    telling.iter().for_each(|telling| telling.meters.end(url));
    let (error, attempts) = match &settled.outcome {
        Ok(fetched) => {
            report.succeeded += 1;
            report.skipped += u64::from(fetched.skipped || fetched.unchanged);
            report.bytes += settled.bytes;
            tell(telling, &DownloadEvent::Done { url, fetched });
            return;
        }
        Err(Failure::Job(failed)) => (&failed.error, failed.attempts),
        Err(Failure::Cancelled) => (&Error::Cancelled, 0),
        Err(_) => (&Error::WorkerPanicked, 0),
    };
    report.fail(url, error, attempts);
    tell(telling, &DownloadEvent::Failed { url, error, attempts });
}

fn tell(telling: &Option<Telling<'_>>, event: &DownloadEvent<'_>) {
    telling.iter().for_each(|telling| telling.tell(event));
}

impl<'a> Telling<'a> {
    fn new(on_event: OnEvent<'a>) -> Self {
        Self { on_event: Mutex::new(on_event), meters: Meters::default(), has_ended: AtomicBool::new(false) }
    }

    fn tell(&self, event: &DownloadEvent<'_>) {
        if let Ok(mut on_event) = self.on_event.lock() {
            on_event(event);
        }
    }
}
