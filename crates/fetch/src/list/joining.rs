//! The end of a file that was fetched in segments.
//!
//! | how the lanes ended | what happens |
//! |---|---|
//! | the run failed, or a lane had a fatal error | the file is dropped |
//! | a response was of another file | the task starts over, unsplit |
//! | no byte is missing | the file is checked and published |
//! | bytes are missing | the task starts again, if it has retries left |
//!
//! Owns: this decision.
//! Does not own: attempts without segments ([`crate::list::job`]), which failures are retried ([`crate::list::retry`]).

use haul_io::Io;

use crate::body::download::Download;
use crate::list::open_files::OpenFilePermits;
use crate::list::progress::{Progress, RetryAdvice};
use crate::list::retry::Failure;
use crate::list::task::Completed;
use crate::segments::segmented::{Notes, Paused, Segmented};
use crate::segments::spans::lock;
use crate::{Config, Error, Failed, FetchTask, Fetched};

/// The context of ending one file.
pub(crate) struct Joining<'a, I> {
    pub(crate) io: &'a I,
    pub(crate) config: &'a Config,
    pub(crate) open_files: &'a OpenFilePermits,
    pub(crate) file: &'a Segmented,
}

impl<I: Io> Joining<'_, I> {
    /// Ends the file of `task`. After a failure the progress of the task says whether it starts again.
    pub(crate) async fn join(self, task: &FetchTask, succeeded: bool) -> Result<Fetched, Failed> {
        let mut progress = task.take_progress();
        let notes = std::mem::take(&mut *self.file.notes());
        let mut times = self.file.times;
        times.body += notes.elapsed;
        let attempts = progress.attempts;
        let download = self.file.take_download();
        let ended = self.end(download, notes, succeeded, &mut progress).await;
        task.put_progress(progress);
        match ended {
            Ok(completed) => Ok(completed.fetched(self.config, attempts, times)),
            Err(error) => Err(Failed { error, attempts, times }),
        }
    }

    async fn end(
        &self,
        mut download: Box<Download>,
        notes: Notes,
        succeeded: bool,
        progress: &mut Progress,
    ) -> Result<Completed, Error> {
        let Self { io, file, .. } = *self;
        let Notes { changed, fatal, broken, host_pause, requests, elapsed } = notes;
        let requests = progress.advice.requests + requests;
        progress.advice = RetryAdvice { host_pause, requests, ..RetryAdvice::default() };
        progress.spent += elapsed;
        let response = file.whole.response.clone();
        if !succeeded || fatal.is_some() {
            download.abandon(io).await;
            // Without an error here, the engine knows why parts failed.
            return fatal.map_or(Ok(Completed::of(response, None)), Err);
        }
        if changed {
            download.start_over(io).await?;
            progress.download = Some(download);
            progress.is_unsplit = true;
            progress.starts_again = true;
            return Err(Error::UnaskedPart);
        }
        if lock(&file.spans).missing() == 0 {
            let path = download.path();
            let complete = download.complete_parts(io, file.whole.total).await?;
            return Ok(Completed::published(response, path, complete));
        }
        // Without an error the missing bytes were never requested: the run is over.
        let error = broken.unwrap_or(Error::Cancelled);
        let failure = Failure::of(io, self.config, &file.request, &error, progress);
        let Some(pause) = failure.pause(self.config, self.config.retries) else {
            download.abandon(io).await;
            return Err(error);
        };
        progress.retry = Some(Box::new(failure.retry(self.config, &file.request, progress, pause)));
        self.keep(download, progress).await?;
        progress.spent += pause;
        progress.advice.pause = pause;
        progress.starts_again = true;
        Err(error)
    }

    /// Keeps for the next attempt what was fetched.
    async fn keep(&self, mut download: Box<Download>, progress: &mut Progress) -> Result<(), Error> {
        progress.open_file = self.open_files.take();
        if progress.open_file.is_none() {
            download.start_over(self.io).await?;
            progress.download = Some(download);
            return Ok(());
        }
        let Segmented { whole, file, spans, .. } = self.file;
        let (whole, file, spans) = (whole.clone(), file.clone(), spans.clone());
        progress.paused = Some(Box::new(Paused { download, whole, file, spans }));
        Ok(())
    }
}
